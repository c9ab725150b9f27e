"""Merge facts about a call from several sources into its ``CallMetadata``.

A ``Facts`` holds what one source (manifest row, sidecar, CDR row, file name, settings) says. Sources are
merged in order of trust: where two disagree, the more trusted one wins and the ledger gets a warning.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, get_args

from pipeline.conversation import CallMetadata, Direction, Medium
from pipeline.intake import times
from pipeline.intake.times import Basis, Zones
from pipeline.text.language import code_of

_OTHER_NAMES = {
    "call_id": "callid contact_id interaction_id recording_id conversation_id sid",
    "client": "client_id tenant",
    "site": "location",
    "queue": "queue_name queue_names queue_id queue_ids queue_number campaign skill_group",
    "team": "agent_team",
    "agent_id": "agent agent_ids agent_username agent_code agent_number agent_extension agent_email user_id "
    "user_ids",
    "agent_name": "agent_full_name",
    "customer_ref": "customer_id customer customer_number customer_phone customer_phone_number "
    "customer_phone_no customer_telephone customer_mobile cust_phone client_phone contact_phone caller "
    "caller_id caller_number caller_phone caller_phone_number phone_number phone telephone mobile msisdn",
    "direction": "call_direction initial_direction initiation_method",
    "medium": "media_type",
    "started_at": "start_time start_timestamp start call_start call_start_time conversation_start "
    "start_date_time datetime date_time call_date_time calldate timestamp recorded_at initiation_timestamp "
    "call_date start_date date recording_date",
    "timezone": "time_zone tz",
    "language": "language_code lang",
    "agent_channel": "",
    "hold_spans": "",
}
ALIASES = {name: (name, *others.split()) for name, others in _OTHER_NAMES.items()}
"""Names of our fields in other systems, best first; columns with any other name go to ``extra``."""

_DATES = ("date", "call_date", "start_date", "recording_date")
_CLOCKS = ("time", "start_time", "call_time", "time_of_day")
_TIME_OF_DAY = re.compile(r"\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?", re.A)
_FIRST_OF_LIST = ("agent_id", "queue")
"""Fields that other systems may give as a list, e.g. when two agents handled a call; the first is used."""
_DIRECTIONS = {"in": "inbound", "incoming": "inbound", "out": "outbound", "outgoing": "outbound"}
_DIRECTIONS |= {"outbound-api": "outbound", "outbound-dial": "outbound", "int": "internal"}
_MEDIA = {"call": "voice", "phone": "voice", "audio": "voice", "message": "chat", "e-mail": "email"}
_CHANNELS = {"left": 0, "right": 1, "l": 0, "r": 1}
_PRIVATE_FIELDS = frozenset({"customer_ref", "agent_name"})
_MAX_EXTRA, _MAX_CHARS, _MAX_ID_CHARS = 64, 500, 128
_SAME_START_S = 120.0
"""Starts from two sources that differ by no more than this do not conflict: their clocks may differ."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What one source says about a call.

    Attributes:
        source: The name of the source in warnings, e.g. ``manifest.csv row 3``.
        values: Checked values by field of ``CallMetadata``, only of fields that the source has.
        extra: Anything else the source says, by column.
        warnings: Sentences about values that could not be understood.
        basis: The kind of time that ``started_at`` was read from.
        clock_conflict: Whether the local time of the source contradicts its own epoch number.
        misfit: Whether the source is a file name that does not fit its template.
    """

    source: str
    values: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    basis: Basis = "offset"
    clock_conflict: bool = False
    misfit: bool = False


def read(record: Mapping[str, object], *, source: str, zones: Zones) -> Facts:
    """Read one record of strings, JSON scalars and lists of them, by column or key.

    Case, spaces and camel case in names do not matter. ``zones`` are for times without one, in a record that
    does not state its own; ``source`` is for warnings.
    """
    fields = [(field_name(name), value) for name, value in _flat(record)]
    given = {name: text for name, value in fields if name and (text := _to_text(value))}
    values: dict[str, Any] = {}
    warnings: list[str] = []
    used: set[str] = set()
    if not any(name in given for name in ALIASES["timezone"]):
        site = next((given[name] for name in ALIASES["site"] if name in given), "")
        zone_name = zones.by_site.get(site.casefold())
        given |= {"timezone": zone_name} if zone_name else {}
    own_zone = next((given[name] for name in ALIASES["timezone"] if name in given), zones.place)
    _join_date_and_time(given)
    lists = {name: texts for name, value in fields if len(texts := _list_texts(value)) > 1}
    basis: Basis = "offset"
    for name, aliases in ALIASES.items():
        alias = next((a for a in aliases if a in given), None)
        if alias is None:
            continue
        used.add(alias)
        text = given[alias]
        if name in _FIRST_OF_LIST and alias in lists:
            used.discard(alias)  # extra keeps the whole list
            text = lists[alias][0]
            warnings.append(f"{source}: {alias} names {len(lists[alias])}; the first is the call's {name}")
        try:
            values[name] = check(name, text, own_zone)
            basis = times.basis(text) if name == "started_at" else basis
        except ValueError as error:
            shown = "" if name in _PRIVATE_FIELDS else f" {_truncated(text, 40)!r}"
            warnings.append(f"{source}: {alias}{shown} left out: {error}")
            if name == "started_at":
                used.discard(alias)  # extra keeps it: a date without a time of day is still useful
    extra = {name: _truncated(value) for name, value in given.items() if name not in used}
    if len(extra) > _MAX_EXTRA:
        warnings.append(f"{source}: {len(extra) - _MAX_EXTRA} of {len(extra)} extra columns left out")
        extra = dict(list(extra.items())[:_MAX_EXTRA])
    return Facts(source, values, extra, tuple(warnings), basis)


def _join_date_and_time(given: dict[str, str]) -> None:
    """Replace a date in one column and a time of day in another by one ``started_at``."""
    clock = next((name for name in _CLOCKS if _TIME_OF_DAY.fullmatch(given.get(name, ""))), None)
    dates = [name for name in _DATES if name in given and ":" not in given[name]]
    date = next(iter(dates), None)
    if date == "date" and "time" in given:
        clock = "time"
    if clock and date and not any(a in given for a in ALIASES["started_at"] if a not in {clock, *dates}):
        given["started_at"] = f"{given.pop(date)} {given.pop(clock)}"


def merge(
    sources: Sequence[Facts], *, default_call_id: str, zone_name: str
) -> tuple[CallMetadata, tuple[str, ...]]:
    """Merge the facts of all sources, most trusted first, into the metadata of one call.

    Warnings are about values that were not understood and sources that disagree.
    """
    values: dict[str, Any] = {}
    origin: dict[str, str] = {}
    basis: Basis = "local"
    extra: dict[str, str] = {}
    warnings: list[str] = []
    for facts in sources:
        warnings += facts.warnings
        for name, value in facts.values.items():
            if name not in values:
                values[name], origin[name] = value, facts.source
                basis = facts.basis if name == "started_at" else basis
            elif conflict := _conflict(name, values[name], value, "epoch" in {basis, facts.basis}):
                how = "the first is used"
                if name == "started_at" and basis == "local" and facts.basis == "epoch":
                    how = f"the epoch number of {facts.source} is used"
                    values[name], basis = value, facts.basis
                warnings.append(f"{name}: {origin[name]} and {facts.source} disagree{conflict}; {how}")
        for name, text in facts.extra.items():
            extra.setdefault(name, text)
    values.setdefault("call_id", default_call_id)
    values.setdefault("timezone", zone_name)
    return CallMetadata(**values, extra=extra), tuple(dict.fromkeys(warnings))


def zone_of(sources: Sequence[Facts], zones: Zones) -> str:
    """The zone of a call's local times: the first that a source states, else its site's, else the place's.

    A zone that follows from an epoch number and a local time that disagree is not stated.
    """
    stated = (
        one.values["timezone"] for one in sources if "timezone" in one.values and not one.clock_conflict
    )
    site = next((one.values["site"] for one in sources if "site" in one.values), "")
    return next(stated, None) or zones.by_site.get(site.casefold(), zones.place)


def with_queue_name(facts: Facts, queues: Mapping[str, str]) -> Facts:
    """Replace a queue number or id by its name in the settings; ``extra`` keeps the number."""
    number = str(facts.values.get("queue"))
    if number not in queues:
        return facts
    named = {**facts.values, "queue": queues[number]}
    return replace(facts, values=named, extra={"queue_number": number, **facts.extra})


def clocks_differ(sources: Sequence[Facts], call: CallMetadata) -> bool:
    """Whether the local time of any source contradicts the call's start: a wrong zone or a wrong clock."""
    start = call.started_at
    return any(
        facts.clock_conflict
        or (facts.basis == "local" and _conflict("started_at", start, facts.values["started_at"], True) != "")
        for facts in sources
        if start is not None and "started_at" in facts.values
    )


