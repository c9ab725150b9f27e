"""Call detail records (CDR) of Asterisk, FreePBX and Issabel: CSV rows that say who called whom and when.

Field names: https://docs.asterisk.org/Configuration/Reporting/Call-Detail-Records-CDR/CDR-Variables/
"""

from __future__ import annotations

import datetime as dt
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from pipeline.intake import metadata, times
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import bare_name
from pipeline.intake.times import Zones
from pipeline.text.words import word_set

_MASTER_COLUMNS = [
    "accountcode", "src", "dst", "dcontext", "clid", "channel", "dstchannel", "lastapp", "lastdata", "start",
    "answer", "end", "duration", "billsec", "disposition", "amaflags", "uniqueid", "userfield",
]  # fmt: skip
_DISPOSITIONS = frozenset({"ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"})
UNIQUE_ID = re.compile(r"(?<!\d)\d{10}\.\d{1,18}(?!\d)", re.A)
"""Epoch seconds, a dot, and a counter of any length that restarts with the server."""
EXTENSION = re.compile(r"\d{2,6}", re.A)
"""Internal extensions; longer numbers belong to the public network."""
_CHANNEL_EXTENSION = re.compile(r"(?:SIP|PJSIP|IAX2|Local|SCCP|Agent)/(\d{2,6})(?=[-@])", re.A)
_CONSUMED_COLUMNS = word_set("clid src dst cnum cnam channel dstchannel lastdata calldate start")
"""Columns that ``extra`` does not keep: they are private, or kept in fields of the metadata."""


class Record(NamedTuple):
    """One row of a file: its number, its cells by column, and the local time of the call as written."""

    row: int
    cells: Mapping[str, str]
    started: str


class CallRecords(NamedTuple):
    """The records of one file, by column and value of each id (a recording's name without its endings)."""

    path: Path
    by_id: Mapping[tuple[str, str], Sequence[Record]]

    def find(self, recording: Path, zones: Zones) -> Facts | None:
        """Facts from the records of a recording; None when no record matches."""
        name = bare_name(recording.name)
        unique_id = UNIQUE_ID.search(name)
        key = unique_id[0] if unique_id else ""
        matched = self.by_id.get(("recordingfile", name)) or self.by_id.get(("uniqueid", key), ())
        by_row = {record.row: record for record in (*matched, *self.by_id.get(("linkedid", key), ()))}
        return _facts(list(by_row.values()), self.path.name, zones) if by_row else None


def read(path: Path, lines: Sequence[Sequence[str]]) -> CallRecords | None:
    """Index call detail records, with a header or in Asterisk's order; None when they are something else."""
    header, first = [metadata.field_name(name) for name in lines[0]] if lines else [], 1
    if not {"uniqueid", "disposition"} <= set(header):
        if not 16 <= len(header) <= 18 or lines[0][14] not in _DISPOSITIONS:
            return None
        header, first = _MASTER_COLUMNS, 0
    by_id: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for number, row in enumerate(lines[first:], start=first + 1):
        cells = dict(zip(header, row, strict=False))
        record = Record(number, cells, cells.get("calldate") or cells.get("start", ""))
        ids = {column: cells.get(column, "") for column in ("recordingfile", "uniqueid", "linkedid")}
        ids["recordingfile"] = bare_name(PurePosixPath(ids["recordingfile"]).name)
        for column, value in ids.items():
            if value:
                by_id[column, value].append(record)
    return CallRecords(path, dict(by_id))


