"""Opens the database for one writer or many readers, loads extensions, and explains DuckDB's refusals."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb

from pipeline.errors import MachineError, StoreError, StoreLockedError

Connection = duckdb.DuckDBPyConnection
OnWait = Callable[[str], None]
RETRY_S = 0.1
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # never download an extension
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a table name in SQL never means a Python variable
}
WHEELS = {name: f"duckdb-extension-{name.replace('_', '-')}" for name in (
    "fts", "ducklake", "sqlite_scanner", "postgres_scanner", "httpfs",
)}  # fmt: skip
"""The wheels that DuckDB's extensions are installed from, by name."""


def connect(db: Path, *, read_only: bool, lock_timeout_s: float, on_wait: OnWait | None = None) -> Connection:
    """Open a DuckDB file, waiting while another process has it locked.

    Raises:
        StoreLockedError: Another process still holds the file after the wait.
        StoreError: The file is no DuckDB file, does not exist or cannot be read.
        MachineError: The disk is full; a file that was being created is removed again.
    """
    if read_only and not db.exists():
        raise StoreError(f"no database at {db}", hint=f"make one with: callqa run PATH --db {db}")
    _require_duckdb(db)

    def attempt() -> Connection:
        connection = duckdb.connect(str(db), read_only=read_only, config=CONFIG)
        connection.execute("SET TimeZone = 'UTC'; SET enable_progress_bar = false")
        return connection

    fresh = not db.exists()
    try:
        return wait_for(attempt, str(db), lock_timeout_s, on_wait)
    except MachineError:
        if fresh:  # only half a header was written, and DuckDB could not open the file again
            db.unlink(missing_ok=True)
        raise


def prepare_bulk_load(connection: Connection) -> None:
    """Set DuckDB up for loading chunks of calls: a few thousand rows per transaction.

    For so few rows a second thread makes loading 50 % slower. Merging the chunks' small row groups and
    compressing texts with FSST wait until ``allow_compaction``. The checkpoint threshold stays at DuckDB's
    default: with 256 MB chunks load faster, but DuckDB 1.5.5 crashed in COMMIT after a large insert.
    """
    connection.execute("SET threads = 1; SET max_vacuum_tasks = 0; SET disabled_compression_methods = 'fsst'")


def allow_compaction(connection: Connection) -> None:
    """Let the next checkpoint (closing a writer makes one) merge and compress what the chunks wrote.

    It merges only a few row groups of each table. Merging all those of a long session would take half as
    long as the session itself, and the merged copy needs extra space until later chunks reuse the old.
    """
    with contextlib.suppress(duckdb.Error):  # an earlier fault may have made the database unusable
        connection.execute("RESET threads; RESET disabled_compression_methods; SET max_vacuum_tasks = 10")


def wait_for(
    attempt: Callable[[], Connection], db: str, lock_timeout_s: float, on_wait: OnWait | None
) -> Connection:
    """Retry ``attempt`` while the database is locked, until the timeout; raise any other error at once."""
    deadline = time.monotonic() + lock_timeout_s
    announced = False
    while True:
        try:
            return attempt()
        except duckdb.Error as error:
            holder = _holder(str(error))
            if holder is None:
                raise refused(error, db) from error
            if time.monotonic() >= deadline:
                raise StoreLockedError(
                    f"{db} is in use by {holder} (waited {lock_timeout_s:g} s)",
                    hint="wait for it to finish, or read a copy made with: callqa snapshot COPY.duckdb",
                ) from error
            if on_wait is not None and not announced:
                on_wait(f"{db} is in use by {holder}; waiting up to {lock_timeout_s:g} s")
                announced = True
            time.sleep(RETRY_S)


def _require_duckdb(db: Path) -> None:
    """Refuse a file of another format: DuckDB itself would open some of them, such as SQLite's."""
    try:
        with db.open("rb") as file:
            if file.read(12)[8:] != b"DUCK":
                raise _not_duckdb(db)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return  # DuckDB creates the file, or says why it cannot


