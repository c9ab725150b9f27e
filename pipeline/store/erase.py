"""Erases calls, on request or by retention; a tombstone keeps an erased call from being taken in again."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.errors import StoreError
from pipeline.store.columns import OF_CALLS
from pipeline.store.connection import Connection, scalar
from pipeline.store.selection import CallFilter

ERASED_PREFIX = "sha256:"
WORD_TABLES = ("turns", "findings", "evidence")
"""The tables whose rows are deleted even when the figures of a call are kept."""
BLANKED = {
    "calls": "customer_ref = NULL, extra = NULL, path = NULL, audio_sha256 = NULL, hold_spans = NULL, "
    "turn_count = 0, transcript_warnings = [], transcript_doubts = [], warnings = []",
    "answers": "reason = '', searched = NULL",
    # Why a call has no score is no quote, and keeps it out of the rates.
    "scorecards": "review_reasons = CASE WHEN outcome = 'not_scored' THEN review_reasons ELSE [] END, "
    "warnings = [], why = ''",
    "reviews": "reason = NULL, source = NULL, extra = NULL",
    "samples": "reason = NULL, extra = NULL",
}
"""What is overwritten, by table, when the figures of a call are kept: whatever quotes the call, names the
customer or leads to the recording."""
_ERASING = "call_id IN (SELECT call_id FROM erasing)"


@dataclass(frozen=True, slots=True)
class Erasure:
    """What an erasure deleted and what it left, as proof.

    Attributes:
        call_ids: The calls that were erased.
        deleted: Number of rows deleted, by table.
        left: Number of rows of these calls that remain, by table: only those of figures that are kept.
        tombstones: Number of ledger rows that now say only that something was erased.
    """

    call_ids: tuple[str, ...]
    deleted: Mapping[str, int]
    left: Mapping[str, int]
    tombstones: int


@dataclass(frozen=True, slots=True)
class Purged:
    """What a purge did: the erasure, the file's size before and after, and other files it deleted.

    ``stage_results`` is how many calls ``forget`` found something of.
    """

    erasure: Erasure
    stage_results: int
    bytes_before: int | None
    bytes_after: int | None
    files: tuple[str, ...]


Forget = Callable[[Sequence[str]], int]
"""Deletes what is kept elsewhere of calls, given by id or its ``digest``; returns how many had any."""


class StateFolder(NamedTuple):
    """A folder in which words of calls are kept between runs.

    Attributes:
        folder_id: What the folder itself says it is, wherever it is mounted.
        host: The machine that uses it.
        path: Its path there.
    """

    folder_id: str
    host: str
    path: str


def digest(name: str) -> str:
    """The hash under which the ledger keeps a path or call id of an erased call, which may be private."""
    if name.startswith(ERASED_PREFIX):
        return name
    return ERASED_PREFIX + hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()


def sql_digest(column: str) -> str:
    """SQL for the ``digest`` of a column."""
    return (
        f"CASE WHEN starts_with({column}, '{ERASED_PREFIX}') THEN {column} "
        f"ELSE '{ERASED_PREFIX}' || sha256({column}) END"
    )


def tombstones(connection: Connection) -> frozenset[str]:
    """What the ledger remembers of erased calls, for ``is_erased``; it is little, so all of it is read."""
    known: set[str] = set()
    found = connection.execute("SELECT audio_sha256, call_id, path FROM ledger WHERE status = 'purged'")
    for sha, call_id, path in found.fetchall():
        known |= {f"call:{call_id}", f"unread:{path}", f"sha:{sha}" if sha else f"path:{path}"}
    return frozenset(known)


def is_erased(known: Set[str], path: str, sha: str | None, call_id: str | None) -> bool:
    """Whether a recording was erased: by its content or its call id; by its path where a content is unknown.

    A file of an erased call's name with other content is another call: recorders use names again.
    """
    content = f"sha:{sha}" if sha else f"unread:{digest(path)}"
    return not known.isdisjoint((content, f"path:{digest(path)}", f"call:{digest(call_id or '')}"))


_TOMBSTONES = f"""
UPDATE ledger SET path = {sql_digest("path")}, call_id = {sql_digest("call_id")}, status = 'purged',
    reason = 'erased', error = '', hint = '', warnings = [], recorded_at = now()
WHERE status <> 'purged' AND (
    {_ERASING} OR audio_sha256 IN (SELECT audio_sha256 FROM erasing) OR (
        path IN (SELECT path FROM erasing) AND coalesce(call_id NOT IN (SELECT call_id FROM calls), true)))
