"""Writes records as rows, in bulk through Arrow, one transaction per chunk of calls.

A call that is already stored has its rows deleted and inserted again in the same transaction. So a load
may be repeated, and a killed process loses either a whole chunk or nothing. Reviews, samples and
scorecards under other rubrics stay.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    LedgerEntry,
    Review,
    SampledCall,
    Scorecard,
    StageRun,
)
from pipeline.store import columns
from pipeline.store.connection import Connection
from pipeline.store.erase import digest, is_erased, tombstones

if TYPE_CHECKING:
    from pipeline.conversation import RubricRef
    from pipeline.rubric import Rubric

    RubricText = Rubric | RubricRef
    """A rubric to save; of a ``RubricRef`` the store keeps no text."""


class _StoredCall(NamedTuple):
    """The recording that the store already keeps under a call id."""

    audio_sha256: str | None
    path: str
    loaded_at: dt.datetime
    first_loaded_at: dt.datetime


def load(
    connection: Connection, records: Sequence[CallRecord], rubrics: Iterable[RubricText], now: dt.datetime
) -> None:
    """Write records in the connection's current transaction; the caller commits.

    Args:
        connection: Inside a transaction.
        records: At most a few hundred.
        rubrics: The rubrics they were scored with.
        now: The ``loaded_at`` of all rows of the transaction.
    """
    stored = _stored_calls(connection, records)
    paths = [r.ledger.path for r in records]
    records = _as_stored(records, now, stored, tombstones(connection))
    entries = {r.ledger.path: r.ledger for r in records}
    replaced = _take_out(connection, paths, entries)
    # the last record of each call, as when they come in two chunks
    calls = list({columns.call_id(r): r for r in records if r.conversation is not None}.values())
    stored |= _give_new_ids(connection, calls, replaced, stored)
    ids = [columns.call_id(r) for r in calls]
    load_times = sorted({stored[i].loaded_at for i in ids if i is not None and i in stored})
    if load_times:
        with _as_incoming(connection, {"call_id": ids}):
            for table in columns.CALL_TABLES:
                connection.execute(
                    f"DELETE FROM {table} WHERE loaded_at BETWEEN ? AND ? "  # noqa: S608
                    "AND call_id IN (SELECT call_id FROM incoming)",
                    [load_times[0], load_times[-1]],
                )
        _supersede(connection, [s for r in calls for s in r.scorecards])
    _save_rubrics(connection, rubrics, now)
    for table, make in columns.CALL_TABLES.items():
        rows = make(calls)
        if table == "calls":
            rows["first_loaded_at"] = [stored[i].first_loaded_at if i in stored else now for i in ids]
        _append(connection, table, rows, now)
    _append_scorecards(connection, [s for r in calls for s in r.scorecards], now)
    _append(connection, "ledger", columns.ledger(list(entries.values())), now)


def _take_out(
    connection: Connection, paths: Sequence[str], entries: dict[str, LedgerEntry]
) -> list[tuple[str, str | None, str | None]]:
    """Delete the ledger rows of files that have new ``entries``; returns path, call id and SHA-256 of each.

    Where a file held another recording before, which was erased, that one's tombstone is not returned but
    added to ``entries`` under a name of its own: the recording stays erased.
    """
    shas = {digest(path): entry.audio_sha256 for path, entry in entries.items()}
    with _as_incoming(connection, {"path": [*paths, *shas]}):
        found = connection.execute(
            "SELECT path, call_id, audio_sha256, status FROM ledger WHERE path IN (SELECT path FROM incoming)"
        ).fetchall()
    if not found:
        return []
    for path, call_id, sha, status in found:
        if status == "purged" and sha not in (None, shas.get(path)):
            name = digest(f"{sha} {path}")
            entries[name] = LedgerEntry(name, sha, call_id, "purged", "erased")
    with _as_incoming(connection, {"path": [*(row[0] for row in found), *entries]}):
        connection.execute("DELETE FROM ledger WHERE path IN (SELECT path FROM incoming)")
    return [(path, call_id, sha) for path, call_id, sha, status in found if status != "purged"]


def save_scorecards(
    connection: Connection, scorecards: Sequence[Scorecard], rubrics: Iterable[RubricText], now: dt.datetime
) -> None:
    """Add scorecards, replacing a call's earlier one under the same rubric text; others are kept.

    Args:
        connection: Inside a transaction.
        scorecards: At most one per call and rubric.
        rubrics: The rubrics they were scored with.
        now: The ``loaded_at`` of all rows of the transaction.
    """
    _supersede(connection, scorecards)
    _save_rubrics(connection, rubrics, now)
    _append_scorecards(connection, scorecards, now)


def save_stage(
    connection: Connection, stage: str, runs: Mapping[str, Sequence[StageRun]], now: dt.datetime
) -> None:
    """Replace the rows of one stage for the calls and criteria that ``runs`` covers; other rows stay."""
    new = [(call_id, run) for call_id, call_runs in runs.items() for run in call_runs]
    keys = {
        "call_id": [call_id for call_id, _ in new],
        "rubric_id": [run.rubric_id for _, run in new],
        "criterion_id": [run.criterion_id for _, run in new],
    }
    with _as_incoming(connection, keys):
        connection.execute(
            "DELETE FROM stage_runs WHERE stage = ? AND (call_id, rubric_id, criterion_id) IN "
            "(SELECT (call_id, rubric_id, criterion_id) FROM incoming)",
            [stage],
        )
    _append(connection, "stage_runs", columns.stage_rows(list(runs.items())), now)


def _append_scorecards(connection: Connection, scorecards: Sequence[Scorecard], now: dt.datetime) -> None:
    for table, make in columns.SCORE_TABLES.items():
        _append(connection, table, make(scorecards), now)


def _supersede(connection: Connection, scorecards: Sequence[Scorecard]) -> None:
    """Prepare for new scorecards of the same calls.

    Stored scorecards under the same rubric text are deleted; those under an older text lose ``is_latest``.
    The rows of a scorecard share its ``loaded_at``, so DuckDB reads only the blocks of those times.
    """
    keys = {
        "call_id": [s.call_id for s in scorecards],
        "rubric_id": [s.rubric.id for s in scorecards],
        "rubric_hash": [s.rubric.hash for s in scorecards],
    }
    with _as_incoming(connection, keys):
        spans = connection.execute(
            "SELECT s.rubric_hash = i.rubric_hash, min(s.loaded_at), max(s.loaded_at) "
            "FROM scorecards AS s JOIN incoming AS i USING (call_id) "
            "WHERE s.rubric_hash = i.rubric_hash OR (s.rubric_id = i.rubric_id AND s.is_latest) GROUP BY ALL"
        ).fetchall()
        for same_text, first, last in sorted(spans, reverse=True):
            for table in columns.SCORE_TABLES if same_text else ("sections", "answers", "scorecards"):
                # scorecards come last, because the updates of the other tables look them up
                connection.execute(
                    f"DELETE FROM {table} WHERE loaded_at BETWEEN ? AND ? AND "  # noqa: S608
                    "(call_id, rubric_hash) IN (SELECT (call_id, rubric_hash) FROM incoming)"
                    if same_text
                    else f"UPDATE {table} SET is_latest = false WHERE loaded_at BETWEEN ? AND ? "  # noqa: S608
                    "AND is_latest AND (call_id, rubric_hash) IN "
                    "(SELECT (s.call_id, s.rubric_hash) FROM scorecards AS s "
                    "JOIN incoming AS i USING (call_id, rubric_id) WHERE s.is_latest)",
                    [first, last],
                )


def _save_rubrics(connection: Connection, rubrics: Iterable[RubricText], now: dt.datetime) -> None:
    stored = {h for (h,) in connection.execute("SELECT rubric_hash FROM rubrics").fetchall()}
    new = list({r.hash: r for r in rubrics if r.hash not in stored}.values())
    if new:
        # On a lake two writers may both find a rubric missing. Both update one row: only one can commit.
        connection.execute("UPDATE schema_migrations SET name = name WHERE version = 1")
        _append(connection, "rubrics", columns.rubrics(new), now)
        _append(connection, "criteria", columns.criteria(new), now)


def save_reviews(connection: Connection, reviews: Sequence[Review], now: dt.datetime) -> int:
    """Append the reviews that are not stored yet; returns how many these were."""
    stored = {r for (r,) in connection.execute("SELECT review_id FROM reviews").fetchall()}
    new = list({r.review_id: r for r in reviews if r.review_id not in stored}.values())
    _append(connection, "reviews", columns.reviews(new), now)
    return len(new)


def save_sample(connection: Connection, sample: Sequence[SampledCall], now: dt.datetime) -> None:
    """Record a sample of calls; an earlier sample with the same id is replaced."""
    connection.execute(
        "DELETE FROM samples WHERE sample_id IN (SELECT unnest(?::VARCHAR[]))",
        [list({s.sample_id for s in sample})],
    )
    _append(connection, "samples", columns.samples(sample), now)


def _stored_calls(connection: Connection, records: Sequence[CallRecord]) -> dict[str, _StoredCall]:
    """The calls already stored under the ids of these records, including the ids of ``_second_id``."""
    calls = [r for r in records if r.conversation is not None]
    ids = [columns.call_id(r) for r in calls]
    ids += [_second_id(i, r.ledger.audio_sha256) for i, r in zip(ids, calls, strict=True)]
    matching = "call_id IN (SELECT call_id FROM incoming)"
    with _as_incoming(connection, {"call_id": ids}):
        span = connection.execute(
            f"SELECT min(loaded_at), max(loaded_at) FROM calls WHERE {matching}"  # noqa: S608
        ).fetchone()
        rows = []
        if span and span[0]:  # paths and digests are long, so read them only where such calls exist
            rows = connection.execute(
                "SELECT call_id, audio_sha256, path, loaded_at, first_loaded_at FROM calls "  # noqa: S608
                f"WHERE loaded_at BETWEEN ? AND ? AND {matching}",
                span,
            ).fetchall()
    return {call_id: _StoredCall(*rest) for call_id, *rest in rows}


def _give_new_ids(
    connection: Connection,
    calls: Sequence[CallRecord],
    replaced: Sequence[tuple[str, str | None, str | None]],
    stored: Mapping[str, _StoredCall],
) -> dict[str, _StoredCall]:
    """Give stored calls the id under which the same recording now comes, for instance from a new manifest.

    Without this the recording would be stored twice, and counted twice. What people answered moves along.

    Args:
        connection: Inside a transaction.
        calls: The records with a conversation.
        replaced: Path, call id and SHA-256 of the ledger rows that the records replace.
        stored: The calls already stored under the ids of the records.

    Returns:
        The calls that have a new id, by that id.
    """
    now = {r.ledger.path: (columns.call_id(r), r.ledger.audio_sha256) for r in calls}
    new_ids = {}
    for path, old_id, sha in replaced:
        new_id, new_sha = now.get(path, (None, None))
        if old_id and new_id and old_id != new_id and sha == new_sha and new_id not in stored:
            new_ids[old_id] = new_id
    for kept in (columns.call_id(r) for r in calls):  # another file of this chunk has the old id
        new_ids.pop(kept or "", None)
    if not new_ids:
        return {}
    with _as_incoming(connection, {"old_id": list(new_ids), "new_id": list(new_ids.values())}):
        moving = connection.execute(
            "SELECT new_id, audio_sha256, path, loaded_at, first_loaded_at "
            "FROM calls JOIN incoming ON call_id = old_id "
            "WHERE old_id NOT IN (SELECT call_id FROM ledger WHERE call_id IS NOT NULL)"
        ).fetchall()
    moved = {new_id: _StoredCall(*rest) for new_id, *rest in moving}
    rows = [(old_id, new_id) for old_id, new_id in new_ids.items() if new_id in moved]
    with _as_incoming(connection, {"old_id": [o for o, _ in rows], "new_id": [n for _, n in rows]}):
        for table in columns.OF_CALLS:
            connection.execute(
                f"UPDATE {table} SET call_id = new_id FROM incoming WHERE call_id = old_id"  # noqa: S608
            )
    return moved


def _second_id(call_id: str | None, sha: str | None) -> str:
    """The id given to a recording whose call id already belongs to another recording."""
    return f"{call_id}~{(sha or '')[:8]}"


def _as_stored(
    records: Sequence[CallRecord], now: dt.datetime, stored: Mapping[str, _StoredCall], erased: Set[str]
) -> list[CallRecord]:
    """The records as they are stored: erased ones refused, clashing ids renamed, odd times warned of."""
    holders = {call_id: (call.audio_sha256, call.path) for call_id, call in stored.items()}
    checked = []
    for record in records:
        sha, path, call_id = record.ledger.audio_sha256, record.ledger.path, columns.call_id(record)
        if is_erased(erased, path, sha, call_id):
            checked.append(_refuse(record))
            continue
        if call_id is not None and record.conversation is not None:
            holder_sha, holder_path = holders.setdefault(call_id, (sha, path))
            if sha and holder_sha and holder_sha != sha and holder_path != columns.clean(path):
                record = _rename(record, call_id, _second_id(call_id, sha), holder_path)
            record = _check_start_time(record, now)
        checked.append(record)
    return checked


def _refuse(record: CallRecord) -> CallRecord:
    """A record with only a tombstone in the ledger, for a recording that was erased and is met again."""
    ledger = replace(
        record.ledger,
        path=digest(record.ledger.path),
        call_id=digest(record.ledger.call_id) if record.ledger.call_id else None,
        status="purged",
        reason="erased",
        error="",
        hint="",
        warnings=(),
    )
    return CallRecord(ledger=ledger)


def _rename(record: CallRecord, call_id: str, new_id: str, holder: str) -> CallRecord:
    """Give a recording the id ``new_id``, because another recording already has its call id."""
    warning = f"call id {call_id} is already that of {holder} with other audio; kept as {new_id}"
    conversation = record.conversation
    assert conversation is not None
    return replace(
        record,
        ledger=replace(record.ledger, call_id=new_id, warnings=(*record.ledger.warnings, warning)),
        metadata=replace(record.metadata or CallMetadata(call_id=call_id), call_id=new_id),
        conversation=replace(conversation, transcript=replace(conversation.transcript, call_id=new_id)),
        scorecards=tuple(replace(s, call_id=new_id) for s in record.scorecards),
    )


def _check_start_time(record: CallRecord, now: dt.datetime) -> CallRecord:
    """Give a start time without a zone the site's zone, and warn of a start in the future."""
    metadata = record.metadata
    if metadata is None or metadata.started_at is None:
        return record
    warnings = record.ledger.warnings
    started = metadata.started_at
    if started.tzinfo is None:
        started = started.replace(tzinfo=metadata.zone)
        warnings = (*warnings, f"start time had no zone; taken as {metadata.zone.key}")
    if started > now + dt.timedelta(days=1):
        warnings = (*warnings, f"start time {started.isoformat()} lies in the future")
    if warnings is record.ledger.warnings:
        return record
    return replace(
        record,
        metadata=replace(metadata, started_at=started),
        ledger=replace(record.ledger, warnings=warnings),
    )


def _append(connection: Connection, table: str, rows: columns.Columns, now: dt.datetime) -> None:
    """Append rows stamped with ``now``; not with SQL, whose planning takes longer than the insert."""
    built = columns.arrow(rows, connection.table(table).limit(0).to_arrow_table().schema)
    if built.num_rows:
        stamp = built.schema.get_field_index("recorded_at" if table == "ledger" else "loaded_at")
        times = pa.repeat(pa.scalar(now, built.schema.field(stamp).type), built.num_rows)
        stamped = built.set_column(stamp, built.schema.field(stamp), times)
        connection.from_arrow(stamped.__arrow_c_stream__()).insert_into(table)  # needs no pyarrow.dataset


@contextmanager
def _as_incoming(connection: Connection, rows: Mapping[str, list[Any]]) -> Iterator[None]:
    """Make columns of strings visible to SQL as the table ``incoming``."""
    connection.register("incoming", pa.table({name: columns.texts(values) for name, values in rows.items()}))
    yield
    connection.unregister("incoming")
