"""Read from the store what exports need: each call with its conversation and scorecards."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Finding, Scorecard
from pipeline.rubric import Criterion
from pipeline.store import CallFilter, Store


@dataclass(frozen=True, slots=True)
class Call:
    """One call as exports see it, with the latest scorecard per rubric.

    ``recording`` is the audio file as it was received; it may no longer exist.
    """

    metadata: CallMetadata
    conversation: Conversation
    scorecards: tuple[Scorecard, ...] = ()
    recording: Path | None = None


@dataclass(frozen=True, slots=True)
class CriterionText:
    """The words a rubric has for one criterion; ``asked`` is None where the rubric's text is not stored."""

    title: str
    description: str = ""
    section: str = ""
    asked: Criterion | None = None

    @property
    def grades(self) -> tuple[str, ...]:
        """The grades of a graded scale, best first; empty for yes and no."""
        return tuple(self.asked.grades()) if self.asked else ()

    def grade(self, points: float | None) -> str:
        """The grade that earned these points."""
        return self.asked.grade(points) if self.asked else ""


Texts = Mapping[tuple[str, str], CriterionText]
"""The words for each criterion, by rubric hash and criterion id."""


def words_of(texts: Texts, rubric_hash: str, criterion: str) -> CriterionText:
    """The rubric's words for a criterion; only its id where the rubric's text is not stored."""
    return texts.get((rubric_hash, criterion)) or CriterionText(criterion)


def answers_of(card: Scorecard) -> list[tuple[str, CriterionAnswer]]:
    """Every answer of a scorecard with the id of its section, in the rubric's order."""
    return [(section.id, answer) for section in card.sections for answer in section.criteria]


def with_words(finding: Finding, change: Callable[[str], str]) -> Finding:
    """The finding with ``change`` applied to all spoken words in it: text, value, and a promise's label."""
    value = change(finding.value) if isinstance(finding.value, str) else finding.value
    label = change(finding.label) if finding.kind == "promise" else finding.label
    return replace(finding, text=change(finding.text), value=value, label=label)


WINDOW = 200


def read_calls(
    store: Store, filters: CallFilter, progress: Callable[[int, int], None] | None = None
) -> Iterator[Call]:
    """Read the matching calls in the order they happened, ``WINDOW`` calls at a time.

    Scorecards are those the filter asks for: the newest of each rubric, or of one rubric. ``progress`` is
    called before each call and at the end, with how many are done and how many there are.
    """
    where, bound = filters.where()
    rows = store.query(
        f"SELECT call_id, path FROM calls WHERE {where} ORDER BY started_at NULLS LAST, call_id",  # noqa: S608
        bound,
    )
    for start in range(0, len(rows), WINDOW):
        paths = {row["call_id"]: row["path"] for row in rows[start : start + WINDOW]}
        window = CallFilter(call_ids=tuple(paths))  # these calls already meet the other conditions
        cards: dict[str, list[Scorecard]] = defaultdict(list)
        for card in store.scorecards(replace(window, rubric=filters.rubric, outcome=filters.outcome)):
            cards[card.call_id].append(card)
        stored = {metadata.call_id: (metadata, words) for metadata, words in store.conversations(window)}
        for done, (call_id, path) in enumerate(paths.items(), start):
            if progress:
                progress(done, len(rows))
            yield Call(*stored[call_id], tuple(cards[call_id]), Path(path) if path else None)
    if progress:
        progress(len(rows), len(rows))


def read_texts(store: Store) -> Texts:
    """The words for every criterion of every rubric in the store."""
    rows = store.query("SELECT * FROM criteria")
    criteria = {
        (rubric_hash, criterion.id): criterion
        for rubric_hash, rubric in store.rubrics({row["rubric_hash"] for row in rows}).items()
        for criterion in rubric.criteria()
    }
    texts = {}
    for row in rows:
        key = (row["rubric_hash"], row["criterion_id"])
        title, description = row["question"] or row["criterion_id"], row["guidance"] or ""
        texts[key] = CriterionText(title, description, row["section_title"] or "", criteria.get(key))
    return texts
