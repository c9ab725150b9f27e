"""What exports show: each call with its conversation and scorecards, and the rubrics' words for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Finding, Scorecard
from pipeline.rubric import Criterion


@dataclass(frozen=True, slots=True)
class ExportedCall:
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
