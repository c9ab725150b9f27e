"""The store: one DuckDB file that keeps every call, answer and ledger row.

One process writes, a window of calls in one transaction; any number read while nobody writes.
Open it for writing only while loading, so that readers never wait long.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import duckdb

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    Review,
    SampledCall,
    Scorecard,
)
from pipeline.errors import StoreError
from pipeline.store import load as loading
from pipeline.store import migrations, read
from pipeline.store.connection import Connection, OnWait, connect, refused
from pipeline.store.erase import path_hash
from pipeline.store.selection import CallFilter

EVERYTHING = CallFilter()


@dataclass(frozen=True, slots=True)
class Known:
    """What the store already holds of a recording: which work on it is done.

    ``stages`` maps stage to fingerprint; ``rubric_hashes`` are those it is scored under.
    """

    ledger: LedgerEntry
    stages: Mapping[str, str]
    rubric_hashes: frozenset[str]


class Store:
    """A database of calls, as a context manager.

    Args:
        db: Path of a DuckDB file; made when absent, unless ``read_only``.
        read_only: Read beside other readers; writing then raises.
        lock_timeout_s: How long to wait for another process that holds the file.
        on_wait: Told once, in a sentence, who holds the file when a wait begins.

    Raises:
        StoreLockedError: On entering: another process still holds the file after the wait.
        StoreError: On entering: not a database of ours, or a newer one.
    """

    def __init__(
        self,
        db: str | Path,
        *,
        read_only: bool = False,
        lock_timeout_s: float = 30.0,
        on_wait: OnWait | None = None,
    ) -> None:
        self.db = Path(db)
        self.read_only = read_only
        self._lock_timeout_s = lock_timeout_s
        self._on_wait = on_wait
        self._open: Connection | None = None

    def __enter__(self) -> Store:
        connection = self._connect(read_only=self.read_only)
        try:
            if migrations.behind(connection, str(self.db)):
                connection = self._migrated(connection)
        except BaseException:
            connection.close()
            raise
        self._open = connection
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None

    @property
    def connection(self) -> Connection:
        """The open DuckDB connection, for this package."""
        if self._open is None:
            raise StoreError("the store is not open", hint="use it as: with Store(db) as store")
        return self._open

    def _connect(self, *, read_only: bool) -> Connection:
        return connect(
            self.db, read_only=read_only, lock_timeout_s=self._lock_timeout_s, on_wait=self._on_wait
        )

    def _migrated(self, connection: Connection) -> Connection:
        """Bring the schema up to date, for which even a reader must write once."""
        if self.read_only:
            connection.close()
            connection = self._connect(read_only=False)
        try:
            migrations.migrate(connection, self.db)
        except BaseException:
            connection.close()
            raise
        if self.read_only:
            connection.close()
            connection = self._connect(read_only=True)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """All or nothing; DuckDB's refusals leave as errors of ours."""
        connection = self.connection
        connection.execute("BEGIN")
        try:
            yield connection
            connection.execute("COMMIT")
        except BaseException as error:
            self._rollback()
            if isinstance(error, duckdb.Error):
                raise refused(error, self.db) from error
            raise

    def _rollback(self) -> None:
        try:
            self.connection.execute("ROLLBACK")
        except duckdb.Error:  # a failed COMMIT has already rolled back
            return

    def load(self, records: Sequence[CallRecord], rubrics: Iterable[loading.RubricText] = ()) -> None:
        """Write a window of records in one transaction; loading the same again changes nothing.

        A second recording that claims a call id already taken is kept under an id of its own, with a
        warning in its ledger row; a recording that was erased is refused.

        Args:
            records: At most a few hundred; a later one replaces an earlier one of the same call.
            rubrics: The rubrics their scorecards refer to.

        Raises:
            StoreError: The database refuses; nothing of the window is kept.
            MachineError: The disk is full; nothing of the window is kept.
        """
        with self.transaction() as connection:
            connection.execute("SET threads = 1")  # small inserts: handing them to threads costs more
            loading.load(connection, records, rubrics)
            connection.execute("RESET threads")

    def save_scorecards(
        self, scorecards: Sequence[Scorecard], rubrics: Iterable[loading.RubricText] = ()
    ) -> None:
        """Add scorecards of calls already stored; those under other rubric texts are kept.

        Raises:
            StoreError: The database refuses; nothing is kept.
        """
        with self.transaction() as connection:
            loading.save_scorecards(connection, scorecards, rubrics, dt.datetime.now(dt.UTC))

    def save_reviews(self, reviews: Sequence[Review]) -> int:
        """Append what people answered; those already there are left alone. Returns how many were new.

        Raises:
            StoreError: The database refuses; nothing is kept.
        """
        with self.transaction() as connection:
            return loading.save_reviews(connection, reviews, dt.datetime.now(dt.UTC))

    def save_sample(self, sample: Sequence[SampledCall]) -> None:
        """Record which calls were drawn for review, and how.

        Raises:
            StoreError: The database refuses; nothing is kept.
        """
        with self.transaction() as connection:
            loading.save_sample(connection, sample, dt.datetime.now(dt.UTC))

    def reviews(self, calls: CallFilter = EVERYTHING) -> list[Review]:
        """Everything people said about these calls, oldest first."""
        return read.reviews(self.connection, calls)

    def ledger(self, paths: Sequence[str]) -> dict[str, LedgerEntry]:
        """The ledger rows of these paths, by path; what a re-run may skip."""
        return read.ledger(self.connection, paths)

    def known(
        self, *, audio_sha256: Sequence[str] = (), call_ids: Sequence[str] = (), paths: Sequence[str] = ()
    ) -> list[Known]:
        """What is already there of these recordings, by any of their names.

        Erased recordings are among them, with status ``purged``.
        """
        keys = [list(audio_sha256), list(call_ids), [*paths, *map(path_hash, paths)]]
        found = read.rows(
            self.connection,
            "SELECT ledger.* EXCLUDE (recorded_at), "
            "(SELECT map_from_entries(list((stage, fingerprint))) FROM stage_runs AS s "
            "WHERE s.call_id = ledger.call_id) AS stages, "
            "(SELECT list(rubric_hash) FROM scorecards AS c WHERE c.call_id = ledger.call_id) AS hashes "
            "FROM ledger WHERE audio_sha256 IN (SELECT unnest(?::VARCHAR[])) "
            "OR call_id IN (SELECT unnest(?::VARCHAR[])) OR path IN (SELECT unnest(?::VARCHAR[]))",
            keys,
        )
        return [
            Known(
                stages=row.pop("stages") or {},
                rubric_hashes=frozenset(row.pop("hashes") or ()),
                ledger=read.ledger_entry(row),
            )
            for row in found
        ]

    def conversations(self, calls: CallFilter = EVERYTHING) -> Iterator[tuple[CallMetadata, Conversation]]:
        """Stored calls as nouns, exactly as they were loaded, in the order they were loaded."""
        return read.conversations(self.connection, calls)

    def scorecards(self, calls: CallFilter = EVERYTHING) -> Iterator[Scorecard]:
        """Stored scorecards: the newest of each rubric id, or those of one rubric hash."""
        return read.scorecards(self.connection, calls)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """The answer of a query, a dict a row; times are aware datetimes in UTC.

        Raises:
            StoreError: The SQL is wrong; the message is DuckDB's.
        """
        try:
            return read.rows(self.connection, sql, values)
        except duckdb.Error as error:
            raise StoreError(f"SQL: {error}") from error
