"""Changes thresholds and phrases in a rubric's YAML and leaves all other lines as the author wrote them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import RubricError
from pipeline.rubric.checks import AnyCheck, Place, learning
from pipeline.rubric.load import parse, read_yaml
from pipeline.rubric.model import Rubric


@dataclass(frozen=True)
class Change:
    """What to change in the check of a criterion: bounds to set, and phrases to add."""

    threshold: float | None = None
    unsure: float | None = None
    phrases: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()


def edited(rubric: Rubric, changes: Mapping[str, Change]) -> tuple[str, list[str]]:
    """The rubric's text after changes (by criterion id), and sentences about those to make by hand.

    The latter are changes of a check that is written on one line, or that would make the rubric invalid.
    """
    text, by_hand = rubric.text, []
    for name, change in changes.items():
        try:
            tried = _edited(text, name, change)
            if not _holds(parse(tried, rubric.source), name, change):
                raise _CannotEditError
            text = tried
        except (RubricError, _CannotEditError):
            by_hand.append(f"{name}: by hand: {_in_words(change)}")
    return text, by_hand


def diff(before: str, after: str, name: str) -> str:
    """A unified diff of two texts."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, f"{name} (tuned)"
    )
    return "".join(lines)


class _CannotEditError(Exception):
    """The check is not written in a way that can be changed line by line."""


def _holds(rubric: Rubric, name: str, change: Change) -> bool:
    """Whether a change is in effect in a rubric, rather than in a comment of its text."""
    check: Any = learning(next(c.check for c in rubric.criteria() if c.id == name))
    bounds = all(
        value is None or value == getattr(check, key)
        for key, value in (("threshold", change.threshold), ("unsure", change.unsure))
    )
    return bounds and {*change.phrases} <= {*check.any} and {*change.unless} <= {*check.unless}


def _edited(text: str, name: str, change: Change) -> str:
    data, lines = read_yaml(text)
    at: Place = next(
        ("sections", s, "criteria", c, "check")
        for s, section in enumerate(data["sections"])
        for c, criterion in enumerate(section["criteria"])
        if criterion.get("id") == name
    )
    check: Any = data
    for step in at:
        check = check[step]
    whole = next(c.check for c in parse(text).criteria() if c.id == name)
    if isinstance(whole, AnyCheck):
        number = next(i for i, part in enumerate(whole.checks) if part is learning(whole))
        at, check = (*at, "checks", number), check["checks"][number]
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
    """Append phrases to a list; each gets a line of its own if those in the list have one."""
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


def _in_words(change: Change) -> str:
    bounds = {"threshold": change.threshold, "unsure": change.unsure}
    added = {"any": change.phrases, "unless": change.unless}
    steps = [f"{key}: {value:g}" for key, value in bounds.items() if value is not None]
    steps += [f"add to {key}: {', '.join(phrases)}" for key, phrases in added.items() if phrases]
    return "; ".join(steps)