def starts_left_out(warnings: Sequence[str]) -> list[str]:
    """The warnings about a call's start that was given and not used."""
    named = [f": {alias} " for alias in ALIASES["started_at"]]
    return [text for text in warnings if " left out: " in text and any(name in text for name in named)]


def field_name(name: str) -> str:
    """A column name or key in snake case: ``conversationId``, ``Conversation ID`` → ``conversation_id``."""
    spaced = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name.strip())
    return re.sub(r"[^0-9a-z]+", "_", spaced.lower()).strip("_")[:_MAX_ID_CHARS]


def _hold_spans(text: str) -> tuple[tuple[float, float], ...]:
    """Parse spans written as ``49.8-60.8; 70-75`` (seconds)."""
    spans = []
    for part in filter(None, (p.strip() for p in re.split(r"[;,]", text))):
        match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?) *- *(\d{1,6}(?:\.\d{1,6})?)", part, re.A)
        if match is None or float(match[1]) >= float(match[2]):
            raise ValueError("hold spans are written as 49.8-60.8; 70-75, in seconds")
        spans.append((float(match[1]), float(match[2])))
    return tuple(sorted(spans))


def _language(text: str) -> str:
    """The shortest ISO 639 code of a language tag: ``en-US``, ``eng`` → ``en``."""
    code = code_of(text)
    if not code:
        raise ValueError("a language is an ISO 639 code such as en or ur")
    return code


