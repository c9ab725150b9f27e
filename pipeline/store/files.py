"""The database as a file: leave out what was deleted, hand out copies; always by atomic rename."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.errors import MachineError, StoreError
from pipeline.store.connection import Connection, quoted

try:
    import fcntl
except ImportError:  # Windows refuses to replace an open file by itself
    fcntl = None  # type: ignore[assignment]


def rewrite(connection: Connection, db: Path, prepare: Callable[[Path], None]) -> int:
    """Write the live rows to a fresh file and put it in the old one's place.

    DuckDB marks deleted rows but keeps their bytes until it needs the space; after this they are gone.

    Args:
        connection: The only writer, outside any transaction; closed by this.
        db: Its file.
        prepare: Makes an empty database of the current schema at a path.

    Returns:
        Size of the new file in bytes.
    """
    fresh = db.with_name(f"{db.name}.rewriting")
    _remove(fresh)
    try:
        prepare(fresh)
        connection.execute("CHECKPOINT")
        _copy_rows(connection, fresh)
        connection.close()
        with _claimed(db):
            fresh.replace(db)
    finally:
        _remove(fresh)
    return db.stat().st_size


def gather(connection: Connection, dest: Path, prepare: Callable[[Path], None]) -> int:
    """Copy what a connection reads to a database file, in place only when complete; returns its bytes.

    Raises:
        MachineError: It cannot be written there.
    """
    with _placed(dest) as partial:
        prepare(partial)
        _copy_rows(connection, partial)
    return dest.stat().st_size


@contextlib.contextmanager
def _placed(dest: Path) -> Iterator[Path]:
    """A database file to write beside ``dest``, which it becomes when it is complete."""
    partial = dest.with_name(f"{dest.name}.partial")
    try:
        _remove(partial)
        yield partial
        partial.replace(dest)
    except OSError as error:
        raise MachineError(
            f"cannot write {dest}: {error.strerror or error}", hint="check the folder and its space"
        ) from error
    finally:
        _remove(partial)


def size(db: Path) -> int:
    """Bytes of a database, what is not yet in its main file included."""
    log = wal(db)
    return db.stat().st_size + (log.stat().st_size if log.exists() else 0)


def wal(db: Path) -> Path:
    """DuckDB's write-ahead log: what is committed and not yet in the file."""
    return db.with_name(db.name + ".wal")


def _copy_rows(connection: Connection, fresh: Path) -> None:
    connection.execute(f"ATTACH '{quoted(fresh)}' AS fresh")
    tables = connection.execute(
        "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() ORDER BY table_name"
    ).fetchall()
    for (table,) in tables:
        connection.execute(f"DELETE FROM fresh.{table}")  # noqa: S608
        connection.execute(f"INSERT INTO fresh.{table} BY NAME FROM {table}")
    connection.execute("CHECKPOINT fresh")
    connection.execute("DETACH fresh")


@contextlib.contextmanager
def _claimed(db: Path) -> Iterator[None]:
    """Hold DuckDB's own lock on the file from outside, so that nobody opens it while it is replaced."""
    if fcntl is None:
        yield
        return
    with db.open("rb+") as file:
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise StoreError(
                f"{db}: another process opened it before its space could be reclaimed",
                hint="what was to be deleted is deleted; run the same command again to reclaim the space",
            ) from error
        yield


def copy(db: Path, dest: Path) -> int:
    """A copy of a database nobody writes, in place only when complete; returns its size in bytes.

    Raises:
        StoreError: ``dest`` is the database itself.
        MachineError: It cannot be written there.
    """
    if dest.exists() and dest.samefile(db):
        raise StoreError(f"{dest} is the database itself", hint="name another file for the copy")
    with _placed(dest) as partial:
        shutil.copyfile(db, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
    return dest.stat().st_size


def derived(db: Path) -> list[Path]:
    """Files made from a database that hold its words: the search index, copies kept by migrations."""
    kept = [f for f in db.parent.glob(f"{glob.escape(db.name)}.v*.bak") if f.is_file()]
    index = index_path(db)
    return [*kept, *([index] if index.exists() else [])]


def index_path(db: Path) -> Path:
    """The index for full text search of a database."""
    return db.with_name(f"{db.name}.search")


def _remove(path: Path) -> None:
    path.unlink(missing_ok=True)
    wal(path).unlink(missing_ok=True)
