"""YAML text to a checked ``Rubric``: every error at once, each with its line and what was expected.

The reader is safe against hostile files: plain data only, bounded in size, depth and aliases, and
with YAML 1.2's idea of booleans, so that ``yes``, ``no`` and ``on`` stay words.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import RubricError
from pipeline.known_names import did_you_mean, keys_at
from pipeline.rubric.checks import Place
from pipeline.rubric.model import Rubric
from pipeline.rubric.references import reference_faults

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 40


@dataclass(frozen=True)
class Fault:
    """One thing wrong with a rubric, where it is, and how to mend it."""

    line: int
    message: str
    hint: str = ""

    def text(self, source: str) -> str:
        """As people read it: ``file:line: message (hint)``."""
        return f"{source}:{self.line}: {self.message}" + (f" ({self.hint})" if self.hint else "")


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars: only true/false are booleans; dates and 12:30 are text."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 (PyYAML's own way of declaring them)


for _tag, _pattern, _first in (
    ("bool", r"^(?:true|True|TRUE|false|False|FALSE)$", "tTfF"),
    ("int", r"^[-+]?[0-9]+$", "-+0123456789"),
    ("float", r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$", "-+.0123456789"),
    ("null", r"^(?:~|null|Null|NULL|)$", ["~", "n", "N", ""]),
    ("merge", r"^(?:<<)$", "<"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(_pattern), list(_first))


def shipped() -> list[str]:
    """Names of the rubrics that come with callqa."""
    folder = resources.files("pipeline") / "rubrics"
    return sorted(f.name.removesuffix(".yaml") for f in folder.iterdir() if f.name.endswith(".yaml"))


def read_source(path_or_name: str) -> tuple[str, str]:
    """The YAML text of a file or a shipped rubric, and the place to name in messages.

    Raises:
        RubricError: No such file or shipped rubric, too large, or not UTF-8.
    """
    path = Path(path_or_name)
    bundled = resources.files("pipeline") / "rubrics"
    name = path_or_name.removesuffix(".yaml")
    if path.is_file():
        if path.stat().st_size > MAX_BYTES:
            raise RubricError(f"{path}: larger than {MAX_BYTES:,} bytes, which no rubric is")
        raw, source = path.read_bytes(), str(path)
    elif re.fullmatch(r"(examples/)?[a-z0-9_]+", name) and (bundled / f"{name}.yaml").is_file():
        raw, source = (bundled / f"{name}.yaml").read_bytes(), f"shipped:{name}"
    else:
        raise RubricError(
            f"no rubric {path_or_name!r}: neither a file nor a shipped rubric",
            hint=f"shipped rubrics: {', '.join(shipped())}",
        )
    try:
        return raw.decode("utf-8-sig"), source
    except UnicodeDecodeError as error:
        raise RubricError(f"{source}: not UTF-8 text: {error}", hint="save the file as UTF-8") from error


def load(path_or_name: str) -> Rubric:
    """Read and check a rubric.

    Args:
        path_or_name: A YAML file, or the name of a shipped rubric (``support``).

    Raises:
        RubricError: With every fault, each with file and line, what was expected and a hint.
    """
    text, source = read_source(path_or_name)
    return parse(text, source)


def parse(text: str, source: str = "rubric") -> Rubric:
    """Check the YAML text of a rubric; see ``load``."""
    data, lines = read_yaml(text, source)
    if not isinstance(data, dict):
        raise RubricError(
            f"{source}:1: expected a mapping with rubric, mode and sections",
            hint="callqa rubric new writes a template",
        )
    try:
        rubric = Rubric.model_validate(data)
    except ValidationError as error:
        errors = [item for item in error.errors(include_url=False) if not _echo(item, data)]
        faults = [_fault(item, data, lines) for item in errors]
        raise _refusal(faults + _references(_sound(data, errors), lines), source) from error
    found = _references(rubric, lines)
    if found:
        raise _refusal(found, source)
    return rubric.with_origin(text, source)


def _references(rubric: Rubric | None, lines: dict[Place, int]) -> list[Fault]:
    """What the parts of a rubric say wrongly about one another."""
    found = reference_faults(rubric) if rubric is not None else ()
    return [Fault(_line(path, lines), message, hint) for path, message, hint in found]


def _sound(data: Any, errors: list[Any]) -> Rubric | None:
    """The rubric without its faulty parts, so that the rest can be checked too, if that can be."""
    places = [_place(item["loc"], data) for item in errors]
    for mend in (_without, _with_stand_ins):
        mended = copy.deepcopy(data)
        mend(mended, places)
        with contextlib.suppress(ValidationError):
            return Rubric.model_validate({"rubric": "faulty", "mode": "points", **mended})
    return None


def _without(data: Any, places: list[Place]) -> None:
    """Leave out the faulty values alone."""
    for place in sorted(places, key=len, reverse=True):
        here = data
        for step in place[:-1]:
            here = here[step]
        if place and isinstance(here, dict):
            here.pop(place[-1], None)


def _with_stand_ins(data: Any, places: list[Place]) -> None:
    """Something plain in the place of every criterion and test in which there is a fault."""
    for place in places:
        match place:
            case ("sections", int(s), "criteria", int(c), *part):
                faulty = data["sections"][s]["criteria"][c]
                name = str(faulty.get("id")) if isinstance(faulty, dict) else ""
                name = name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) else f"faulty_{s}_{c}"
                stand_in = {"id": name, "question": "?", "check": {"kind": "manual"}}
                if isinstance(faulty, dict) and "when" in faulty and part[:1] != ["when"]:
                    stand_in["when"] = faulty["when"]  # may name a criterion there is not
                data["sections"][s]["criteria"][c] = stand_in
            case ("sections", int(s), str(key), *_):
                data["sections"][s].pop(key, None)
            case ("sections", int()):
                pass  # a key is missing
            case ("tests", int(t), *_):
                data["tests"][t] = {"name": "?", "turns": [{"agent": "?"}]}
            case (str(key), *_):
                data.pop(key, None)
    for at, section in enumerate(data.get("sections") or ()):
        if isinstance(section, dict):
            section.setdefault("id", f"faulty_{at}")


def _refusal(faults: list[Fault], source: str) -> RubricError:
    unique = sorted(set(faults), key=lambda f: (f.line, f.message))
    listed = "\n".join(f.text(source) for f in unique)
    count = "1 error" if len(unique) == 1 else f"{len(unique)} errors"
    return RubricError(f"{source}: {count}\n{listed}", hint="docs/rubrics.md describes every key")


def read_yaml(text: str, source: str = "rubric") -> tuple[Any, dict[Place, int]]:
    """Plain data of a rubric's YAML, and the line each part of it begins on, from 1."""
    loader = _Loader(text[: MAX_BYTES + 1])
    try:
        if len(text) > MAX_BYTES:
            raise RubricError(f"{source}: larger than {MAX_BYTES:,} characters, which no rubric is")
        node = loader.get_single_node()
        lines: dict[Place, int] = {}
        if node is not None:
            for count, (path, line) in enumerate(_walk(node, ())):
                if count > MAX_NODES:
                    raise RubricError(f"{source}: aliases expand to more than {MAX_NODES:,} values")
                lines[path] = line
        return (loader.construct_document(node) if node is not None else None), lines
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise RubricError(
            f"{source}:{line}: not valid YAML: {error.problem or error.context}",
            hint="check indentation, colons and quotes on that line",
        ) from error
    except RecursionError as error:
        raise RubricError(f"{source}: nested too deeply: at most {MAX_DEPTH} levels") from error
    except (yaml.YAMLError, ValueError) as error:
        raise RubricError(f"{source}: not valid YAML: {str(error).splitlines()[0]}") from error
    finally:
        loader.dispose()


