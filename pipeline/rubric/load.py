"""Makes a checked ``Rubric`` of YAML text; reports all errors at once, with lines and what was expected.

Hostile files are safe to read: only plain data is accepted, and size, depth and aliases are limited. Booleans
are those of YAML 1.2, so that ``yes``, ``no`` and ``on`` stay words.
"""

from __future__ import annotations

import contextlib
import copy
import re
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from pipeline.errors import RubricError
from pipeline.known_names import did_you_mean, keys_at
from pipeline.rubric.checks import Place
from pipeline.rubric.model import Rubric
from pipeline.rubric.references import RubricFault, reference_faults

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 40


class _Loader(yaml.SafeLoader):
    """SafeLoader with YAML 1.2 scalars: only true/false are booleans; dates and 12:30 are text."""

    yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 (PyYAML wants a class variable)


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
    """The YAML text of a file or a shipped rubric, and its name for messages.

    Raises:
        RubricError: There is no such file or shipped rubric, or it is too large or not UTF-8.
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
        RubricError: The rubric has errors; the message has them all, with file, line and a hint.
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
        errors = [item for item in error.errors(include_url=False) if not _is_consequence(item, data)]
        repaired = _repaired(data, errors)
        further = reference_faults(repaired) if repaired is not None else ()
        raise _refusal([*(_problem(item, data) for item in errors), *further], lines, source) from error
    problems = list(reference_faults(rubric))
    if problems:
        raise _refusal(problems, lines, source)
    return rubric.with_origin(text, source)


def _repaired(data: Any, errors: list[Any]) -> Rubric | None:
    """The rubric without its faulty parts, to check the references of the rest; None if it stays invalid."""
    places = [_place(item["loc"], data) for item in errors]
    for repair in (_remove, _replace):
        repaired = copy.deepcopy(data)
        repair(repaired, places)
        with contextlib.suppress(ValidationError):
            return Rubric.model_validate({"rubric": "faulty", "mode": "points", **repaired})
    return None


def _remove(data: Any, places: list[Place]) -> None:
    """Remove only the faulty values."""
    for place in sorted(places, key=len, reverse=True):
        here = data
        for step in place[:-1]:
            here = here[step]
        if place and isinstance(here, dict):
            here.pop(place[-1], None)


def _replace(data: Any, places: list[Place]) -> None:
    """Replace every criterion and test that has a fault with a minimal valid one."""
    for place in places:
        match place:
            case ("sections", int(s), "criteria", int(c), *part):
                faulty = data["sections"][s]["criteria"][c]
                name = str(faulty.get("id")) if isinstance(faulty, dict) else ""
                name = name if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", name) else f"faulty_{s}_{c}"
                minimal = {"id": name, "question": "?", "check": {"kind": "manual"}}
                if isinstance(faulty, dict) and "when" in faulty and part[:1] != ["when"]:
                    minimal["when"] = faulty["when"]  # its references are to be checked
                data["sections"][s]["criteria"][c] = minimal
            case ("sections", int(s), str(key), *_):
                data["sections"][s].pop(key, None)
            case ("sections", int()):
                pass  # a key is missing; an id is added below
            case ("tests", int(t), *_):
                data["tests"][t] = {"name": "?", "turns": [{"agent": "?"}]}
            case (str(key), *_):
                data.pop(key, None)
    for at, section in enumerate(data.get("sections") or ()):
        if isinstance(section, dict):
            section.setdefault("id", f"faulty_{at}")


def _refusal(problems: list[RubricFault], lines: dict[Place, int], source: str) -> RubricError:
    unique = sorted({(_line(place, lines), message, hint) for place, message, hint in problems})
    listed = "\n".join(f"{source}:{line}: {message}{hint and f' ({hint})'}" for line, message, hint in unique)
    count = "1 error" if len(unique) == 1 else f"{len(unique)} errors"
    return RubricError(f"{source}: {count}\n{listed}", hint="docs/rubrics.md describes every key")


def read_yaml(text: str, source: str = "rubric") -> tuple[Any, dict[Place, int]]:
    """The plain data of a rubric's YAML, and the line, from 1, on which each part of it begins.

    Raises:
        RubricError: The YAML is not valid, too large, too deeply nested, or repeats a key.
    """
    try:
        loader = _Loader(text[: MAX_BYTES + 1])
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        why = f"not valid YAML: {str(error).splitlines()[0]}"
        raise RubricError(f"{source}:{line}: {why}", hint="delete that character") from error
    try:
        if len(text) > MAX_BYTES:
            raise RubricError(f"{source}: larger than {MAX_BYTES:,} characters, which no rubric is")
        node = loader.get_single_node()
        lines: dict[Place, int] = {}
        if node is not None:
            for count, (path, line) in enumerate(_walk(node, (), node.start_mark)):
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


def _walk(node: yaml.Node, path: Place, begins: yaml.Mark) -> Iterator[tuple[Place, int]]:
    """Every node's place and line, aliases expanded; refuses repeated keys and too deep nesting."""
    if len(path) > MAX_DEPTH:
        raise yaml.MarkedYAMLError(
            problem="nested too deeply, or an alias that contains itself", problem_mark=node.start_mark
        )
    yield path, begins.line + 1
    if isinstance(node, yaml.SequenceNode):
        for at, item in enumerate(node.value):
            yield from _walk(item, (*path, at), item.start_mark)
    elif isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            name = str(key.value)
            if name in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {name!r} is given twice", problem_mark=key.start_mark
                )
            seen.add(name)
            yield from _walk(value, (*path, name), key.start_mark)


