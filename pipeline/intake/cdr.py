"""Call detail records of Asterisk, FreePBX and Issabel: CSV rows that know who called whom, when.

Both the exported form with a header and Asterisk's own ``Master.csv`` without one. A recording is
matched by the ``recordingfile`` column, else by the ``uniqueid`` in its name.
Field names: https://docs.asterisk.org/Configuration/Reporting/Call-Detail-Records-CDR/CDR-Variables/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pipeline.intake import metadata
from pipeline.intake.metadata import Facts

_MASTER_COLUMNS = (
    "accountcode",
    "src",
    "dst",
    "dcontext",
    "clid",
    "channel",
    "dstchannel",
    "lastapp",
    "lastdata",
    "start",
    "answer",
    "end",
    "duration",
    "billsec",
    "disposition",
    "amaflags",
    "uniqueid",
    "userfield",
)
_DISPOSITIONS = frozenset({"ANSWERED", "NO ANSWER", "BUSY", "FAILED", "CONGESTION"})
UNIQUE_ID = re.compile(r"\d{10}\.\d{1,9}", re.A)
EXTENSION = re.compile(r"\d{2,6}", re.A)
"""Internal numbers; what is longer is a number of the public network."""
_CHANNEL_EXTENSION = re.compile(r"(?:SIP|PJSIP|IAX2|Local|SCCP|Agent)/(\d{2,6})(?=[-@])", re.A)
_PRIVATE_COLUMNS = frozenset({"clid", "src", "dst", "cnum", "cnam", "channel", "dstchannel", "lastdata"})


@dataclass(frozen=True, slots=True)
class Record:
    """One row of a file, cells by column."""

    row: int
    cells: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CallRecords:
    """The records of one file, by recording name (without folder and suffix) and by unique id."""

    path: Path
    by_name: Mapping[str, Record]
    by_unique_id: Mapping[str, Record]

    def find(self, recording: Path, zone_name: str, site_zones: Mapping[str, str]) -> Facts | None:
        """What the record of a recording says, where one matches.

        Args:
            recording: The recording.
            zone_name: Zone of the telephone system's clock.
            site_zones: Zone by site.
        """
        found = self.by_name.get(recording.stem)
        unique_id = UNIQUE_ID.search(recording.stem)
        if found is None and unique_id:
            found = self.by_unique_id.get(unique_id[0])
        return None if found is None else _facts(found, self.path.name, zone_name, site_zones)


def is_cdr(lines: Sequence[Sequence[str]]) -> bool:
    """Whether CSV rows are call detail records, by header or by Asterisk's fixed column order."""
    if not lines:
        return False
    header = {metadata.field_name(name) for name in lines[0]}
    if {"uniqueid", "disposition"} <= header:
        return True
    return 16 <= len(lines[0]) <= 18 and lines[0][14] in _DISPOSITIONS


def read(path: Path, lines: Sequence[Sequence[str]]) -> CallRecords:
    """Index call detail records; a call of several legs is described by its longest answered one."""
    header = [metadata.field_name(name) for name in lines[0]]
    first = 1
    if "uniqueid" not in header:
        header, first = [*_MASTER_COLUMNS], 0
    by_name: dict[str, Record] = {}
    by_unique_id: dict[str, Record] = {}
    records = [
        Record(number, dict(zip(header, cells, strict=False)))
        for number, cells in enumerate(lines[first:], start=first + 1)
        if any(cells)
    ]
    for record in sorted(records, key=_weight, reverse=True):
        name = PurePosixPath(record.cells.get("recordingfile", "")).stem
        for index, key in ((by_name, name), (by_unique_id, record.cells.get("uniqueid", ""))):
            if key:
                index.setdefault(key, record)
    return CallRecords(path, by_name, by_unique_id)


def _weight(record: Record) -> tuple[bool, int]:
    seconds = record.cells.get("billsec", "")
    return record.cells.get("disposition") == "ANSWERED", int(seconds) if seconds.isdecimal() else 0


def _facts(found: Record, file: str, zone_name: str, site_zones: Mapping[str, str]) -> Facts:
    """A record in our words: who is inside, who outside, and the way the call went."""
    record = found.cells
    src, dst = record.get("src", ""), record.get("dst", "")
    near = _CHANNEL_EXTENSION.match(record.get("channel", ""))
    far = _CHANNEL_EXTENSION.match(record.get("dstchannel", ""))
    given = {name: text for name, text in record.items() if name not in _PRIVATE_COLUMNS}
    given["started_at"] = given.pop("calldate", "") or given.pop("start", "")
    given["client"] = given.pop("accountcode", "")
    src_inside, dst_inside = bool(EXTENSION.fullmatch(src)), bool(EXTENSION.fullmatch(dst))
    if src_inside and not dst_inside:
        given |= {"direction": "outbound", "agent_id": src, "customer_ref": dst}
    elif not src_inside and (dst_inside or far):
        given |= {"direction": "inbound", "customer_ref": src}
        given["agent_id"] = far[1] if far else "" if record.get("lastapp") == "Queue" else dst
    elif src_inside and dst_inside:
        given |= {"direction": "internal", "agent_id": src}
    elif near and not far:
        given |= {"direction": "outbound", "agent_id": near[1], "customer_ref": dst}
    if record.get("lastapp") == "Queue":
        given["queue"] = record.get("lastdata", "").split(",")[0]
    return metadata.read(given, source=f"{file} row {found.row}", zone_name=zone_name, site_zones=site_zones)
