"""Entries checked against the store and kept: beside the machine's answers, never over them.

Every entry either becomes a ``Review`` or is named in the report with what is wrong. The store's
``reviews`` table is the audit trail: rows are only ever added.
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
from pipeline.review.returned_files import Entry, read
from pipeline.rubric import Criterion
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
AFTER_DISPUTE = {"upheld", "overturned"}
assert set(STATES.values()) | {"submitted"} == set(get_args(ReviewState))


@dataclass(frozen=True, slots=True)
class Problem:
    """One entry that could not be kept, or needs a look."""

    where: str
    what: str


@dataclass(slots=True)
class Report:
    """What an import did.

    Attributes:
        stored: New reviews.
        unchanged: Entries that say what is already on record.
        rejected: Entries that were not kept, with the reason.
        mended: Entries kept after correcting an id, with what was corrected.
        conflicts: Answers on which two people differ, one file contradicts itself, or that were given
            in a blind session by someone who had seen the machine's answers before.
        marked: By file, how many quotes are marked in it; they are for `callqa rubric tune`.
    """

    stored: int = 0
    unchanged: int = 0
    rejected: list[Problem] = field(default_factory=list)
    mended: list[Problem] = field(default_factory=list)
    conflicts: list[Problem] = field(default_factory=list)
    marked: Counter[Path] = field(default_factory=Counter)


class _Said(NamedTuple):
    """An answer and, on a graded scale, the grade; "" for an answer that is none."""

    answer: str
    grade: str = ""


@dataclass(frozen=True, slots=True)
class _Card:
    """The scorecard an entry is about: the machine's answers by criterion id, and the grades on offer."""

    call_id: str
    rubric_id: str
    rubric_hash: str
    answers: Mapping[str, _Said]
    criteria: Mapping[str, Criterion]

    def meant(self, criterion: str, written: str) -> _Said:
        """What a person's words amount to: one of the criterion's grades, or yes, no, na."""
        grades = self.grades(criterion)
        for grade, share in grades.items():
            if _folded(grade) == _folded(written):
                return _Said("yes" if share >= 0.5 else "no", grade)
        answer = ANSWERS.get(_folded(written), "")
        return _Said("" if grades and answer != "na" else answer)

    def choices(self, criterion: str) -> str:
        """The answers a person may give, in words."""
        return ", ".join(f"“{word}”" for word in (*(self.grades(criterion) or ("yes", "no")), "na"))

    def grades(self, criterion: str) -> Mapping[str, float]:
        """The criterion's graded scale, best first; empty for yes and no."""
        return self.criteria[criterion].grades() if criterion in self.criteria else {}


def import_reviews(store: Store, paths: Sequence[Path], *, reviewer: str = "") -> Report:
    """Read returned files and keep what people said.

    Args:
        store: Open for writing.
        paths: Packet JSON, workbooks or CSV.
        reviewer: Who reviewed, for entries that do not say.

    Raises:
        UsageError: A file is not a review at all; nothing of any file is kept.
    """
    said = [(path, entry) for path in paths for entry in read(path)]
    entries = [(path, entry) for path, entry in said if entry.quote is None]
    cards = _Cards(store, {entry.call_id for _, entry in entries})
    report = Report(marked=Counter(path for path, entry in said if entry.quote is not None))
    made: list[Review] = []
    for path, entry in entries:
        made += _checked(entry, path.name, cards, reviewer, report)
    kept = store.reviews(CallFilter(call_ids=tuple({r.call_id for r in made})))
    made = _only_blind_if_blind(_without_contradictions(made, report), kept, report)
    disputes = {(r.call_id, r.rubric_hash) for r in (*kept, *made) if r.state == "disputed"}
    new = [r for r in made if _is_allowed(r, disputes, report) and not _is_known(r, kept, report)]
    _report_differences(new, kept, report)
    report.stored = store.save_reviews(new)
    return report


