"""What people said, each answer beside the machine's, under the criterion's present wording only.

A rubric's versions are pooled where they ask the same: an answer counts when the criterion it was
given to reads exactly as in the newest version reviewed. Answers to an older wording are counted apart.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pipeline.calibrate.figures import LABELS, Pair
from pipeline.conversation import Review
from pipeline.rubric import Criterion
from pipeline.store import Store

Key = tuple[str, str]


@dataclass(slots=True)
class Question:
    """One criterion of one rubric as it reads now, with everybody's answers to it.

    Attributes:
        versions: Versions of the rubric whose answers are pooled, oldest first.
        outdated: Answers left out because the criterion read otherwise then.
        title: The question in the rubric's words, or the criterion's id.
    """

    rubric: str
    criterion: str
    pairs: list[Pair] = field(default_factory=list)
    versions: tuple[str, ...] = ()
    outdated: int = 0
    title: str = ""


def last_words(reviews: Iterable[Review]) -> list[Review]:
    """Each person's newest answer to each criterion of each call."""
    last: dict[tuple[str, str, str, str], Review] = {}
    for review in reviews:  # oldest first
        if review.criterion_id and review.human_answer:
            last[review.call_id, review.rubric_hash, review.criterion_id, review.reviewer.casefold()] = review
    return list(last.values())


def questions(store: Store, reviews: Sequence[Review], rubric: str | None = None) -> list[Question]:
    """Every question people answered, with the answers that may be compared.

    Args:
        store: Open for reading.
        reviews: Answers, one a person and question.
        rubric: Only this rubric, by id or by hash.
    """
    rows = store.query("SELECT DISTINCT rubric_hash, rubric_id, rubric_version FROM scorecards")
    names = {row["rubric_hash"]: (row["rubric_id"], row["rubric_version"] or "") for row in rows}
    rubrics = store.rubrics({review.rubric_hash for review in reviews})
    criteria = {(key, c.id): c for key, kept in rubrics.items() for c in kept.criteria()}
    quotes = _quotes(store, reviews)
    found: dict[Key, dict[str, list[Pair]]] = defaultdict(lambda: defaultdict(list))
    for review in reviews:
        name = names.get(review.rubric_hash, (review.rubric_hash[:12], ""))[0]
        if rubric in (None, name, review.rubric_hash):
            text = (review.rubric_hash, review.criterion_id or "")
            quote = quotes.get((review.call_id, *text), "")
            pair = Pair(
                review,
                review.machine_said or "",
                review.said or "",
                _scale(review, criteria.get(text)),
                quote,
            )
            found[name, text[1]][review.rubric_hash].append(pair)
    age = {rubric_hash: place for place, rubric_hash in enumerate(rubrics)}
    return [
        _current(key, {h: by_text[h] for h in sorted(by_text, key=lambda h: age.get(h, -1))}, criteria, names)
        for key, by_text in sorted(found.items())
    ]


def _scale(review: Review, asked: Criterion | None) -> tuple[str, ...]:
    """What could be said, best first: grades where the review has one, and its rubric is kept."""
    graded = "grade" in review.extra or "machine_grade" in review.extra
    return (*asked.grades(), "na") if graded and asked and asked.levels else LABELS


def _current(
    key: Key,
    by_text: Mapping[str, list[Pair]],
    criteria: Mapping[Key, Criterion],
    names: Mapping[str, tuple[str, str]],
) -> Question:
    """The question as the newest rubric text puts it, with the answers given to that very wording."""
    rubric, criterion = key
    *_, newest = by_text
    now = criteria.get((newest, criterion))
    same = [h for h in by_text if h == newest or (now and criteria.get((h, criterion)) == now)]
    return Question(
        rubric,
        criterion,
        pairs=[pair for h in same for pair in by_text[h]],
        versions=tuple(dict.fromkeys(names[h][1] for h in same if h in names)),
        outdated=sum(len(pairs) for h, pairs in by_text.items() if h not in same),
        title=now.question if now else criterion,
    )


def _quotes(store: Store, reviews: Sequence[Review]) -> dict[tuple[str, str, str], str]:
    """What the machine heard, or nearly heard, where a person disagrees."""
    disputed = list({r.call_id for r in reviews if r.machine_said != r.said})
    rows = store.query(
        "SELECT call_id, rubric_hash, criterion_id, quote FROM evidence "
        "WHERE call_id IN (SELECT unnest(?::VARCHAR[])) AND quote <> '' ORDER BY kind DESC, evidence DESC",
        [disputed],
    )
    return {(row["call_id"], row["rubric_hash"], row["criterion_id"]): row["quote"] for row in rows}
