"""Check the entries of returned files against the store, and add them to its ``reviews`` table.

Every entry either becomes a ``Review`` or is named in the report with what is wrong. The table is the audit
trail: rows are only added, and the machine's answers are never changed.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, cast, get_args

from pipeline.conversation import Review, ReviewState
from pipeline.privacy import redact_text
from pipeline.review.returned_files import Entry, read
from pipeline.review.sampling import DECISIONS, rubric_ids
from pipeline.rubric import Criterion
from pipeline.score.measures import PERSON
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store

ANSWERS = {
    "yes": "yes", "y": "yes", "true": "yes", "met": "yes", "pass": "yes", "1": "yes",
    "no": "no", "n": "no", "false": "no", "not met": "no", "fail": "no", "0": "no",
    "na": "na", "n/a": "na", "not applicable": "na", "does not apply": "na", "-": "na",
}  # fmt: skip
STATES = {
    "acknowledge": "acknowledged", "acknowledged": "acknowledged", "accepted": "acknowledged",
    "dispute": "disputed", "disputed": "disputed", "appeal": "disputed",
    "uphold": "upheld", "upheld": "upheld", "overturn": "overturned", "overturned": "overturned",
}  # fmt: skip
assert set(STATES.values()) | {"submitted"} == set(get_args(ReviewState))


BEFORE_ALL = dt.datetime.min.replace(tzinfo=dt.UTC)


@dataclass(frozen=True, slots=True)
class EntryProblem:
    """One entry that could not be kept, or that somebody should look at."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """What an import did.

    Attributes:
        stored: New reviews.
        unchanged: How many entries repeat what is already stored.
        rejected: Entries that were not kept, with the reason.
        mended: Entries kept after correcting a call id, with what was corrected.
        conflicts: Answers on which two people differ, on which one person contradicts themselves, or that
            count as not blind because the reviewer had seen the machine's answers before.
        marked: How many quotes are marked in each file; `callqa rubric tune` reads those.
        rescore: Ids of the rubrics with new answers to manual criteria; `callqa rescore` scores them.
    """

    stored: int = 0
    unchanged: int = 0
    rejected: list[EntryProblem] = field(default_factory=list)
    mended: list[EntryProblem] = field(default_factory=list)
    conflicts: list[EntryProblem] = field(default_factory=list)
    marked: Counter[Path] = field(default_factory=Counter)
    rescore: set[str] = field(default_factory=set)


class _GivenAnswer(NamedTuple):
    """yes, no, na or undetermined, with the grade on a graded scale; "" for words that are no answer."""

    answer: str
    grade: str = ""


@dataclass(frozen=True, slots=True)
class _Card:
    """The scorecard an entry is about: the rubric's criteria and the machine's answers, by criterion id."""

    call_id: str
    rubric_id: str
    rubric_hash: str
    criteria: Mapping[str, Criterion]
    answers: dict[str, _GivenAnswer] = field(default_factory=dict)

    def parsed(self, criterion: str, written: str) -> _GivenAnswer:
        """The answer a person's words mean: one of the criterion's grades, or yes, no, na."""
        grades = self.grades(criterion)
        for grade, share in grades.items():
            if _folded(grade) == _folded(written):
                return _GivenAnswer("yes" if share >= 0.5 else "no", grade)
        answer = ANSWERS.get(_folded(written), "")
        return _GivenAnswer("" if grades and answer != "na" else answer)

    def choices(self, criterion: str) -> str:
        """The answers a person may give, in words."""
        return ", ".join(f"“{word}”" for word in (*(self.grades(criterion) or ("yes", "no")), "na"))

    def grades(self, criterion: str) -> Mapping[str, float]:
        """The criterion's graded scale, best first; empty for yes and no."""
        return self.criteria[criterion].grades() if criterion in self.criteria else {}


