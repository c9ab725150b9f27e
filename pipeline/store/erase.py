"""Retention and erasure: the words go, a tombstone stays so that the call is not taken in again."""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipeline.errors import StoreError
from pipeline.store.columns import OF_CALLS
from pipeline.store.connection import Connection
from pipeline.store.selection import CallFilter

ERASED_PREFIX = "sha256:"
TABLES = (*OF_CALLS, "reviews", "samples")
WORDS = ("turns", "findings", "evidence")  # all that is deleted when the figures are kept

BLANKED = {
    "calls": "customer_ref = NULL, extra = NULL, path = NULL, audio_sha256 = NULL, hold_spans = NULL, "
    "turn_count = 0, transcript_warnings = [], transcript_doubts = [], warnings = []",
    "answers": "reason = '', searched = NULL",
    "scorecards": "review_reasons = [], warnings = [], why = ''",
    "reviews": "reason = NULL, source = NULL, extra = NULL",
    "samples": "reason = NULL, extra = NULL",
}


@dataclass(frozen=True, slots=True)
class Erasure:
    """Proof of an erasure.

    Attributes:
        call_ids: The calls that were erased.
        deleted: Rows deleted, by table.
        left: Rows of these calls still there, by table: only what was asked to be kept.
        tombstones: Ledger rows that now only say that something was erased.
    """

    call_ids: tuple[str, ...]
    deleted: Mapping[str, int]
    left: Mapping[str, int]
    tombstones: int


def digest(name: str) -> str:
    """How the ledger remembers a path or call id that may itself be private."""
    if name.startswith(ERASED_PREFIX):
        return name
    return ERASED_PREFIX + hashlib.sha256(name.encode("utf-8", "backslashreplace")).hexdigest()


def condition(calls: CallFilter, older_than: dt.datetime | None) -> tuple[str, list[Any]]:
    """Which calls an erasure is about, as SQL on ``calls``.

    Raises:
        StoreError: No condition at all.
    """
    if calls.everything and older_than is None:
        raise StoreError(
            "purge was given no condition, which would erase every call",
            hint="say which: --older-than 365d, --customer REF or --call ID",
        )
    where, values = calls.where()
    if older_than is not None:
        where += " AND coalesce(calls.started_at, calls.loaded_at) < ?"
        values.append(older_than)
    return where, values


def erase(
    connection: Connection,
    calls: CallFilter,
    *,
    older_than: dt.datetime | None = None,
    keep_figures: bool = False,
) -> Erasure:
    """Erase matching calls in the connection's transaction; the caller commits and compacts.

    Args:
        connection: Open for writing, inside a transaction.
        calls: Which calls; at least one condition.
        older_than: Only calls that began before this; where the start is not known, loaded before it.
        keep_figures: Keep scores, answers and metrics without any words or references to the customer.

    Raises:
        StoreError: No condition at all.
    """
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
    for table in WORDS if keep_figures else TABLES:
        connection.execute(f"DELETE FROM {table} WHERE call_id IN (SELECT call_id FROM erasing)")  # noqa: S608
    if keep_figures:
        _blank(connection)
    left = _count(connection)
    tombstones = _bury(connection)
    connection.execute("DROP TABLE erasing")
    return Erasure(
        tuple(ids),
        {table: before[table] - left[table] for table in TABLES if before[table] > left[table]},
        {table: n for table, n in left.items() if n},
        tombstones,
    )


def _count(connection: Connection) -> dict[str, int]:
    """Rows of the calls being erased, by table."""
    counts = {}
    for table in TABLES:
        row = connection.execute(
            f"SELECT count(*) FROM {table} WHERE call_id IN (SELECT call_id FROM erasing)"  # noqa: S608
        ).fetchone()
        counts[table] = int(row[0]) if row else 0
    return counts


def _blank(connection: Connection) -> None:
    """Leave figures only: nothing that quotes the call, names the customer or leads to the recording."""
    for table, change in BLANKED.items():
        connection.execute(
            f"UPDATE {table} SET {change} WHERE call_id IN (SELECT call_id FROM erasing)"  # noqa: S608
        )


def _bury(connection: Connection) -> int:
    """Turn every ledger row of these recordings, under whatever path, into a tombstone."""
    rows = connection.execute(
        "SELECT path, call_id FROM ledger WHERE status <> 'purged' "
        "AND (call_id IN (SELECT call_id FROM erasing) "
        "OR path IN (SELECT path FROM erasing) OR audio_sha256 IN (SELECT audio_sha256 FROM erasing))"
    ).fetchall()
    for path, call_id in rows:
        connection.execute(
            "UPDATE ledger SET path = ?, call_id = ?, status = 'purged', reason = 'erased', error = '', "
            "hint = '', warnings = [], recorded_at = now() WHERE path = ?",
            [digest(path), digest(call_id) if call_id else None, path],
        )
    return len(rows)
