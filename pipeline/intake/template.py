"""File-name templates such as ``{date:%Y%m%d}-{time:%H%M%S}_{agent}_{customer}_{direction}.wav``.

A template matches a name in one way only, or not at all: the value of a token never contains the separators
beside it, and two values of variable length are never adjacent.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.intake import metadata, times
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import bare_name

FIELDS = {"agent": "agent_id", "customer": "customer_ref"} | {
    name: name
    for name in ("agent_name", "call_id", "client", "direction", "language", "queue", "site", "team")
}
"""Field of ``CallMetadata`` by token. ``{extra.NAME}`` keeps any other value, ``{_}`` ignores one."""
_TIME_FORMATS = {"date": "%Y%m%d", "time": "%H%M%S", "datetime": "%Y%m%d%H%M%S"}
_DIRECTIVES = {
    "Y": r"\d{4}", "y": r"\d{2}", "m": r"\d{2}", "d": r"\d{2}", "j": r"\d{3}", "H": r"\d{2}", "I": r"\d{2}",
    "M": r"\d{2}", "S": r"\d{2}", "p": r"[AaPp][Mm]", "b": r"[A-Za-z]{3}", "z": r"[+-]\d{4}", "%": "%",
}  # fmt: skip
_EPOCH = r"\d{10}(?:\.\d{1,18})?|\d{13}"
"""Seconds, with or without the counter that Asterisk's unique ids have after the dot; or milliseconds."""
_TOKEN = re.compile(r"\{([a-z_]+(?:\.[a-z0-9_]+)?)(?::([^{}]*))?\}")


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template.

    Attributes:
        pattern: Matches the end of a path; has one group per token.
        tokens: Names of the tokens in the order of the groups.
        time_format: strptime format of the date and time tokens joined by a space; "" without such tokens.
        depth: Number of parts of the path that the template covers.
    """

    pattern: re.Pattern[str]
    tokens: tuple[str, ...]
    time_format: str
    depth: int

    def match(self, path: Path) -> dict[str, str] | None:
        """The values by token; None when the name does not fit."""
        match = self.pattern.fullmatch("/".join((*path.parts[-self.depth : -1], bare_name(path.name))))
        return None if match is None else dict(zip(self.tokens, match.groups(), strict=True))


def facts(given: Mapping[str, str], time_format: str, zone_name: str) -> Facts:
    """The facts in a name that matched, from the values by token, of which ``doubt`` is a warning.

    Raises:
        ValueError: A value is not valid for its token, so the name has another form.
    """
    values: dict[str, object] = {
        field: metadata.check(field, given[token], zone_name)
        for token, field in FIELDS.items()
        if token in given
    }
    extra = {t.removeprefix("extra."): v for t, v in given.items() if t.startswith("extra.")}
    warnings = [f"file name: {given['doubt']}"] if "doubt" in given else []
    local = _local(given, time_format, warnings)
    if local is not None and "date" in given and "time" not in given:
        extra["date"] = local.date().isoformat()  # without a time of day, midnight would be a guess
        local = None
    doubt = ""
    try:
        if "epoch" in given:
            started, doubt = times.start_of(local, times.from_epoch(given["epoch"]), zone_name)
            values |= started
            warnings += [f"file name: {doubt}"] if doubt else []
        elif local is not None:
            values["started_at"] = times.attach(local, zone_name)
    except times.AmbiguousTime as error:
        warnings.append(f"file name: started_at left out: {error}")
    basis: times.Basis = "epoch" if "epoch" in given else "local"
    return Facts("file name", values, extra, tuple(warnings), basis, clock_conflict=bool(doubt))


def _local(given: Mapping[str, str], time_format: str, warnings: list[str]) -> dt.datetime | None:
    """The local time in a name. An invalid one only adds a warning when the name also has an epoch number.

    Raises:
        ValueError: The time is invalid, and the name has no epoch number.
    """
    stated = [given[token] for token in ("datetime", "date", "time") if token in given]
    try:
        return dt.datetime.strptime(" ".join(stated), time_format) if stated else None  # noqa: DTZ007 - zone next
    except ValueError:
        if "epoch" not in given:
            raise
        warnings.append("file name: its date and time are not valid; the epoch number is used")
        return None


def compile_template(text: str) -> Template:
    """Check and compile a template.

    Raises:
        UsageError: The template could match a name in two ways, or has an unknown token or format.
    """
    body = bare_name(text)
    pieces = _TOKEN.split(body)  # literal, token, spec, literal, token, spec, …, literal
    literals, tokens, specs = pieces[::3], pieces[1::3], pieces[2::3]
    if any(set("{}") & set(literal) for literal in literals):
        raise _bad(text, "has a brace that belongs to no token")
    if not tokens:
        raise _bad(text, "has no token")
    named = [t for t in tokens if t != "_"]
    if len(set(named)) < len(named):
        raise _bad(text, "names a token twice")
    pattern, formats = "", {}
    for at, token in enumerate(tokens):
        before, after = literals[at], literals[at + 1]
        fixed = _known_pattern(text, token, specs[at])
        if not after and at + 1 < len(tokens) and token not in _TIME_FORMATS:
            raise _bad(text, f"has nothing between {{{token}}} and the token after it")
        pattern += re.escape(before) + f"({fixed or _open_pattern(before, after)})"
        if token in _TIME_FORMATS:
            formats[token] = specs[at] or _TIME_FORMATS[token]
    pattern += re.escape(literals[-1])
    if "datetime" in formats and len(formats) > 1:
        raise _bad(text, "has {datetime} beside {date} or {time}")
    joined = " ".join(formats[t] for t in ("datetime", "date", "time") if t in formats)
    if formats and not {"Y", "y"} & set(re.findall("%(.)", joined)):
        raise _bad(text, "has a time without a year")
    return Template(re.compile(pattern, re.ASCII), tuple(tokens), joined, body.count("/") + 1)


def _known_pattern(text: str, token: str, spec: str | None) -> str | None:
    """The pattern of a token whose form is known; None for a token of variable length."""
    if token == "epoch":  # noqa: S105 - a token of a template
        return _EPOCH
    if token in _TIME_FORMATS:
        return _time_pattern(text, spec or _TIME_FORMATS[token])
    if spec is not None:
        raise _bad(text, f"{{{token}}} takes no format; only {', '.join(_TIME_FORMATS)} do")
    if token not in FIELDS and token != "_" and not token.startswith("extra."):  # noqa: S105
        known = ", ".join(sorted([*FIELDS, *_TIME_FORMATS, "epoch"]))
        raise _bad(text, f"has the unknown token {{{token}}}; known are {known}, extra.NAME and _")
    return None


def _time_pattern(text: str, time_format: str) -> str:
    parts = re.split(r"%(.)", time_format)  # literal, directive, literal, …
    try:
        return "".join(_DIRECTIVES[part] if at % 2 else re.escape(part) for at, part in enumerate(parts))
    except KeyError as unknown:
        known = ", ".join(f"%{directive}" for directive in _DIRECTIVES)
        raise _bad(text, f"has the time directive %{unknown.args[0]}; known are {known}") from None


def _open_pattern(before: str, after: str) -> str:
    """The pattern of a value between two literals; it contains neither, so it ends at the first ``after``."""
    stops = "|".join(re.escape(literal) for literal in (before, after) if literal)
    return f"(?:(?!{stops})[^/])+" if stops else "[^/]+"


def _bad(text: str, what: str) -> UsageError:
    return UsageError(
        f"the file-name template {text!r} {what}",
        hint="e.g. {date:%Y%m%d}-{time:%H%M%S}_{agent}_{customer}_{direction}.wav",
    )