def _line(path: Place, lines: dict[Place, int]) -> int:
    """Line of ``path``, or of the innermost part around it that is in the file."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _place(loc: tuple[str | int, ...], data: Any) -> Place:
    """A pydantic location as a place in the file, without the names of union members."""
    path: list[str | int] = []
    here, tag = data, None
    for step in loc:
        if step == tag:  # the kind of a check names a union member, even if the check has such a key
            tag = None
            continue
        listed = isinstance(here, list) and isinstance(step, int) and step < len(here)
        if listed or (isinstance(here, dict) and step in here):
            path.append(step)
            here = here[step]
            tag = here.get("kind") if isinstance(here, dict) else None
    return tuple(path)


def _is_consequence(item: Any, data: Any) -> bool:
    """Whether an error follows from another: a list without its refused items, a mapping for a boolean."""
    here = data
    for step in _place(item["loc"], data):
        here = here[step]
    if item["type"] == "bool_type":
        return isinstance(here, dict)
    return item["type"] == "too_short" and isinstance(here, list) and bool(here)


def _problem(item: Any, data: Any) -> RubricFault:
    """A pydantic error as a sentence."""
    path = _place(item["loc"], data)
    where = ".".join(map(str, path)) or "rubric"
    match item["type"]:
        case "extra_forbidden":
            name = str(path[-1])
            hint = did_you_mean(name, keys_at(Rubric, item["loc"][:-1]))
            return path, f"{where}: unknown key {name!r}", hint
        case "missing":
            return path, f"{where}: the key {item['loc'][-1]!r} is missing", ""
        case "union_tag_not_found":
            hint = "one of phrases, regex, metric, … (docs/rubrics.md)"
            return path, f"{where}: the key 'kind' is missing", hint
        case "union_tag_invalid":
            tag, known = item["ctx"]["tag"], re.findall(r"'([^']+)'", item["ctx"]["expected_tags"])
            return path, f"{where}: unknown kind of check {tag!r}", did_you_mean(tag, known)
    message = item["msg"].removeprefix("Value error, ")
    given = item["input"]
    shown = f", got {given!r}" if isinstance(given, str | int | float | bool) and len(str(given)) < 60 else ""
    return path, f"{where}: {message[0].lower()}{message[1:]}{shown}", ""