class _Cards:
    """Scorecards of the calls a file speaks of, found by what people wrote."""

    def __init__(self, store: Store, call_ids: set[str]) -> None:
        known = {row["call_id"] for row in store.query("SELECT call_id FROM calls")}
        folded: dict[str, list[str]] = defaultdict(list)
        for call_id in known:
            folded[_folded(call_id)].append(call_id)
        self._ids = {}
        for written in call_ids:
            alike = [written] if written in known else folded[_folded(written)]
            if len(alike) == 1:
                self._ids[written] = alike[0]
        self._cards: dict[str, list[_Card]] = defaultdict(list)
        rows = store.query(
            "SELECT answers.call_id, answers.rubric_hash, rubric_id, criterion_id, answer, points "
            "FROM answers JOIN scorecards USING (call_id, rubric_hash) "
            "WHERE answers.call_id IN (SELECT unnest(?::VARCHAR[])) "
            "ORDER BY scorecards.is_latest DESC, rubric_id, criterion",
            [list(set(self._ids.values()))],
        )
        rubrics = store.rubrics({row["rubric_hash"] for row in rows})
        criteria = {key: {c.id: c for c in rubric.criteria()} for key, rubric in rubrics.items()}
        answers: dict[tuple[str, str, str], dict[str, _Said]] = defaultdict(dict)
        for row in rows:
            card = answers[row["call_id"], row["rubric_id"], row["rubric_hash"]]
            asked = criteria.get(row["rubric_hash"], {}).get(row["criterion_id"])
            grade = asked.grade(row["points"]) if asked and row["answer"] in {"yes", "no"} else ""
            card[row["criterion_id"]] = _Said(row["answer"], grade)
        for (call_id, rubric_id, rubric_hash), given in answers.items():
            asked_there = criteria.get(rubric_hash, {})
            self._cards[call_id].append(_Card(call_id, rubric_id, rubric_hash, given, asked_there))

    def call_id(self, written: str) -> str:
        """The call meant, or "" when there is none."""
        return self._ids.get(written, "")

    def of(self, entry: Entry) -> _Card | str:
        """The scorecard meant, or what is wrong."""
        cards = self._cards[self.call_id(entry.call_id)]
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
    """The criterion id meant, by its id or by its question, or ""."""
    questions = {name: _folded(asked.question) for name, asked in card.criteria.items()}
    for written in filter(None, (entry.criterion_id, entry.criterion)):
        if written in card.answers:
            return written
        matches = [c for c in card.answers if _folded(written) in {_folded(c), questions.get(c)}]
        if len(matches) == 1:
            return matches[0]
    return ""


def _checked(entry: Entry, source: str, cards: _Cards, reviewer: str, report: Report) -> Iterator[Review]:
    """The reviews one entry amounts to; anything wrong goes into the report."""
    who = entry.reviewer or reviewer
    card = cards.of(entry) if cards.call_id(entry.call_id) else f"no call {entry.call_id!r} in the database"
    problem = card if isinstance(card, str) else _problem(entry, card, who)
    if problem or isinstance(card, str):
        report.rejected.append(Problem(entry.where, problem))
        return
    if cards.call_id(entry.call_id) != entry.call_id:
        report.mended.append(Problem(entry.where, f"call {entry.call_id!r} taken as {card.call_id!r}"))
    if entry.criterion_id or entry.criterion:
        if entry.answer:
            criterion = _criterion(entry, card)
            yield _review(entry, card, source, who, criterion, card.meant(criterion, entry.answer))
        return
    state = STATES.get(_folded(entry.state))
    if state or (entry.reason and not entry.confirmed):
        yield _review(entry, card, source, who, state=state or "submitted")
    if entry.confirmed:
        for criterion, machine in card.answers.items():
            if machine.answer in {"yes", "no", "na"}:
                yield _review(entry, card, source, who, criterion, machine, confirmed=True)


def _problem(entry: Entry, card: _Card, who: str) -> str:
    """What keeps an entry from being a review, or ""."""
    if not who:
        return "no reviewer is named (fill the Reviewer column, or give --reviewer)"
    named = entry.criterion_id or entry.criterion
    criterion = _criterion(entry, card)
    if named and not criterion:
        return f"no criterion {named!r} in rubric {card.rubric_id}"
    if entry.answer and not named:
        return f"it answers {entry.answer!r}, but names no criterion"
    if entry.answer and not card.meant(criterion, entry.answer).answer:
        return f"{entry.answer!r} is not an answer to {criterion} ({card.choices(criterion)})"
    if entry.state and _folded(entry.state) not in STATES:
        return f"{entry.state!r} is not a decision (acknowledged, disputed, upheld or overturned)"
    return ""


