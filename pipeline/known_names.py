"""Suggests the name that was probably meant when somebody wrote one that does not exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint with the most similar known name, else with the first twenty known names."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known[:20])}"


def keys_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys allowed at a place of a document.

    Args:
        model: The model of the whole document.
        place: The place as in pydantic's errors (``loc``), with the ``kind`` of a model among several.
    """
    here = [model]
    for step in place:
        if isinstance(step, int):  # an index of a list; ``here`` already holds the models of its items
            continue
        if len(here) > 1:
            here = [m for m in here if get_args(m.model_fields["kind"].annotation) == (step,)]
        elif here and step in here[0].model_fields:
            here = _models(here[0].model_fields[step].annotation)
    return list(here[0].model_fields) if here else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models in a type annotation: A and B in ``tuple[A | B, ...] | None``."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
