"""What an export sees of the store: one ``Call`` with its scorecards, metrics and, if asked, its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pipeline.conversation import CallMetadata, Conversation, CriterionAnswer, Scorecard


@dataclass(frozen=True, slots=True)
class Call:
    """One call as exports see it.

    Attributes:
        metadata: What the telephone system knows.
        scorecards: The latest scorecard per rubric.
        metrics: Named as in ``pipeline.metrics``; None is unknown.
        duration_s: Length of the recording; None for text.
        conversation: The words and findings; None where the export asked for numbers only.
        recording: The audio file as it was received, when it still exists.
    """

    metadata: CallMetadata
    scorecards: tuple[Scorecard, ...] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    duration_s: float | None = None
    conversation: Conversation | None = None
    recording: Path | None = None


@dataclass(frozen=True, slots=True)
class CriterionText:
    """How a rubric puts one criterion to people."""

    title: str
    description: str = ""
    section: str = ""


Texts = Mapping[tuple[str, str], CriterionText]
"""Rubric hash and criterion id to the words of that version of the rubric."""


def answers_of(card: Scorecard) -> list[tuple[str, CriterionAnswer]]:
    """Every answer of a scorecard with the id of its section, in the rubric's order."""
    return [(section.id, answer) for section in card.sections for answer in section.criteria]