def _review(
    entry: Entry,
    card: _Card,
    source: str,
    reviewer: str,
    criterion: str | None = None,
    said: _Said | None = None,
    *,
    state: str = "submitted",
    confirmed: bool = False,
) -> Review:
    at = entry.at or dt.datetime.now(dt.UTC)
    reason = "" if confirmed else entry.reason
    machine = card.answers[criterion] if criterion else None
    answer = said and (said.grade or said.answer)
    parts = (card.call_id, card.rubric_hash, criterion, answer, reviewer, state, reason, at.isoformat())
    extra = {
        "how": "confirmed with the whole call" if confirmed else "",
        "grade": said.grade if said else "",
        "machine_grade": machine.grade if machine else "",
        "blind": entry.blind,
    }
    return Review(
        review_id=hashlib.sha256("\x1f".join(map(str, parts)).encode("utf-8", "replace")).hexdigest()[:32],
        call_id=card.call_id,
        rubric_hash=card.rubric_hash,
        criterion_id=criterion,
        machine_answer=machine.answer if machine else None,
        human_answer=said.answer if said else None,
        reviewer=reviewer,
        reviewed_at=at,
        reason=reason,
        state=cast(ReviewState, state),
        source=source,
        extra={name: value for name, value in extra.items() if value},
    )


def _item(review: Review) -> tuple[str, str, str | None, str]:
    """One reviewer's say on one item."""
    return review.call_id, review.rubric_hash, review.criterion_id, _folded(review.reviewer)


def _without_contradictions(made: Sequence[Review], report: Report) -> list[Review]:
    """One say per reviewer and item: a correction beats a confirmation; real contradictions keep the last."""
    chosen: dict[tuple[str, ...], Review] = {}
    for review in made:
        key = (*map(str, _item(review)), "answer" if review.criterion_id else review.state)
        other = chosen.get(key)
        if other is None or "how" in other.extra:
            chosen[key] = review
        elif "how" not in review.extra:
            if other.said != review.said:
                what = (
                    f"{review.reviewer} answers {review.criterion_id} of {review.call_id} both "
                    f"{other.said} and {review.said}; the later one is kept"
                )
                report.conflicts.append(Problem(review.source, what))
            chosen[key] = max(other, review, key=lambda r: r.reviewed_at)
    return list(chosen.values())


def _only_blind_if_blind(made: Iterable[Review], kept: Iterable[Review], report: Report) -> list[Review]:
    """Who had seen the machine's answers to a call before was not blind to them in a session."""
    saw = {(r.call_id, _folded(r.reviewer)) for r in kept if "blind" not in r.extra}
    checked = []
    for review in made:
        if "blind" in review.extra and (review.call_id, _folded(review.reviewer)) in saw:
            seen = f"{review.reviewer} had reviewed it with the machine's answers in view"
            told = Problem(review.call_id, f"{seen}: kept, but not as blind")
            if told not in report.conflicts:
                report.conflicts.append(told)
            extra = {name: value for name, value in review.extra.items() if name != "blind"}
            review = replace(review, extra=extra)
        checked.append(review)
    return checked


def _is_allowed(review: Review, disputes: set[tuple[str, str]], report: Report) -> bool:
    """A dispute can be upheld or overturned only where there is one."""
    if review.state not in AFTER_DISPUTE or (review.call_id, review.rubric_hash) in disputes:
        return True
    report.rejected.append(
        Problem(review.source, f"call {review.call_id} is {review.state}, but nobody disputed it")
    )
    return False


def _is_known(review: Review, kept: Iterable[Review], report: Report) -> bool:
    """Whether this is the reviewer's last word on record already."""
    before = [r for r in kept if _item(r) == _item(review) and (r.criterion_id or r.state == review.state)]
    if before and (before[-1].said, before[-1].reason) == (review.said, review.reason):
        report.unchanged += 1
        return True
    return False


def _report_differences(new: Sequence[Review], kept: Sequence[Review], report: Report) -> None:
    """Name every answer on which two people differ."""
    said: dict[tuple[str, str, str], dict[str, Review]] = defaultdict(dict)
    for review in (*kept, *new):
        if review.criterion_id and review.human_answer:
            said[review.call_id, review.rubric_hash, review.criterion_id][_folded(review.reviewer)] = review
    touched = {(r.call_id, r.rubric_hash, r.criterion_id) for r in new}
    for (call_id, rubric_hash, criterion), by in said.items():
        if (call_id, rubric_hash, criterion) in touched and len({r.said for r in by.values()}) > 1:
            views = ", ".join(f"{r.reviewer} {r.said}" for r in by.values())
            report.conflicts.append(Problem(call_id, f"{criterion}: {views}"))
