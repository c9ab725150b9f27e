"""The description of one transcript format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pipeline.conversation import Turn
from pipeline.intake.pieces import Json


def _nothing(document: Json) -> Mapping[str, object]:
    return {}


@dataclass(frozen=True, slots=True)
class Form:
    """One transcript format; the functions take the JSON object that holds the transcript.

    Attributes:
        name: Name of the tool that writes it, for people.
        fits: Returns whether a JSON object is in this format.
        turns: Returns its turns in any order, not numbered; turns without text are ignored.
        about: Returns metadata of the call by the names of ``CallMetadata``, and ``duration_s``, ``channels``
            and ``model`` of the transcript.
    """

    name: str
    fits: Callable[[Json], bool]
    turns: Callable[[Json], Iterable[Turn]]
    about: Callable[[Json], Mapping[str, object]] = _nothing
