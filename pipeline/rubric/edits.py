"""Changes thresholds and phrases in a rubric's YAML and leaves all other lines as the author wrote them."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Mapping, Sequence
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

    @property
    def by_key(self) -> dict[str, Any]:
        """The changes by key of the check in YAML."""
        added = {"any": self.phrases, "unless": self.unless}
        changes = {"threshold": self.threshold, "unsure": self.unsure, **added}
        return {key: value for key, value in changes.items() if value not in (None, ())}


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
    check = learning(next(c.check for c in rubric.criteria() if c.id == name))
    return all(
        {*value} <= {*getattr(check, key)} if isinstance(value, tuple) else value == getattr(check, key)
        for key, value in change.by_key.items()
    )


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
    for key, value in reversed(change.by_key.items()):
        is_list = isinstance(value, tuple)
        quoted = [json.dumps(phrase, ensure_ascii=False) for phrase in value] if is_list else []
        written_here = (*at, key) in lines  # and not in another place of the file, by a YAML merge
        if is_list and check.get(key) and not written_here:
            raise _CannotEditError
        if not (check.get(key) and written_here):
            written = f"[{', '.join(quoted)}]" if is_list else f"{value:g}"
            rows[kind] += f"{indent}{key}: {written}\n"
        elif is_list:
            last = lines[*at, key, len(check[key]) - 1] - 1
            rows[last] = _with_phrases(rows[last], quoted)
        else:
            row = lines[*at, key] - 1
            rows[row] = re.sub(rf"({key}:\s*)[\d.]+", rf"\g<1>{value:g}", rows[row])
    return "".join(rows)


def _with_phrases(row: str, quoted: Sequence[str]) -> str:
    """The last row of a list with phrases after it, each on a row of its own if this one is."""
    item = re.match(r"(\s*- )", row)
    if item:
        return row + "".join(f"{item.group(1)}{phrase}\n" for phrase in quoted)
    end = row.rfind("]")
    if end < 0:
        raise _CannotEditError
    return f"{row[:end]}, {', '.join(quoted)}{row[end:]}"


def _in_words(change: Change) -> str:
    return "; ".join(
        f"add to {key}: {', '.join(value)}" if isinstance(value, tuple) else f"{key}: {value:g}"
        for key, value in change.by_key.items()
    )
