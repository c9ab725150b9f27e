"""The store: one DuckDB file that keeps every call, answer and ledger row.

Either one process writes, a chunk of calls per transaction, or any number of processes read. So open the
store for writing only while loading, and readers never wait long.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import duckdb

from pipeline.conversation import (
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    Review,
    SampledCall,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.errors import StoreError
from pipeline.store import erase, files, integrity, migrations, parquet, read
from pipeline.store import load as loading
from pipeline.store.connection import (
    Connection,
    OnWait,
    allow_compaction,
    connect,
    is_damage,
    prepare_bulk_load,
    refused,
)
from pipeline.store.erase import Erasure, Forget, Purged, StateFolder
from pipeline.store.selection import CallFilter

if TYPE_CHECKING:
    from pipeline.rubric import Rubric

T = TypeVar("T")
EVERYTHING = CallFilter()
CHUNK = 500  # calls per transaction


class Store:
    """A database of calls in one DuckDB file, as a context manager; ``LakeStore`` keeps it in a lake.

    ``open_store`` explains the arguments. The file is created when absent, unless ``read_only``. A write that
    the database refuses raises ``StoreError`` and stores nothing.

    Raises:
        StoreLockedError: On entering: another process still holds the file after the wait.
        StoreError: On entering: callqa did not make the database, or a newer version did.
    """

    retries_s: ClassVar[tuple[float, ...]] = ()
    """Pauses before each retry of a write that lost to another writer; a file has only one writer."""

    def __init__(
        self,
        db: str | Path,
        *,
        read_only: bool = False,
        lock_timeout_s: float = 30.0,
        on_wait: OnWait | None = None,
    ) -> None:
        self.db = str(db)
        self.read_only = read_only
        self._lock_timeout_s = lock_timeout_s
        self._on_wait = on_wait
        self._open: Connection | None = None

    def __enter__(self) -> Store:
        for pause_s in (*self.retries_s, None):
            connection = self._connect(read_only=self.read_only)
            try:
                if migrations.behind(connection, self.shown):
                    connection = self._migrated(connection)
            except duckdb.Error as error:  # another process may be creating the same lake: retry
                connection.close()
                if pause_s is None:
                    raise refused(error, self.shown) from error
                time.sleep(pause_s)
            except BaseException:
                connection.close()
                raise
            else:
                self._open = connection
                break
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            if not self.read_only:
                allow_compaction(self._open)
            self._open.close()
            self._open = None

    @property
    def connection(self) -> Connection:
        """The open DuckDB connection, for use inside this package."""
        if self._open is None:
            raise StoreError("the store is not open", hint="use it as: with Store(db) as store")
        return self._open

    @property
    def file(self) -> Path | None:
        """The database file; None for a lake."""
        return Path(self.db)

    @property
    def index_path(self) -> Path:
        """The file of the full text search index."""
        return files.index_path(Path(self.db))

    @property
    def shown(self) -> str:
        """The address of the database for messages, without passwords."""
        return self.db

    @property
    def size_bytes(self) -> int | None:
        """Size on disk in bytes; None for a lake, whose files may be in an object store."""
        return files.size(self.file) if self.file else None

    def exists(self) -> bool:
        """Whether the database exists; if not, opening it for writing creates it. A lake is always made."""
        return self.file is None or self.file.exists()

    def folders(self) -> list[str]:
        """Folders that must be readable besides the database's own file."""
        return []

    def _connect(self, *, read_only: bool) -> Connection:
        return connect(
            Path(self.db), read_only=read_only, lock_timeout_s=self._lock_timeout_s, on_wait=self._on_wait
        )

    def _is_conflict(self, error: StoreError) -> bool:
        """Whether a write failed only because another writer committed first."""
        return False

    def _migrated(self, connection: Connection) -> Connection:
        """Bring the schema up to date; a reader reopens the database for writing to do so."""
        if self.read_only:
            connection.close()
            connection = self._connect(read_only=False)
        try:
            migrations.migrate(connection, self.file)
        except BaseException:
            connection.close()
            raise
        if self.read_only:
            connection.close()
            connection = self._connect(read_only=True)
        return connection

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Run the block as one transaction; errors of DuckDB are raised as ours."""
        connection = self.connection
        connection.execute("BEGIN")
        with self.translating_errors():
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                with suppress(duckdb.Error):  # a failed COMMIT has already rolled back
                    connection.execute("ROLLBACK")
                raise

    @contextmanager
    def translating_errors(self) -> Iterator[None]:
        """Raise errors of DuckDB as ours: damage may show only when the damaged part is read."""
        try:
            yield
        except duckdb.Error as error:
            raise refused(error, self.shown) from error

    def _write(self, work: Callable[[Connection, dt.datetime], T]) -> T:
        """Run ``work`` in one transaction, and again when another writer committed first."""

        def once() -> T:
            with self.transaction() as connection:
                return work(connection, dt.datetime.now(dt.UTC))

        return self._insist(once)

    def _insist(self, work: Callable[[], T]) -> T:
        """Run ``work``, which commits something, and again when another writer committed first."""
        for pause_s in (*self.retries_s, None):
            try:
                with self.translating_errors():
                    return work()
            except StoreError as error:
                if not self._is_conflict(error):
                    raise
                if pause_s is None:
                    raise StoreError(
                        f"{self.shown}: other processes wrote all the time, so this one could not",
                        hint="run the same command again, best while no batch runs",
                    ) from error
                time.sleep(pause_s * random.uniform(0.5, 1.5))  # noqa: S311
        raise AssertionError("the last attempt returns or raises")

    def load(self, records: Sequence[CallRecord], rubrics: Iterable[loading.RubricText] = ()) -> None:
        """Write any number of records, one transaction per chunk; loading them again changes nothing.

        A later record replaces an earlier one of the same call. When a recording has the call id of another
        recording, it is stored under a new id with a warning in its ledger row. A recording that was erased
        is refused.

        Raises:
            StoreError: The database refuses. The chunk is not stored, earlier chunks are.
            MachineError: The disk is full. The chunk is not stored, earlier chunks are.
        """
        rubrics = list(rubrics)
        prepare_bulk_load(self.connection)
        for at in range(0, len(records) or 1, CHUNK):
            self._load_chunk(records[at : at + CHUNK], rubrics)

    def _load_chunk(self, chunk: Sequence[CallRecord], rubrics: Sequence[loading.RubricText]) -> None:
        self._write(lambda connection, now: loading.load(connection, chunk, rubrics, now))

    def save_scorecards(
        self, scorecards: Sequence[Scorecard], rubrics: Iterable[loading.RubricText] = ()
    ) -> None:
        """Add scorecards of calls already stored; their scorecards under other rubric texts are kept."""
        rubrics = list(rubrics)
        prepare_bulk_load(self.connection)
        self._write(lambda connection, now: loading.save_scorecards(connection, scorecards, rubrics, now))

    def save_stage(self, stage: str, runs: Mapping[str, Sequence[StageRun]]) -> None:
        """Replace the runs of one stage of stored calls, by call id; calls without new runs keep theirs."""
        new = {call_id: call_runs for call_id, call_runs in runs.items() if call_runs}
        if new:
            self._write(lambda connection, now: loading.save_stage(connection, stage, new, now))

    def limit_memory(self) -> None:
        """Keep at most 128 MB of the file in memory from now on, for a pass that reads every call once."""
        self.connection.execute("SET memory_limit = '128MB'")

    def save_reviews(self, reviews: Sequence[Review]) -> int:
        """Append people's answers, except those already stored; returns how many were new."""
        return self._write(lambda connection, now: loading.save_reviews(connection, reviews, now))

    def save_sample(self, sample: Sequence[SampledCall]) -> None:
        """Record which calls were drawn for review, and how."""
        self._write(lambda connection, now: loading.save_sample(connection, sample, now))

    def reviews(self, calls: CallFilter = EVERYTHING) -> list[Review]:
        """All reviews of matching calls, oldest first."""
        with self.translating_errors():
            return read.reviews(self.connection, calls)

    def rubrics(self, hashes: Iterable[str]) -> dict[str, Rubric]:
        """Rubrics by hash, oldest first; those that this version cannot parse are left out."""
        return read.rubrics(self.connection, hashes)

    def ledger(self, paths: Sequence[str]) -> dict[str, LedgerEntry]:
        """The ledger rows of these paths, by path: they say what a new run may skip."""
        with self.translating_errors():
            return read.ledger(self.connection, paths)

    def tombstones(self) -> frozenset[str]:
        """What is remembered of erased calls, for ``erase.is_erased``."""
        with self.translating_errors():
            return erase.tombstones(self.connection)

    def drop_refused(self, paths: Sequence[str]) -> None:
        """Delete the ledger rows of these paths that are of no call."""
        sql = "DELETE FROM ledger WHERE call_id IS NULL AND path IN (SELECT unnest(?::VARCHAR[]))"
        self._write(lambda connection, _: connection.execute(sql, [list(paths)]))

    def reworded(self, rubrics: Iterable[loading.RubricText]) -> tuple[str, ...]:
        """Ids of the rubrics that are stored under other texts but not yet under this one."""
        stored = self.query("SELECT rubric_id, rubric_hash FROM rubrics")
        ids, hashes = {row["rubric_id"] for row in stored}, {row["rubric_hash"] for row in stored}
        return tuple(r.id for r in rubrics if r.id in ids and r.hash not in hashes)

    def conversations(self, calls: CallFilter = EVERYTHING) -> Iterator[tuple[CallMetadata, Conversation]]:
        """Metadata and conversation of stored calls, exactly as loaded and in the order of loading."""
        for chunk in self.stored(calls):
            yield from read.conversations_of(chunk)

    def stored(self, calls: CallFilter = EVERYTHING) -> Iterator[read.StoredCalls]:
        """Stored calls as rows; ``read.conversations_of`` makes objects of them, also in another process."""
        with self.translating_errors():
            yield from read.stored(self.connection, calls)

    def headings(self, calls: CallFilter = EVERYTHING) -> Iterator[tuple[CallMetadata, Transcript]]:
        """Stored calls without their turns, in the order of loading; those with erased words are left out."""
        with self.translating_errors():
            yield from read.headings(self.connection, calls)

    def count(self, calls: CallFilter = EVERYTHING) -> int:
        """The number of stored calls that match."""
        where, values = calls.where()
        return int(self.query(f"SELECT count(*) AS n FROM calls WHERE {where}", values)[0]["n"])  # noqa: S608

    def scorecards(self, calls: CallFilter = EVERYTHING) -> Iterator[Scorecard]:
        """Stored scorecards: the newest under each rubric id, or those under one rubric hash."""
        with self.translating_errors():
            yield from read.scorecards(self.connection, calls)

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Run a query; returns one dict per row, with times as aware datetimes in UTC.

        Raises:
            StoreError: The SQL is wrong; the message is DuckDB's.
        """
        try:
            return read.rows(self.connection, sql, values)
        except duckdb.Error as error:
            raise refused(error, self.shown) if is_damage(error) else StoreError(f"SQL: {error}") from error

    def purge(
        self,
        calls: CallFilter,
        *,
        older_than: dt.datetime | None = None,
        keep_figures: bool = False,
        forget: Forget = lambda call_ids: 0,
    ) -> Purged:
        """Erase matching calls for good and reclaim their space; their recordings are never taken in again.

        The search index and the backups made by migrations are deleted too, since they hold words. What an
        earlier purge could not do, for want of space or as somebody was reading, is done now.

        Args:
            calls: Which calls; it needs a condition unless ``older_than`` is given.
            older_than: Only calls that began before this; those without a start time, first loaded so.
            keep_figures: Keep scores, answers and metrics, but no words and no reference to the customer.
            forget: Deletes what is kept elsewhere of calls, given by their ids and of those erased before by
                their digests; called once the calls are erased, and returns of how many it found something.

        Raises:
            StoreError: No condition was given, or the database refuses.
            MachineError: The disk is full; what was to be erased may be erased, but its space is not free.
        """
        before = self.size_bytes
        # There while erased rows still take space; of a lake nothing can be told.
        unfinished = self.file and self.file.with_name(f"{self.file.name}.purging")

        def work(connection: Connection, _: dt.datetime) -> Erasure:
            erasure = erase.erase(connection, calls, older_than, keep_figures=keep_figures)
            if erasure.call_ids and unfinished:
                unfinished.touch()
            return erasure

        erasure = self._write(work)
        forgotten = forget([*erasure.call_ids, *erase.erased(self.connection)])
        if not erasure.call_ids and unfinished and not unfinished.exists():
            return Purged(erasure, forgotten, before, before, ())
        removed, after = self._insist(self._reclaim)
        if unfinished:
            unfinished.unlink(missing_ok=True)
        return Purged(erasure, forgotten, before, after, removed)

    def state_folders(self) -> list[StateFolder]:
        """The folders that hold words of calls besides the database."""
        return [StateFolder(**row) for row in self.query("SELECT folder_id, host, path FROM state_folders")]

    def use_state_folder(self, folder: StateFolder, forget: Forget) -> None:
        """Remember a folder for ``purge``; have it ``forget`` what was erased since it was last used."""
        if not erase.is_rid(self.connection, folder):
            forget(erase.erased(self.connection))
            self._write(lambda connection, now: erase.save_folder(connection, folder, now))

    def _reclaim(self) -> tuple[tuple[str, ...], int | None]:
        """Free the space of erased rows; returns the files deleted and the database's new size in bytes."""
        removed = files.derived(Path(self.db))
        for file in removed:
            file.unlink(missing_ok=True)
        return tuple(map(str, removed)), self.compact()

    def count_erasable(self, calls: CallFilter, *, older_than: dt.datetime | None = None) -> int:
        """The number of calls that ``purge`` would erase."""
        where, values = erase.condition(calls, older_than)
        return int(self.query(f"SELECT count(*) AS n FROM calls WHERE {where}", values)[0]["n"])  # noqa: S608

    def compact(self) -> int:
        """Rewrite the file without deleted rows; returns its size in bytes."""
        allow_compaction(self.connection)
        size = files.rewrite(self.connection, Path(self.db), make_empty)
        self._open = self._connect(read_only=False)
        return size

    def snapshot(self, dest: Path) -> int:
        """Copy the database, open for reading, to a file that appears when complete; returns its bytes.

        Raises:
            StoreError: ``dest`` is the database itself.
            MachineError: ``dest`` cannot be written.
        """
        if self._open is not None and files.wal(Path(self.db)).exists():  # left by a writer that was killed
            self._open.close()
            with Store(self.db, lock_timeout_s=self._lock_timeout_s, on_wait=self._on_wait):
                pass  # closing a writer moves the log into the file
            self._open = self._connect(read_only=self.read_only)
        return files.copy(Path(self.db), dest)

    def refuse_itself(self, dest: Path) -> None:
        """Raise ``StoreError`` where ``dest``, a file to be written, is the database itself."""
        files.refuse_itself(Path(self.db), dest)  # a lake has no file that could be meant

    def export_parquet(self, folder: Path) -> dict[str, int]:
        """Write the whole store as Parquet files to a folder; returns the number of rows by table."""
        with self.translating_errors():
            return parquet.write(self.connection, folder)

    def import_parquet(self, folder: Path, on_note: OnWait | None = None) -> dict[str, int]:
        """Import a folder written by ``export_parquet`` in one transaction; returns the rows by table.

        The search index is deleted, as it takes only what was loaded after it for new. ``on_note`` is called
        where stored calls lose their ledger rows to other recordings of the same paths.
        """
        allow_compaction(self.connection)
        before = len(self.query(integrity.UNLISTED))
        rows = self._write(lambda connection, _: parquet.read(connection, folder))
        if (lost := len(self.query(integrity.UNLISTED)) - before) > 0 and on_note:
            on_note(
                f"calls that have no row in the ledger any more: {lost}; {folder} has other recordings of "
                "the same paths, as of another machine; the calls stay and count"
            )
        files.index_path(Path(self.db)).unlink(missing_ok=True)  # a lake has none
        return rows

    def check(self) -> list[integrity.BrokenInvariant]:
        """Every broken invariant of the store; an empty list when there is none."""
        with self.translating_errors():
            return integrity.check(self.connection)


def make_empty(path: Path) -> None:
    """Create an empty database of the current schema."""
    with Store(path):
        pass
