"""A name that does not exist, answered with the one that was meant, or with those that exist."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel


def did_you_mean(name: str, known: Sequence[str]) -> str:
    """A hint: the nearest of the names that exist, else the first twenty of them."""
    close = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {close[0]!r}?" if close else f"known here: {', '.join(known[:20])}"


def keys_at(model: type[BaseModel], place: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a place of a document.

    Args:
        model: Of the whole document.
        place: As pydantic's errors name it (``loc``), with the ``kind`` of a model where several may stand.
    """
    here = [model]
    for step in place:
        if isinstance(step, int):  # of a list, whose items are as the field says
            continue
        if len(here) > 1:
            here = [one for one in here if get_args(one.model_fields["kind"].annotation) == (step,)]
        elif here and step in here[0].model_fields:
            here = _models(here[0].model_fields[step].annotation)
    return list(here[0].model_fields) if here else []


def _models(annotation: Any) -> list[type[BaseModel]]:
    """The models that a type is made of: ``tuple[A | B, ...] | None`` is of A and B."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for part in get_args(annotation) for model in _models(part)]