def import_reviews(
    store: Store, paths: Sequence[Path], *, privacy: PrivacySettings, reviewer: str = ""
) -> Report:
    """Read returned files and store what people answered; ``reviewer`` where an entry names nobody.

    Comments are redacted by the policy ``privacy``, like the words of the call that people quote in them.

    Raises:
        UsageError: A file is not a review at all; then nothing is stored, from no file.
    """
    read_entries = [(path, entry) for path in paths for entry in read(path)]
    entries = [
        (
            path,
            replace(entry, reviewer=entry.reviewer or reviewer, reason=redact_text(entry.reason, privacy)),
        )
        for path, entry in read_entries
        if entry.quote is None
    ]
    cards = _Cards(store, {entry.call_id for _, entry in entries})
    report = Report(marked=Counter(path for path, entry in read_entries if entry.quote is not None))
    reviews: list[Review] = []
    places: dict[str, str] = {}  # by review id
    for path, entry in entries:
        made = list(_reviews_of(entry, path.name, cards, report))
        places |= dict.fromkeys((review.review_id for review in made), entry.where)
        reviews += made
    stored = store.reviews(CallFilter(call_ids=tuple({r.call_id for r in reviews})))
    stored.sort(key=lambda r: not r.is_confirmation)
    corrected = {_item(review) for review in stored if not review.is_confirmation}
    reviews = [r for r in reviews if not (r.is_confirmation and _item(r) in corrected)]
    reviews = _without_contradictions(_drop_false_blind(reviews, stored, report), report)
    ids = rubric_ids(store)
    disputes = {_disputable(r, ids) for r in (*stored, *reviews) if r.state == "disputed"}
    undisputed = [r for r in reviews if r.state in DECISIONS and _disputable(r, ids) not in disputes]
    for review in undisputed:
        nobody = f"call {review.call_id} is {review.state}, but nobody disputed it"
        report.rejected.append(EntryProblem(places[review.review_id], nobody))
    allowed = [review for review in reviews if review not in undisputed]
    on_record = {_item(r): (r.said, r.reason) for r in stored}  # of each item the newest
    new = [r for r in allowed if on_record.get(_item(r)) != (r.said, r.reason)]
    report.unchanged = len(allowed) - len(new)
    _report_differences(new, stored, report)
    report.stored = store.save_reviews(new)
    answered = {(r.rubric_hash, r.criterion_id or "") for r in new if r.human_answer}
    report.rescore = {cards.manual[key] for key in answered & cards.manual.keys()}
    return report


class _Cards:
    """The scorecards of the calls in a file, looked up by the ids and questions that people wrote."""

    def __init__(self, store: Store, call_ids: set[str]) -> None:
        known = {row["call_id"] for row in store.query("SELECT call_id FROM calls")}
        folded: dict[str, list[str]] = defaultdict(list)
        for call_id in known:
            folded[_folded(call_id)].append(call_id)
        meant = {written: [written] if written in known else folded[_folded(written)] for written in call_ids}
        self._ids = {written: ids[0] for written, ids in meant.items() if len(ids) == 1}
        rows = store.query(
            "SELECT answers.call_id, answers.rubric_hash, rubric_id, criterion_id, points, "
            "CASE WHEN searched.what = ? THEN 'undetermined' ELSE answer END AS answer "  # it is a person's
            "FROM answers JOIN scorecards USING (call_id, rubric_hash) "
            "WHERE answers.call_id IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY scorecards.is_latest DESC, rubric_id, criterion",
            [PERSON, list(set(self._ids.values()))],
        )
        rubrics = store.rubrics({row["rubric_hash"] for row in rows})
        self.manual = {(key, name): rubric.id for key, rubric in rubrics.items() for name in rubric.manual()}
        criteria = {key: {c.id: c for c in rubric.criteria()} for key, rubric in rubrics.items()}
        self._cards: dict[str, dict[str, _Card]] = defaultdict(dict)  # by call id and rubric hash
        for row in rows:
            call_id, rubric_hash = row["call_id"], row["rubric_hash"]
            card = _Card(call_id, row["rubric_id"], rubric_hash, criteria.get(rubric_hash, {}))
            card = self._cards[call_id].setdefault(rubric_hash, card)
            criterion = card.criteria.get(row["criterion_id"])
            grade = criterion.grade(row["points"]) if criterion and row["answer"] in {"yes", "no"} else ""
            card.answers[row["criterion_id"]] = _GivenAnswer(row["answer"], grade)

    def of(self, entry: Entry) -> _Card | str:
        """The scorecard an entry is about, or a sentence saying why there is none."""
        if entry.call_id not in self._ids:
            return f"no call {entry.call_id!r} in the database"
        cards = list(self._cards[self._ids[entry.call_id]].values())
        if entry.rubric_hash:
            cards = [c for c in cards if c.rubric_hash == entry.rubric_hash] or cards
            if cards and cards[0].rubric_hash != entry.rubric_hash and not entry.rubric_id:
                return f"call {entry.call_id} was never scored with rubric text {entry.rubric_hash[:12]}"
        if entry.rubric_id:
            cards = [c for c in cards if c.rubric_id == entry.rubric_id]
        if entry.criterion_id or entry.criterion:
            cards = [c for c in cards if _criterion(entry, c)] or cards
        return cards[0] if cards else f"call {entry.call_id} has no scorecard to review"