"""  # noqa: S608
"""Turns every ledger row of erased recordings, under any path, into a tombstone; but a file that by now holds
another recording, which is stored as another call, keeps its row."""
_MORE_TOMBSTONES = f"""
INSERT INTO ledger BY NAME SELECT {sql_digest("call_id")} AS path, {sql_digest("call_id")} AS call_id,
    audio_sha256, 'purged' AS status, 'erased' AS reason, '' AS error, '' AS hint, [] AS warnings,
    now() AS recorded_at
FROM erasing WHERE path IS NOT NULL AND audio_sha256 IS NOT NULL
    AND audio_sha256 NOT IN (SELECT audio_sha256 FROM ledger WHERE audio_sha256 IS NOT NULL)
"""  # noqa: S608
"""Tombstones of erased recordings that had no row of their own any more."""


def condition(calls: CallFilter, older_than: dt.datetime | None) -> tuple[str, list[Any]]:
    """The SQL condition on ``calls`` that selects the calls to erase, and its parameter values.

    Raises:
        StoreError: No condition was given.
    """
    if calls == CallFilter() and older_than is None:
        raise StoreError(
            "purge was given no condition, which would erase every call",
            hint="say which: --older-than 365d, --customer REF, --client NAME or --call ID",
        )
    where, values = calls.where()
    if older_than is not None:
        where += " AND coalesce(calls.started_at, calls.first_loaded_at) < ?"
        values.append(older_than)
    return where, values


def erase(
    connection: Connection, calls: CallFilter, older_than: dt.datetime | None, *, keep_figures: bool
) -> Erasure:
    """Erase calls, as ``Store.purge`` says, in the connection's transaction, which the caller commits."""
    where, values = condition(calls, older_than)
    connection.execute(
        "CREATE OR REPLACE TEMP TABLE erasing (call_id VARCHAR, path VARCHAR, audio_sha256 VARCHAR)"
    )
    connection.execute(
        f"INSERT INTO erasing SELECT call_id, path, audio_sha256 FROM calls WHERE {where}",  # noqa: S608
        values,
    )
    ids = [i for (i,) in connection.execute("SELECT call_id FROM erasing ORDER BY call_id").fetchall()]
    before = _count(connection)
    for table in WORD_TABLES if keep_figures else OF_CALLS:
        connection.execute(f"DELETE FROM {table} WHERE {_ERASING}")  # noqa: S608
    for table, change in BLANKED.items() if keep_figures else ():
        connection.execute(f"UPDATE {table} SET {change} WHERE {_ERASING}")  # noqa: S608
    left = _count(connection)
    tombstones = scalar(connection, _TOMBSTONES) + scalar(connection, _MORE_TOMBSTONES)
    connection.execute("DROP TABLE erasing")
    return Erasure(
        tuple(ids),
        {table: before[table] - left[table] for table in OF_CALLS if before[table] > left[table]},
        {table: n for table, n in left.items() if n},
        tombstones,
    )


def _count(connection: Connection) -> dict[str, int]:
    """The number of rows of the calls being erased, by table."""
    sql = f"SELECT count(*) FROM {{}} WHERE {_ERASING}"  # noqa: S608
    return {table: scalar(connection, sql.format(table)) for table in OF_CALLS}


def erased(connection: Connection) -> list[str]:
    """The digests of the ids of all erased calls."""
    sql = "SELECT DISTINCT call_id FROM ledger WHERE status = 'purged' AND call_id <> ''"
    return [call_id for (call_id,) in connection.execute(sql).fetchall()]


_N_TOMBSTONES = "(SELECT count(*) FROM ledger WHERE status = 'purged')"


def is_rid(connection: Connection, folder: StateFolder) -> bool:
    """Whether a folder is known, and was used since the last erasure."""
    known = "SELECT 1 FROM state_folders WHERE folder_id = ? AND host = ? AND path = ?"
    return scalar(connection, f"{known} AND tombstones = {_N_TOMBSTONES}", folder) is not None


def save_folder(connection: Connection, folder: StateFolder, now: dt.datetime) -> None:
    """Remember a folder that has nothing of erased calls any more."""
    connection.execute("DELETE FROM state_folders WHERE folder_id = ?", [folder.folder_id])
    row = f"INSERT INTO state_folders SELECT ?, ?, ?, {_N_TOMBSTONES}, ?"
    connection.execute(row, [*folder, now])