def _walk(node: yaml.Node, path: Place) -> Iterator[tuple[Place, int]]:
    """Every node with its place, aliases expanded; refuses repeated keys and bottomless nesting."""
    if len(path) > MAX_DEPTH:
        raise yaml.MarkedYAMLError(
            problem="nested too deeply, or an alias that contains itself", problem_mark=node.start_mark
        )
    yield path, node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield from _walk(item, (*path, at))
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {name!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(name)
            for where, line in _walk(value, (*path, name)):
                yield where, key.start_mark.line + 1 if where == (*path, name) else line


def _line(path: Place, lines: dict[Place, int]) -> int:
    """Line of the innermost part of ``path`` that is in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _place(loc: tuple[str | int, ...], data: Any) -> Place:
    """The part of a pydantic location that is in the file; names of union members are not."""
    path: list[str | int] = []
    here, tag = data, None
    for step in loc:
        if step == tag:  # the kind of a check, which may also be the name of one of its keys
            tag = None
            continue
        listed = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if listed or (isinstance(here, dict) and step in here):
            path.append(step)
            here = here[step]
            tag = here.get("kind") if isinstance(here, dict) else None
    return tuple(path)


def _echo(item: Any, data: Any) -> bool:
    """A list "too short" only because what it holds was refused; a faulty mapping that is "no boolean"."""
    here = data
    for step in _place(item["loc"], data):
        here = here[step]
    if item["type"] == "bool_type":
        return isinstance(here, dict)
    return item["type"] == "too_short" and isinstance(here, list) and bool(here)


def _fault(item: Any, data: Any, lines: dict[Place, int]) -> Fault:
    """One pydantic error as a sentence with a line."""
    path = _place(item["loc"], data)
    where = ".".join(map(str, path)) or "rubric"
    line = _line(path, lines)
    match item["type"]:
        case "extra_forbidden":
            name = str(path[-1])
            hint = did_you_mean(name, keys_at(Rubric, item["loc"][:-1]))
            return Fault(line, f"{where}: unknown key {name!r}", hint)
        case "missing":
            return Fault(line, f"{where}: the key {item['loc'][-1]!r} is missing")
        case "union_tag_not_found":
            hint = "one of phrases, regex, metric, … (docs/rubrics.md)"
            return Fault(line, f"{where}: the key 'kind' is missing", hint)
        case "union_tag_invalid":
            tag, known = item["ctx"]["tag"], re.findall(r"'([^']+)'", item["ctx"]["expected_tags"])
            return Fault(line, f"{where}: unknown kind of check {tag!r}", did_you_mean(tag, known))
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool) and len(str(given)) < 60 else ""
    return Fault(line, f"{where}: {message[0].lower()}{message[1:]}{shown}")