def check(name: str, text: str, zone_name: str) -> Any:
    """Parse the text of one field of ``CallMetadata``.

    Raises:
        ValueError: The text is not a valid value of the field.
    """
    match name:
        case "started_at":
            return times.parse(text, zone_name)
        case "timezone":
            return times.zone_name_of(text)
        case "direction":
            return _one_of(_DIRECTIONS.get(text.lower(), text.lower()), get_args(Direction), "direction")
        case "medium":
            return _one_of(_MEDIA.get(text.lower(), text.lower()), get_args(Medium), "medium")
        case "language":
            return _language(text)
        case "agent_channel":
            number = _CHANNELS.get(text.lower(), text)
            if not re.fullmatch(r"\d{1,2}", str(number), re.A):
                raise ValueError("a channel is 0, 1, left or right")
            return int(number)
        case "hold_spans":
            return _hold_spans(text)
        case "call_id" if len(text) > _MAX_ID_CHARS or not text.isprintable():
            raise ValueError(f"a call id has at most {_MAX_ID_CHARS} printable characters")
    return _truncated(text)


def _conflict(name: str, used: Any, other: Any, allow_queue_time: bool) -> str:
    """Describe how two values of a field disagree; "" when they agree. Private values are not quoted.

    With ``allow_queue_time``, two starts may differ by the time a caller waits in a queue: an epoch number is
    the start of the call; the other time may be the start of its recording.
    """
    if name == "started_at":
        apart_s = abs((used - other).total_seconds())
        if apart_s <= (times.QUEUE_S if allow_queue_time else _SAME_START_S):
            return ""
        hint = ", which looks like a wrong time zone" if _is_zone_shift(apart_s) else ""
        return f" by {dt.timedelta(seconds=round(apart_s))}{hint}"
    if name == "call_id" or used == other or str(used).casefold() == str(other).casefold():
        return ""  # sources may use different call ids; the first one is used
    return "" if name == "hold_spans" else " " if name in _PRIVATE_FIELDS else f" ({used} / {other})"


def _is_zone_shift(apart_s: float) -> bool:
    quarter_s = 900
    return apart_s <= 26 * 3600 and abs(apart_s - round(apart_s / quarter_s) * quarter_s) <= _SAME_START_S


def _one_of(text: str, allowed: Iterable[str], what: str) -> str:
    if text not in allowed:
        raise ValueError(f"{what} is one of {', '.join(allowed)}")
    return text


def _flat(record: Mapping[str, object]) -> Iterator[tuple[str, object]]:
    """Flatten one level of nested objects: ``{"Agent": {"Username": …}}`` → ``Agent_Username``."""
    for name, value in record.items():
        if isinstance(value, dict):
            yield from ((f"{name}_{key}", inner) for key, inner in value.items())
        else:
            yield name, value


def _list_texts(value: object) -> list[str]:
    """The distinct non-empty texts of a list of JSON scalars, in order; [] for any other value."""
    return list(dict.fromkeys(filter(None, map(_scalar, value[:20])))) if isinstance(value, list) else []


def _to_text(value: object) -> str:
    """A JSON scalar or a list of scalars as clean text; "" for objects and nested lists."""
    return ";".join(_list_texts(value)) if isinstance(value, list) else _scalar(value)


def _scalar(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if not isinstance(value, str | int | float):
        return ""
    text = str(value).encode("utf-8", "replace").decode("utf-8")  # replaces surrogates, which no store takes
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _truncated(text: str, chars: int = _MAX_CHARS) -> str:
    return text if len(text) <= chars else text[: chars - 1] + "…"