def _folded(text: str) -> str:
    return text.strip().casefold()


def _criterion(entry: Entry, card: _Card) -> str:
    """Id of the criterion that the entry names by id or by question; "" when there is none."""
    questions = {name: _folded(criterion.question) for name, criterion in card.criteria.items()}
    for written in filter(None, (entry.criterion_id, entry.criterion)):
        if written in card.answers:
            return written
        matches = [c for c in card.answers if _folded(written) in {_folded(c), questions.get(c)}]
        if len(matches) == 1:
            return matches[0]
    return ""


def _reviews_of(entry: Entry, source: str, cards: _Cards, report: Report) -> Iterator[Review]:
    """Make the reviews of one entry, for a confirmed call one per answer; report anything wrong with it."""
    card = cards.of(entry)
    problem = card if isinstance(card, str) else _problem(entry, card)
    if problem or isinstance(card, str):
        report.rejected.append(EntryProblem(entry.where, problem))
        return
    if card.call_id != entry.call_id:
        report.mended.append(EntryProblem(entry.where, f"call {entry.call_id!r} taken as {card.call_id!r}"))
    if entry.criterion_id or entry.criterion:
        criterion = _criterion(entry, card)
        given = card.parsed(criterion, entry.answer) if entry.answer else None
        if given or entry.reason:
            yield _review(entry, card, source, criterion, given)
        return
    state = STATES.get(_folded(entry.state))
    if state or entry.reason:
        yield _review(entry, card, source, state=state or "submitted")
    if entry.confirmed:
        for criterion, machine in card.answers.items():
            if machine.answer in {"yes", "no", "na"}:
                yield _review(replace(entry, reason=""), card, source, criterion, machine, confirmed=True)


def _problem(entry: Entry, card: _Card) -> str:
    """Why an entry cannot become a review; "" when it can."""
    if not entry.reviewer:
        return "no reviewer is named (fill the Reviewer column, or give --reviewer)"
    named = entry.criterion_id or entry.criterion
    criterion = _criterion(entry, card)
    if named and not criterion:
        return f"no criterion {named!r} in rubric {card.rubric_id}"
    if entry.answer and not named:
        return f"it answers {entry.answer!r}, but names no criterion"
    if entry.answer and not card.parsed(criterion, entry.answer).answer:
        return f"{entry.answer!r} is not an answer to {criterion} ({card.choices(criterion)})"
    if entry.confirmed not in {"", "yes"}:
        return f"{entry.confirmed!r} does not say whether the whole call was checked (yes or no)"
    if entry.state and _folded(entry.state) not in STATES:
        return f"{entry.state!r} is not a decision (acknowledged, disputed, upheld or overturned)"
    return ""


