"""What an export sees of the store: one ``Call`` with its words and its scorecards."""

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
    """One call as exports see it.

    Attributes:
        metadata: What the telephone system knows.
        conversation: The words, findings and metrics.
        scorecards: The latest scorecard per rubric.
        recording: The audio file as it was received; it need not exist any more.
    """

    metadata: CallMetadata
    conversation: Conversation
    scorecards: tuple[Scorecard, ...] = ()
    recording: Path | None = None


@dataclass(frozen=True, slots=True)
class CriterionText:
    """How a rubric puts one criterion to people; ``asked`` is the criterion where its text is known."""

    title: str
    description: str = ""
    section: str = ""
    asked: Criterion | None = None

    @property
    def grades(self) -> tuple[str, ...]:
        """What can be answered on a graded scale, best first; empty for yes and no."""
        return tuple(self.asked.grades()) if self.asked else ()

    def grade(self, points: float | None) -> str:
        """The grade that earned these points."""
        return self.asked.grade(points) if self.asked else ""


Texts = Mapping[tuple[str, str], CriterionText]
"""Rubric hash and criterion id to the words of that version of the rubric."""


def words_of(texts: Texts, rubric_hash: str, criterion: str) -> CriterionText:
    """How the rubric puts a criterion; its id where the rubric's text is not kept."""
    return texts.get((rubric_hash, criterion)) or CriterionText(criterion)


def answers_of(card: Scorecard) -> list[tuple[str, CriterionAnswer]]:
    """Every answer of a scorecard with the id of its section, in the rubric's order."""
    return [(section.id, answer) for section in card.sections for answer in section.criteria]


def with_words(finding: Finding, change: Callable[[str], str]) -> Finding:
    """A finding with another form of all that was said: its text, its value, and the label of a promise."""
    value = change(finding.value) if isinstance(finding.value, str) else finding.value
    label = change(finding.label) if finding.kind == "promise" else finding.label
    return replace(finding, text=change(finding.text), value=value, label=label)


WINDOW = 200


def read_calls(
    store: Store, filters: CallFilter, progress: Callable[[int, int], None] | None = None
) -> Iterator[Call]:
    """Matching calls in the order they happened, a window at a time.

    Scorecards are those the filter asks for: the newest of each rubric, or of one rubric.

    Args:
        store: Open for reading.
        filters: Which calls.
        progress: Told, before each call and at the end, how many of how many are done.
    """
    where, bound = filters.where()
    picked = store.query(
        f"SELECT call_id, path FROM calls WHERE {where} ORDER BY started_at NULLS LAST, call_id",  # noqa: S608
        bound,
    )
    for start in range(0, len(picked), WINDOW):
        paths = {row["call_id"]: row["path"] for row in picked[start : start + WINDOW]}
        window = CallFilter(call_ids=tuple(paths))  # the other conditions need not be asked again
        cards: dict[str, list[Scorecard]] = defaultdict(list)
        for card in store.scorecards(replace(window, rubric=filters.rubric, outcome=filters.outcome)):
            cards[card.call_id].append(card)
        found = {call[0].call_id: call for call in store.conversations(window)}
        for done, (call_id, path) in enumerate(paths.items(), start):
            if progress:
                progress(done, len(picked))
            yield Call(*found[call_id], tuple(cards[call_id]), Path(path) if path else None)
    if progress:
        progress(len(picked), len(picked))


def read_texts(store: Store) -> Texts:
    """The words of every criterion of every rubric the store keeps."""
    rows = store.query("SELECT * FROM criteria")
    asked = {
        (rubric_hash, criterion.id): criterion
        for rubric_hash, rubric in store.rubrics({row["rubric_hash"] for row in rows}).items()
        for criterion in rubric.criteria()
    }
    return {
        key: CriterionText(
            row["question"] or row["criterion_id"],
            row["guidance"] or "",
            row["section_title"] or "",
            asked.get(key),
        )
        for row in rows
        if (key := (row["rubric_hash"], row["criterion_id"]))
    }
