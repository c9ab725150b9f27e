"""What the package knows of one format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.intake.pieces import Json


def _nothing(document: Json) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Form:
    """One format.

    Attributes:
        name: Of the tool that writes it, for people.
        fits: Whether a JSON object is such a transcript.
        turns: Its turns in any order, not numbered; those without text are passed over.
        about: What it says of the call, by the names of ``CallMetadata``; of the transcript, ``duration_s``,
            ``channels`` and ``model``.
    """

    name: str
    fits: Callable[[Json], bool]
    turns: Callable[[Json], Iterable[Turn]]
    about: Callable[[Json], Mapping[str, object]] = _nothing
