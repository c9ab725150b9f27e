"""Read dates and times written by other systems, without guessing: an ambiguous one is refused with a reason.

A wrong date corrupts every trend report unnoticed, so a time is accepted only in a form with one meaning:
ISO 8601, RFC 2822, ``YYYYMMDD[-HHMMSS]``, an epoch number, the year first, a month by its English name, or
day and month where only one of them can be the month (``06/13/2025``). A local time that a clock change
repeats or skips is refused as well.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Literal, NamedTuple
from zoneinfo import ZoneInfo

EARLIEST_YEAR, LATEST_YEAR = 1990, 2100
"""A time outside these years comes from a wrong clock or a misread format."""

_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})[-_ T]?(\d{2})(\d{2})(\d{2})?(Z|[+-]\d{2}:?\d{2})?", re.A)
_ISO = re.compile(
    r"(\d{4}-\d{2}-\d{2})[T ]+(\d{1,2}):(\d{2})(:\d{2}(?:[.,]\d{1,9})?)?"
    r"( ?(?:[Zz]|UTC|GMT|[+-]\d{2}:?\d{2}))?",
    re.A,
)
_MAIL = re.compile(  # RFC 2822, used by Twilio; zone names other than these are not standard
    r"(?:[A-Za-z]{3}, )?\d{1,2} [A-Za-z]{3} \d{4} \d{2}:\d{2}(?::\d{2})? (?:[+-]\d{4}|GMT|UTC)", re.A
)
_EPOCH = re.compile(r"(\d{10})(?:\.\d{1,18})?|(\d{13})", re.A)
_DATE_AND_HOUR = re.compile(r"(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?:[01]\d|2[0-3])", re.A)
_SLASHED = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2,4}")
_CLOCK = r"(\d{1,2}:\d{2}(?::\d{2})?(?: ?[AaPp]\.?[Mm]\.?)?)"
_DAY_AND_MONTH = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})[T ,]+" + _CLOCK, re.A)
_YEAR_FIRST = re.compile(r"(\d{4})([/.-])(\d{1,2})\2(\d{1,2})[T ,]+" + _CLOCK, re.A)
_NAMED_MONTH = re.compile(
    r"(?:(\d{1,2})[ -]([A-Za-z]{3,9})[.,]?[ -]|([A-Za-z]{3,9})\.? (\d{1,2}),? )(\d{4}),? " + _CLOCK, re.A
)
_MONTH_NAMES = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_MAX_CHARS = 64
_CLOCK_TOLERANCE_S = 120
"""Most by which two clocks of one telephone system are assumed to differ."""
QUEUE_S = 450
"""Longest time from the creation of a channel to the start of its recording, while the caller waits."""


Basis = Literal["epoch", "offset", "local"]
"""Kind of time: an epoch number, a time with its offset from UTC, or a local time in an assumed zone."""


class Zones(NamedTuple):
    """IANA names of zones for times without one: by the site, casefolded, else ``place``, by the file."""

    place: str
    by_site: Mapping[str, str]


class BadTime(ValueError):  # noqa: N818 - it names the fact, not an error of ours
    """A time that is invalid or could mean different times; the message says why."""


class AmbiguousTime(BadTime):
    """A local time that the clock change repeats or skips."""


@lru_cache(maxsize=256)
def zone(name: str) -> dt.tzinfo:
    """The time zone of an IANA name, ``UTC``, or a fixed offset such as ``+05:00``.

    Raises:
        BadTime: There is no such zone.
    """
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-])(\d{1,2}):?([0-5]\d)?", name.strip())
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3] or 0)
        if minutes <= 14 * 60:
            return dt.timezone(dt.timedelta(minutes=minutes if offset[1] == "+" else -minutes))
    try:
        return ZoneInfo(name.strip())
    except (ValueError, OSError, KeyError) as error:  # ZoneInfoNotFoundError is a KeyError
        raise BadTime(f"{name!r} is not an IANA time zone such as Asia/Karachi") from error


def zone_name_of(text: str) -> str:
    """The IANA name of a zone given by name or as an offset: ``+05:00`` → ``Etc/GMT-5``.

    Raises:
        BadTime: There is no such zone, or the offset has no name (``+05:30``: name the place instead).
    """
    known = zone(text)
    return text.strip() if isinstance(known, ZoneInfo) else _name_offset(known)


def _name_offset(fixed: dt.tzinfo) -> str:
    offset = fixed.utcoffset(None)
    assert offset is not None
    hours, rest = divmod(round(offset.total_seconds()), 3600)
    if rest or not -12 <= hours <= 14:
        raise BadTime(f"the offset {fixed} is no zone; name the place, e.g. Asia/Kolkata")
    return "UTC" if hours == 0 else f"Etc/GMT{-hours:+d}"


def parse(text: str, zone_name: str) -> dt.datetime:
    """Read a time written by another system; without an offset it is local time in ``zone_name``.

    Raises:
        BadTime: The time is invalid or could mean different times.
    """
    text = text.strip()
    if not text or len(text) > _MAX_CHARS:
        raise BadTime("no time" if not text else "too long for a time")
    if _EPOCH.fullmatch(text):
        if _DATE_AND_HOUR.fullmatch(text):
            raise BadTime("a date with an hour and an epoch number cannot be told apart")
        return from_epoch(text)
    return attach(read(text), zone_name)


def moment(value: object) -> dt.datetime | None:
    """A time from JSON of another tool, taken as UTC without an offset; None when it cannot be read."""
    try:
        return parse(value, "UTC") if isinstance(value, str) else None
    except BadTime:
        return None


def basis(text: str) -> Basis:
    """The kind of a time that ``parse`` can read."""
    if _EPOCH.fullmatch(text.strip()):
        return "epoch"
    return "local" if read(text.strip()).tzinfo is None else "offset"


def from_epoch(text: str) -> dt.datetime:
    """The UTC time of ``1743042317``, ``1743042317000`` (ms) and ``1743042317.56``.

    Digits after a dot are ignored: they are the counter of an Asterisk unique id, or a fraction of a second,
    which does not matter.

    Raises:
        BadTime: The year is implausible.
    """
    whole, _, _ = text.partition(".")
    seconds = int(whole) / 1000 if len(whole) == len("1743042317000") else int(whole)
    return _plausible(dt.datetime.fromtimestamp(seconds, tz=dt.UTC))


def attach(moment: dt.datetime, zone_name: str) -> dt.datetime:
    """Add the zone to a time without an offset, unless a clock change repeats or skips that local time.

    Raises:
        AmbiguousTime: The local time happened twice, or never.
        BadTime: The year is implausible.
    """
    _plausible(moment)
    if moment.tzinfo is not None:
        return moment
    local = zone(zone_name)
    first, second = moment.replace(tzinfo=local, fold=0), moment.replace(tzinfo=local, fold=1)
    if first.utcoffset() != second.utcoffset():
        back = first.astimezone(dt.UTC).astimezone(local).replace(tzinfo=None)
        how = "twice" if back == moment else "never"
        raise AmbiguousTime(
            f"{moment:%Y-%m-%d %H:%M} happened {how} in {zone_name} because the clocks changed"
        )
    return first


def start_of(local: dt.datetime | None, epoch: dt.datetime, zone_name: str) -> tuple[dict[str, object], str]:
    """The start of a call that is given both as a local time, if any, and as an epoch number.

    The epoch number is the time in UTC at which the channel was created; the local time is the start of the
    recording. Their difference gives the UTC offset of the telephone system, which should be that of the
    configured zone.

    Returns:
        Values of ``started_at`` and of ``timezone``, the latter only when the offset contradicts the
        configured zone and is not UTC, which servers use at any site; and the contradiction in words, or "".
    """
    configured = epoch.astimezone(zone(zone_name))
    if local is None:
        return {"started_at": configured}, ""
    apart_s = (local - epoch.replace(tzinfo=None)).total_seconds()
    offset = configured.utcoffset() or dt.timedelta()
    if -_CLOCK_TOLERANCE_S <= apart_s - offset.total_seconds() <= QUEUE_S:
        return {"started_at": local.replace(tzinfo=dt.timezone(offset))}, ""
    half_hours = round((apart_s - (QUEUE_S - _CLOCK_TOLERANCE_S) / 2) / 1800)
    if not -24 <= half_hours <= 28 or not -_CLOCK_TOLERANCE_S <= apart_s - half_hours * 1800 <= QUEUE_S:
        return {"started_at": epoch}, "its local time contradicts its epoch number; the epoch number is used"
    actual = dt.timezone(dt.timedelta(minutes=30 * half_hours))
    doubt = f"its epoch number says the clock was {actual}, but {zone_name} was {dt.timezone(offset)} then"
    values: dict[str, object] = {"started_at": local.replace(tzinfo=actual)}
    if half_hours and half_hours % 2 == 0:  # offsets with half hours have no IANA name
        values["timezone"] = _name_offset(actual)
    return values, f"{doubt}; the epoch number is used"


def _plausible(moment: dt.datetime) -> dt.datetime:
    if not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
        raise BadTime(f"the year {moment.year} is implausible")
    return moment


def read(text: str) -> dt.datetime:
    """Read a time as written, naive when it has no offset; epoch numbers are not accepted.

    Raises:
        BadTime: The time is invalid or could mean different times.
    """
    compact = _COMPACT.fullmatch(text)
    if compact and compact[4]:
        text = "{}-{}-{}T{}:{}:{}{}".format(*compact.groups("")[:5], compact[6] or "00", compact[7] or "")
    iso = _ISO.fullmatch(text)
    try:
        if iso:
            hour = iso[2].zfill(2)
            return dt.datetime.fromisoformat(f"{iso[1]}T{hour}:{iso[3]}{iso[4] or ''}{_offset(iso[5])}")
        if _MAIL.fullmatch(text):
            moment = parsedate_to_datetime(text)
            return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)  # -0000 is UTC (RFC 5322)
    except (ValueError, OverflowError) as error:
        raise BadTime(f"no such time: {error}") from error
    if year_first := _YEAR_FIRST.fullmatch(text):
        return _at(int(year_first[1]), int(year_first[3]), int(year_first[4]), year_first[5])
    if (named := _NAMED_MONTH.fullmatch(text)) and (month := _month(named[2] or named[3])):
        return _at(int(named[5]), month, int(named[1] or named[4]), named[6])
    if slashed := _DAY_AND_MONTH.fullmatch(text):
        return _day_and_month(slashed)
    if _SLASHED.match(text):
        raise BadTime("day and month cannot be told apart, or no time of day; write YYYY-MM-DD HH:MM:SS")
    if re.fullmatch(r"\d{4}-?\d{2}-?\d{2}", text):
        raise BadTime("a date without a time of day")
    raise BadTime("not a time; write it as YYYY-MM-DD HH:MM:SS, with an offset where you can")


def _day_and_month(slashed: re.Match[str]) -> dt.datetime:
    """Read ``06/13/2025 10:15`` or ``13.06.2025 10:15 PM``, if only one of the numbers can be the month.

    Other rows of the table are no evidence: a spreadsheet with settings for another country swaps day and
    month only in the dates where both orders are valid.
    """
    first, second, year = (int(slashed[at]) for at in (1, 3, 4))
    if max(first, second) <= 12 and first != second:
        raise BadTime("day and month cannot be told apart; write it as YYYY-MM-DD HH:MM:SS")
    month, day = (second, first) if first > 12 else (first, second)
    return _at(year, month, day, slashed[5])


def _month(name: str) -> int | None:
    """The number of a month by its English name or the first three letters of it (``Sept``, too)."""
    name = name.lower()
    fits = (n for n, month in enumerate(_MONTH_NAMES, 1) if name in {month, month[:3], month[:4]})
    return next(fits, None)


def _at(year: int, month: int, day: int, clock: str) -> dt.datetime:
    """A day with a time of day such as ``9:25``, ``14:05:30`` or ``2:05 PM``."""
    half_day = re.search(r"[AaPp]", clock)
    hour, minute, second = (int(part) for part in [*re.findall(r"\d+", clock), 0][:3])
    if half_day:
        if not 1 <= hour <= 12:
            raise BadTime(f"no such time: {hour} o'clock of a half day")
        hour = hour % 12 + (12 if half_day[0] in "pP" else 0)
    try:
        return dt.datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - zone next
    except ValueError as error:
        raise BadTime(f"no such time: {error}") from error


def _offset(text: str | None) -> str:
    return "" if not text else "+00:00" if text.strip() in {"Z", "z", "UTC", "GMT"} else text.strip()