def _review(
    entry: Entry,
    card: _Card,
    source: str,
    criterion: str | None = None,
    given: _GivenAnswer | None = None,
    *,
    state: str = "submitted",
    confirmed: bool = False,
) -> Review:
    at, who, reason = entry.at or dt.datetime.now(dt.UTC), entry.reviewer, entry.reason
    machine = card.answers[criterion] if criterion else None
    answer = given and (given.grade or given.answer)
    parts = (card.call_id, card.rubric_hash, criterion, answer, who, state, reason, at.isoformat())
    extra = {
        "how": "confirmed with the whole call" if confirmed else "",
        "grade": given.grade if given else "",
        "machine_grade": machine.grade if machine else "",
        "blind": entry.blind,
    }
    return Review(
        review_id=hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32],
        call_id=card.call_id,
        rubric_hash=card.rubric_hash,
        criterion_id=criterion,
        machine_answer=machine.answer if machine else None,
        human_answer=given.answer if given else None,
        reviewer=who,
        reviewed_at=at,
        reason=reason,
        state=cast(ReviewState, state),
        source=source,
        extra={name: value for name, value in extra.items() if value},
    )


def _item(review: Review) -> tuple[str | None, ...]:
    """What a reviewer can say one thing about: an answer, a comment on it, a state of the whole scorecard."""
    kind = review.state if review.criterion_id is None else "answer" if review.human_answer else "comment"
    return review.call_id, review.rubric_hash, review.criterion_id, _folded(review.reviewer), kind


def _without_contradictions(reviews: Sequence[Review], report: Report) -> list[Review]:
    """Keep one review per reviewer and item: a correction before a confirmation, else the later one."""
    chosen: dict[tuple[str | None, ...], Review] = {}
    for review in reviews:
        earlier = chosen.get(_item(review))
        if earlier is None or earlier.is_confirmation:
            chosen[_item(review)] = review
        elif not review.is_confirmation:
            if earlier.said != review.said:
                what = (
                    f"{review.reviewer} answers {review.criterion_id} of {review.call_id} both "
                    f"{earlier.said} and {review.said}; the later one is kept"
                )
                report.conflicts.append(EntryProblem(review.source, what))
            chosen[_item(review)] = max(earlier, review, key=lambda r: r.reviewed_at)
    return list(chosen.values())


def _drop_false_blind(reviews: Sequence[Review], stored: Iterable[Review], report: Report) -> list[Review]:
    """Remove ``blind`` from reviews whose reviewer had seen the machine's answers to the call before.

    Reviews of one import are in the order of their times.
    """
    not_blind = {(r.call_id, _folded(r.reviewer)): BEFORE_ALL for r in stored if "blind" not in r.extra}
    for review in sorted(reviews, key=lambda r: r.reviewed_at):
        if "blind" not in review.extra:
            not_blind.setdefault((review.call_id, _folded(review.reviewer)), review.reviewed_at)
    checked, problems = [], []
    for review in reviews:
        seen_at = not_blind.get((review.call_id, _folded(review.reviewer)))
        if "blind" in review.extra and seen_at is not None and seen_at < review.reviewed_at:
            seen = f"{review.reviewer} had reviewed it with the machine's answers in view"
            problems.append(EntryProblem(review.call_id, f"{seen}: kept, but not as blind"))
            extra = {name: value for name, value in review.extra.items() if name != "blind"}
            review = replace(review, extra=extra)
        checked.append(review)
    report.conflicts += dict.fromkeys(problems)
    return checked


def _disputable(review: Review, ids: Mapping[str, str]) -> tuple[str, str]:
    """What a dispute is about: a call under a rubric in any version."""
    return review.call_id, ids.get(review.rubric_hash, review.rubric_hash)


def _report_differences(new: Sequence[Review], stored: Sequence[Review], report: Report) -> None:
    """Report every newly reviewed answer on which two people differ."""
    newest: dict[tuple[str, str, str], dict[str, Review]] = defaultdict(dict)
    for review in (*stored, *new):
        if review.criterion_id and review.human_answer:
            key = (review.call_id, review.rubric_hash, review.criterion_id)
            newest[key][_folded(review.reviewer)] = review
    changed = {(r.call_id, r.rubric_hash, r.criterion_id) for r in new}
    for key, by_reviewer in newest.items():
        if key in changed and len({r.said for r in by_reviewer.values()}) > 1:
            views = ", ".join(f"{r.reviewer} {r.said}" for r in by_reviewer.values())
            report.conflicts.append(EntryProblem(key[0], f"{key[2]}: {views}"))