def _not_duckdb(db: str | Path) -> StoreError:
    return StoreError(
        f"{db} is not a DuckDB database, or is damaged",
        hint="check --db; restore the file from a copy if it was one",
    )


def _holder(message: str) -> str | None:
    """Who holds the lock, read from DuckDB's message; None when the error is not about a lock."""
    if held := re.search(r"held in (.+?) \(PID (\d+)\)", message):
        return f"process {held[2]} ({Path(held[1]).name})"
    if "different configuration than existing connections" in message:
        return "this same process"
    locked = (
        r"could not set lock|database is locked|unique file handle conflict"
        r"|failed to initialize ducklake.*already exists"  # two processes create the same lake at once
    )
    return "another process" if re.search(locked, message, re.IGNORECASE | re.DOTALL) else None


def load_extension(connection: Connection, name: str) -> None:
    """Load an extension; the first time, copy it from its wheel to the folder where DuckDB looks.

    Raises:
        StoreError: The extension is not installed; none is ever downloaded.
    """
    try:
        connection.execute(f"LOAD {name}")
    except duckdb.Error:
        import duckdb_extensions

        with contextlib.suppress(Exception):  # a wheel that is missing or of another version fails LOAD next
            duckdb_extensions.import_extension(name)
        try:
            connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            raise StoreError(
                f"DuckDB's extension {name} is not installed for DuckDB {duckdb.__version__}",
                hint=f"pip install {WHEELS[name]}=={duckdb.__version__}",
            ) from error


def scalar(connection: Connection, sql: str, values: Sequence[Any] = ()) -> Any:
    """The first value that a statement returns (of INSERT, UPDATE and COPY the number of rows); else None."""
    row = connection.execute(sql, list(values)).fetchone()
    return row[0] if row else None


def quoted(text: object) -> str:
    """Escape text for an SQL string literal, for places where SQL takes no parameter."""
    return str(text).replace("'", "''")


def is_damage(error: duckdb.Error) -> bool:
    """Whether the error means damaged data, which DuckDB may notice only when it reads the damaged part."""
    damaged = r"corrupt|checksum|failed to deserialize|INTERNAL Error|could not read enough bytes"
    return re.search(damaged, str(error), re.I) is not None


def refused(error: duckdb.Error, db: str | Path) -> StoreError | MachineError:
    """Translate an error of DuckDB into one of ``pipeline.errors``."""
    text = str(error)
    if "not a valid DuckDB database" in text:
        return _not_duckdb(db)
    if is_damage(error):
        return StoreError(
            f"{db} is damaged: {text.splitlines()[0]}",
            hint="go on with a copy: a snapshot, or callqa restore BACKUP --db NEW.duckdb",
        )
    if "newer version" in text or "storage version" in text.lower():
        return StoreError(f"{db} was written by a newer DuckDB", hint="upgrade duckdb: pip install -U callqa")
    if re.search(r"no space left|disk is full|could not write|out of disk", text, re.IGNORECASE):
        return MachineError(
            f"{db}: the disk is full; what was committed before is kept",
            hint="free some space, then run the same command again",
        )
    if kept := re.search(r'does not match existing data path in the catalog "(.*)"', text):
        hint = "leave ?data_path=… out of --db, or give that folder"
        return StoreError(f"{db}: this lake has its rows in {kept[1]}", hint=hint)
    if gone := re.search(r'"([^"]+\.parquet)": No such file', text):
        hint = "the folder of the lake's rows must be there, under the path that the lake was made with"
        return StoreError(f"{db}: its file {gone[1]} is not there", hint=hint)
    if "No such file" in text:
        return StoreError(f"cannot make {db}: its folder does not exist", hint="make the folder first")
    return StoreError(f"{db}: {text.splitlines()[0]}", hint="check the path and its permissions")
