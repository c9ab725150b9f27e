"""Pair each answer of a person with the machine's, criterion by criterion.

Versions of a rubric are pooled: an answer counts when the criterion read exactly as in the newest version
that scores the calls reviewed, and of each person only the last one to a call. Of answers to an older wording
only the number is kept.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipeline.conversation import Review
from pipeline.rubric import Criterion
from pipeline.store import Store

LABELS = ("yes", "no", "na")
TEXTS_SQL = """
SELECT rubric_hash, rubric_id, rubric_version,
       bool_or(is_latest AND call_id IN (SELECT unnest(?::VARCHAR[]))) AS scores
FROM scorecards GROUP BY ALL"""
Key = tuple[str, str]
"""Rubric id or hash, and criterion id."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The machine's answer to one criterion of a call, and one person's.

    Attributes:
        machine: The machine's grade on a graded scale, else its answer.
        human: The person's grade or answer.
        scale: Every possible answer, best first: the grades, or yes and no; then na.
        quote: The words the machine's answer rests on, or its nearest miss.
    """

    review: Review
    machine: str
    human: str
    scale: tuple[str, ...] = LABELS
    quote: str = ""

    @property
    def decided(self) -> bool:
        """Whether both sides gave an answer that can be compared."""
        return self.machine in self.scale and self.human in self.scale

    @property
    def leniency(self) -> int:
        """1 where the machine is more generous, -1 where stricter, 0 where they agree or one says na."""
        if "na" in (self.machine, self.human):
            return 0
        machine, human = self.scale.index(self.machine), self.scale.index(self.human)
        return (machine < human) - (machine > human)


@dataclass(frozen=True, slots=True)
class AnsweredQuestion:
    """One criterion in its newest wording, with everybody's answers to it.

    Attributes:
        versions: Versions of the rubric whose answers are pooled, oldest first.
        outdated: How many answers are left out because the criterion was worded differently then.
        title: The question in the rubric's words, or the criterion's id.
    """

    rubric: str
    criterion: str
    pairs: Sequence[Pair] = ()
    versions: tuple[str, ...] = ()
    outdated: int = 0
    title: str = ""


def newest_answers(reviews: Iterable[Review]) -> list[Review]:
    """Each person's newest answer to each criterion of each call; oldest first, as ``reviews`` are.

    An answer that was only confirmed with the whole call counts where the person gave none. A person is named
    as they last wrote their name: "Anna", "anna " and "ANNA" are one.
    """
    reviews = list(reviews)
    names = {_person(review): review.reviewer.strip() for review in reviews}
    newest: dict[tuple[str, str, str, str], Review] = {}
    for review in sorted(reviews, key=lambda r: not r.is_confirmation):
        if review.criterion_id and review.human_answer:
            key = (review.call_id, review.rubric_hash, review.criterion_id, _person(review))
            newest.pop(key, None)  # the list has the newest last
            newest[key] = replace(review, reviewer=names[_person(review)])
    return list(newest.values())


def _person(review: Review) -> str:
    return review.reviewer.strip().casefold()


def questions(store: Store, reviews: Sequence[Review], rubric: str | None = None) -> list[AnsweredQuestion]:
    """Every question people answered, with the answers that may be compared.

    ``reviews`` come from ``newest_answers``; ``rubric`` limits them to one, by id or by hash.
    """
    rows = store.query(TEXTS_SQL, [list({review.call_id for review in reviews})])
    names = {row["rubric_hash"]: (row["rubric_id"], row["rubric_version"] or "") for row in rows}
    scoring = {row["rubric_hash"] for row in rows if row["scores"]}
    rubrics = store.rubrics({review.rubric_hash for review in reviews} | scoring)
    criteria = {(key, c.id): c for key, stored in rubrics.items() for c in stored.criteria()}
    newest = {
        (names[key][0], c.id): key
        for key, stored in rubrics.items()  # oldest first
        if key in scoring and rubric in (None, names[key][0])
        for c in stored.criteria()
    }
    quotes = _quotes(store, reviews)
    age = {rubric_hash: position for position, rubric_hash in enumerate(rubrics)}
    pairs: dict[Key, list[Pair]] = defaultdict(list)
    for review in sorted(reviews, key=lambda r: age.get(r.rubric_hash, -1)):  # oldest rubric text first
        rubric_id = names.get(review.rubric_hash, (review.rubric_hash[:12], ""))[0]
        if rubric in (None, rubric_id, review.rubric_hash):
            criterion_id = review.criterion_id or ""
            scale = _scale(review, criteria.get((review.rubric_hash, criterion_id)))
            quote = quotes.get((review.call_id, review.rubric_hash, criterion_id), "")
            pair = Pair(review, review.machine_said or "", review.said or "", scale, quote)
            pairs[rubric_id, criterion_id].append(pair)
    return [_question(key, pairs[key], newest.get(key), criteria, names) for key in sorted(pairs)]


def _scale(review: Review, criterion: Criterion | None) -> tuple[str, ...]:
    """The possible answers, best first: grades where the review has one and its rubric is stored."""
    graded = "grade" in review.extra or "machine_grade" in review.extra
    return (*criterion.grades(), "na") if graded and criterion and criterion.levels else LABELS


def _question(
    key: Key,
    pairs: Sequence[Pair],
    newest: str | None,
    criteria: Mapping[Key, Criterion],
    names: Mapping[str, tuple[str, str]],
) -> AnsweredQuestion:
    """The question in its newest wording, with everybody's last answers to exactly that wording.

    ``pairs`` come by the age of their rubric's text; ``newest`` is the newest text that scores the calls, if
    one asks the question; ``names`` has the rubric id and version of each text.
    """
    criterion = key[1]
    hashes = list(dict.fromkeys(pair.review.rubric_hash for pair in pairs))
    newest = newest or hashes[-1]
    wording = criteria.get((newest, criterion))
    same = [h for h in hashes if h == newest or (wording and criteria.get((h, criterion)) == wording)]
    pooled = [pair for pair in pairs if pair.review.rubric_hash in same]
    outdated = len(pairs) - len(pooled)
    pooled.sort(key=lambda pair: (not pair.review.is_confirmation, pair.review.reviewed_at))
    latest = {(pair.review.call_id, pair.review.reviewer): pair for pair in pooled}
    versions = tuple(dict.fromkeys(names[h][1] for h in same if h in names))
    title = wording.question if wording else criterion
    return AnsweredQuestion(*key, list(latest.values()), versions, outdated, title)


def _quotes(store: Store, reviews: Sequence[Review]) -> dict[tuple[str, str, str], str]:
    """Evidence or nearest miss of each criterion, for the calls on which a person disagrees."""
    disputed = list({r.call_id for r in reviews if r.machine_said != r.said})
    rows = store.query(
        "SELECT call_id, rubric_hash, criterion_id, quote FROM evidence "
        "WHERE call_id IN (SELECT unnest(?::VARCHAR[])) AND quote <> '' ORDER BY kind DESC, evidence DESC",
        [disputed],
    )
    return {(row["call_id"], row["rubric_hash"], row["criterion_id"]): row["quote"] for row in rows}
