"""Changes to a rubric's YAML that leave the author's lines as they are: bounds and phrases in their place."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RubricError
from pipeline.rubric.checks import Place
from pipeline.rubric.load import parse, read_yaml
from pipeline.rubric.model import Rubric


@dataclass(frozen=True)
class Change:
    """What to put into the check of a criterion."""

    threshold: float | None = None
    unsure: float | None = None
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


def edited(rubric: Rubric, changes: Mapping[str, Change]) -> tuple[str, list[str]]:
    """The rubric's text with changes by criterion, and those that must be made by hand, in sentences.

    A change is left to be made by hand where the check is on one line, or the result would be no rubric.
    """
    text, left = rubric.text, []
    for name, change in changes.items():
        try:
            tried = _edited(text, name, change)
            if not _holds(parse(tried, rubric.source), name, change):
                raise _CannotEditError
            text = tried
        except (RubricError, _CannotEditError):
            left.append(f"{name}: by hand: {_by_hand(change)}")
    return text, left


def diff(before: str, after: str, name: str) -> str:
    """A unified diff of two texts."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (tuned)"
    )
    return "".join(lines)


class _CannotEditError(Exception):
    """The check is not written in a way that can be changed line by line."""


def _holds(rubric: Rubric, name: str, change: Change) -> bool:
    """Whether a rubric has a change, and not in a comment."""
    check: Any = next(c.check for c in rubric.criteria() if c.id == name)
    bounds = all(
        value is None or value == getattr(check, key)
        for key, value in (("threshold", change.threshold), ("unsure", change.unsure))
    )
    return bounds and {*change.phrases} <= {*check.any} and {*change.unless} <= {*check.unless}


def _edited(text: str, name: str, change: Change) -> str:
    data, lines = read_yaml(text)
    at = next(
        ("sections", s, "criteria", c, "check")
        for s, section in enumerate(data["sections"])
        for c, criterion in enumerate(section["criteria"])
        if criterion.get("id") == name
    )
    check: Any = data
    for step in at:
        check = check[step]
    rows = text.splitlines(keepends=True)
    kind = lines[*at, "kind"] - 1
    if not re.match(r"\s*(?:- )?kind:", rows[kind]):
        raise _CannotEditError
    indent = " " * rows[kind].index("kind:")
    for key, phrases in (("unless", change.unless), ("any", change.phrases)):
        _add_phrases(rows, check.get(key), (*at, key), phrases, lines, kind, indent)
    for key, bound in (("unsure", change.unsure), ("threshold", change.threshold)):
        if bound is not None:
            if (*at, key) in lines:
                row = lines[*at, key] - 1
                rows[row] = re.sub(rf"({key}:\s*)[\d.]+", rf"\g<1>{bound:g}", rows[row])
            else:
                rows[kind] += f"{indent}{key}: {bound:g}\n"
    return "".join(rows)


def _add_phrases(
    rows: list[str],
    have: Any,
    at: Place,
    phrases: tuple[str, ...],
    lines: dict[Place, int],
    kind: int,
    indent: str,
) -> None:
    """Phrases at the end of a list, on lines of their own where the others are."""
    if not phrases:
        return
    quoted = [json.dumps(phrase, ensure_ascii=False) for phrase in phrases]
    if not have:
        rows[kind] += f"{indent}{at[-1]}: [{', '.join(quoted)}]\n"
        return
    last = lines[*at, len(have) - 1] - 1
    item = re.match(r"(\s*- )", rows[last])
    if item:
        rows[last] += "".join(f"{item.group(1)}{phrase}\n" for phrase in quoted)
        return
    end = rows[last].rfind("]")
    if end < 0:
        raise _CannotEditError
    rows[last] = f"{rows[last][:end]}, {', '.join(quoted)}{rows[last][end:]}"


def _by_hand(change: Change) -> str:
    told = [
        f"{key}: {value:g}" for key in ("threshold", "unsure") if (value := getattr(change, key)) is not None
    ]
    told += [
        f"add to {key}: {', '.join(more)}"
        for key, more in (("any", change.phrases), ("unless", change.unless))
        if more
    ]
    return "; ".join(told)