def _facts(records: Sequence[Record], file: str, zones: Zones) -> Facts:
    """Combine the rows of a call into one set of facts.

    The call starts with the first answered row and belongs to the agent who talked longest. Other agents who
    handled it are named in a warning and kept in ``extra``.
    """
    rows = [row for row in records if row.cells.get("disposition") == "ANSWERED"] or list(records)
    # "6/13/2025 9:55" is before "6/13/2025 10:05"; a start that cannot be read stays a text
    rows.sort(key=lambda row: (str(_time(times.read, row.started) or row.started), row.row))
    longest = max(rows, key=_talk_s)
    legs = [_leg(row.cells) for row in rows]
    outside = next((leg for leg in legs if leg.get("customer_ref")), None)
    handlers = [
        leg.get("called" if outside and leg["direction"] == "internal" else "agent_id", "") for leg in legs
    ]
    given = {name: text for name, text in longest.cells.items() if name not in _CONSUMED_COLUMNS}
    given["client"] = given.pop("accountcode", "")
    given |= outside or legs[rows.index(longest)]
    given["agent_id"] = handlers[rows.index(longest)] or given.get("agent_id", "")
    given.pop("called", "")
    given["queue"] = next((leg["queue"] for leg in legs if leg.get("queue")), "")
    given["started_at"] = rows[0].started
    agents = list(dict.fromkeys(filter(None, handlers)))
    warnings = []
    if len(agents) > 1:
        given["agents"] = ";".join(agents)
        numbers = ", ".join(str(row.row) for row in rows)
        who = f"rows {numbers} are one call that {' and '.join(agents)} handled"
        warnings.append(f"{file}: {who}; agent_id is {given['agent_id']}, who talked longest")
    facts = metadata.read(given, source=f"{file} row {longest.row}", zones=zones)
    facts = _dated(rows[0], facts, zones.place)
    return replace(facts, warnings=(*facts.warnings, *warnings))


def _talk_s(record: Record) -> int:
    seconds = record.cells.get("billsec", "")
    return int(seconds) if seconds.isdecimal() and seconds.isascii() else 0


def _dated(record: Record, facts: Facts, zone_name: str) -> Facts:
    """Set the start of the call from the row's local time and the epoch number of its unique id together."""
    unique_id = UNIQUE_ID.search(record.cells.get("uniqueid", ""))
    epoch = _time(times.from_epoch, unique_id[0]) if unique_id else None
    local = _time(times.read, record.started)
    if epoch is None or (local is not None and local.tzinfo is not None):
        return facts
    started, doubt = times.start_of(local, epoch, zone_name)
    warnings = [text for text in facts.warnings if "started_at" not in text]  # e.g. about a repeated hour
    unread = record.started and local is None
    warnings += [f"{facts.source}: its local time cannot be read; the epoch number is used"] if unread else []
    warnings += [f"{facts.source}: {doubt}"] if doubt else []
    values = {**facts.values, **started}
    return replace(facts, values=values, warnings=tuple(warnings), basis="epoch", clock_conflict=bool(doubt))


def _time(read: Callable[[str], dt.datetime], text: str) -> dt.datetime | None:
    try:
        return read(text)
    except times.BadTime:
        return None


def _leg(cells: Mapping[str, str]) -> dict[str, str]:
    """Agent, customer, direction and queue of one row, by our field names."""
    src, dst = cells.get("src", ""), cells.get("dst", "")
    near = _CHANNEL_EXTENSION.match(cells.get("channel", ""))
    far = _CHANNEL_EXTENSION.match(cells.get("dstchannel", ""))
    queue = cells.get("lastdata", "").split(",")[0] if cells.get("lastapp") == "Queue" else ""
    src_inside, dst_inside = bool(EXTENSION.fullmatch(src)), bool(EXTENSION.fullmatch(dst))
    if src_inside and not dst_inside:
        who = {"direction": "outbound", "agent_id": src, "customer_ref": dst}
    elif not src_inside and (dst_inside or far):
        agent = far[1] if far else "" if queue else dst
        who = {"direction": "inbound", "customer_ref": src, "agent_id": agent}
    elif src_inside and dst_inside:
        who = {"direction": "internal", "agent_id": src, "called": far[1] if far else dst}
    elif near and not far:
        who = {"direction": "outbound", "agent_id": near[1], "customer_ref": dst}
    else:
        who = {"direction": ""}
    return who | {"queue": queue}
