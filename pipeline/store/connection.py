"""Opening the database: one writer or many readers, and plain words when it cannot be opened."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable
from pathlib import Path

import duckdb

from pipeline.errors import MachineError, StoreError, StoreLockedError

Connection = duckdb.DuckDBPyConnection
OnWait = Callable[[str], None]
RETRY_S = 0.1
CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,  # nothing is ever fetched
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # a table name in SQL never means a Python variable
}


def connect(db: Path, *, read_only: bool, lock_timeout_s: float, on_wait: OnWait | None = None) -> Connection:
    """Open a DuckDB file, waiting for another process to let go of it.

    Args:
        db: The file; made when absent, unless ``read_only``.
        read_only: Open for reading only, beside any number of other readers.
        lock_timeout_s: How long to wait for another process.
        on_wait: Told once who holds the file, when a wait begins.

    Raises:
        StoreLockedError: Another process still holds it after the wait.
        StoreError: Not a DuckDB file, not there, or not readable.
        MachineError: The disk is full; nothing is left of a file that was to be made.
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
        if fresh:  # half a header, which nothing could open again
            db.unlink(missing_ok=True)
        raise


def hasten(connection: Connection) -> None:
    """Make ready for windows of calls: a few thousand rows at a time, each committed.

    For so few rows a second thread costs half as much again. Merging the small row groups of windows and
    looking for substrings that texts share are put off until ``tidy``. The checkpoint threshold stays
    DuckDB's own: at 256 MB windows load faster, but 1.5.5 crashed in COMMIT after a large insert.
    """
    connection.execute("SET threads = 1; SET max_vacuum_tasks = 0; SET disabled_compression_methods = 'fsst'")


def tidy(connection: Connection) -> None:
    """Let the next checkpoint, such as closing a writer makes, merge and compress what windows left.

    A few row groups of each table: merging all of a long session would take half as long again as the
    session, and what is merged lies beside what it was made of until later windows take that space.
    """
    with contextlib.suppress(duckdb.Error):  # after a fault that made the database unusable
        connection.execute("RESET threads; RESET disabled_compression_methods; SET max_vacuum_tasks = 10")


def wait_for(
    attempt: Callable[[], Connection], db: str, lock_timeout_s: float, on_wait: OnWait | None
) -> Connection:
    """Try until it opens or the time is up; every other fault ends it at once."""
    deadline = time.monotonic() + lock_timeout_s
    told = False
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
            if on_wait is not None and not told:
                on_wait(f"{db} is in use by {holder}; waiting up to {lock_timeout_s:g} s")
                told = True
            time.sleep(RETRY_S)


def _require_duckdb(db: Path) -> None:
    """Refuse other files at once: DuckDB itself would open some of them, such as SQLite's."""
    try:
        with db.open("rb") as file:
            if file.read(12)[8:] != b"DUCK":
                raise _foreign(db)
    except (FileNotFoundError, IsADirectoryError, PermissionError):
        return  # DuckDB makes it, or says why not


def _foreign(db: str | Path) -> StoreError:
    return StoreError(
        f"{db} is not a DuckDB database, or is damaged",
        hint="check --db; restore the file from a copy if it was one",
    )


def _holder(message: str) -> str | None:
    """Who holds the lock, from DuckDB's message; None when the fault is no lock."""
    if held := re.search(r"held in (.+?) \(PID (\d+)\)", message):
        return f"process {held[2]} ({Path(held[1]).name})"
    if "different configuration than existing connections" in message:
        return "this same process"
    locked = (
        r"could not set lock|database is locked|unique file handle conflict"
        r"|failed to initialize ducklake.*already exists"  # two processes make a lake at once
    )
    return "another process" if re.search(locked, message, re.IGNORECASE | re.DOTALL) else None


def quoted(text: object) -> str:
    """Text inside a string of SQL, where no parameter can stand."""
    return str(text).replace("'", "''")


def is_damage(error: duckdb.Error) -> bool:
    """Whether DuckDB found bytes it did not write, which it may do only when it comes to read them."""
    return re.search(r"corrupt|checksum|failed to deserialize|INTERNAL Error", str(error), re.I) is not None


def refused(error: duckdb.Error, db: str | Path) -> StoreError | MachineError:
    """DuckDB's refusal as one of our errors."""
    text = str(error)
    if "not a valid DuckDB database" in text:
        return _foreign(db)
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
    if "No such file" in text:
        return StoreError(f"cannot make {db}: its folder does not exist", hint="make the folder first")
    return StoreError(f"{db}: {text.splitlines()[0]}", hint="check the path and its permissions")
