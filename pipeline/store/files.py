"""Rewrites and copies the database file; every new file replaces the old one by an atomic rename."""

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
except ImportError:  # not on Windows, which itself refuses to replace an open file
    fcntl = None  # type: ignore[assignment]


def rewrite(connection: Connection, db: Path, prepare: Callable[[Path], None]) -> int:
    """Copy the live rows to a new file and replace the old one with it.

    DuckDB only marks rows as deleted and keeps their bytes until it needs the space. The new file does not
    hold them. ``connection`` is the only writer, outside any transaction, and is closed; ``prepare`` makes an
    empty database of the current schema. Returns the size of the new file in bytes.
    """
    fresh = db.with_name(f"{db.name}.rewriting")
    remove(fresh)
    try:
        prepare(fresh)
        connection.execute("CHECKPOINT")
        _copy_rows(connection, fresh)
        connection.close()
        with _claimed(db):
            _keep_access(db, fresh)
            fresh.replace(db)
    finally:
        remove(fresh)
    return db.stat().st_size


def _keep_access(db: Path, fresh: Path) -> None:
    """Let the same people open ``fresh`` as ``db``: a purge by root must leave it to its service."""
    stat = db.stat()
    if hasattr(os, "chown"):
        with contextlib.suppress(PermissionError):  # only root may give a file to another user
            os.chown(fresh, stat.st_uid, stat.st_gid)
    fresh.chmod(stat.st_mode & 0o7777)


def copy_to_file(connection: Connection, dest: Path, prepare: Callable[[Path], None]) -> int:
    """Copy all tables of a connection to a new file, which appears when complete; returns its bytes.

    Raises:
        MachineError: ``dest`` cannot be written.
    """
    with replacing(dest) as partial:
        prepare(partial)
        _copy_rows(connection, partial)
    return dest.stat().st_size


@contextlib.contextmanager
def replacing(dest: Path) -> Iterator[Path]:
    """Yield the path of a temporary database file to write; it is renamed to ``dest`` on success."""
    partial = dest.with_name(f"{dest.name}.partial")
    try:
        remove(partial)
        yield partial
        partial.replace(dest)
    except OSError as error:
        raise MachineError(
            f"cannot write {dest}: {error.strerror or error}", hint="check the folder and its space"
        ) from error
    finally:
        with contextlib.suppress(OSError):  # where nothing can be written, nothing can be removed either
            remove(partial)


def size(db: Path) -> int:
    """Size of a database in bytes, its write-ahead log included."""
    log = wal(db)
    return db.stat().st_size + (log.stat().st_size if log.exists() else 0)


def wal(db: Path) -> Path:
    """The path of DuckDB's write-ahead log: data that is committed but not yet in the main file."""
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
    """Take the file lock that DuckDB itself uses, so that no process opens the file while it is replaced."""
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


def copy(db: Path, dest: Path, *, same_access: bool = False) -> int:
    """Copy the file of a database that nobody is writing; the copy appears when complete; returns its bytes.

    With ``same_access`` just those who can open the database can open the copy.

    Raises:
        StoreError: ``dest`` is the database itself.
        MachineError: ``dest`` cannot be written.
    """
    refuse_itself(db, dest)
    with replacing(dest) as partial:
        if same_access:
            partial.touch(0o600)
            _keep_access(db, partial)
        shutil.copyfile(db, partial)
        with partial.open("rb") as file:
            os.fsync(file.fileno())
    return dest.stat().st_size


def refuse_itself(db: Path, dest: Path) -> None:
    """Raise ``StoreError`` where ``dest``, a file to be written, is the database."""
    if dest.exists() and db.exists() and dest.samefile(db):
        raise StoreError(f"{dest} is the database itself", hint="name another file")


def derived(db: Path) -> list[Path]:
    """Other files that hold words of the calls: migrations' backups, the search index, its leftovers."""
    kinds = ("v*.bak", "search", "search.partial", "search.partial.wal")
    found = (file for kind in kinds for file in db.parent.glob(f"{glob.escape(db.name)}.{kind}"))
    return [file for file in found if file.is_file()]


def index_path(db: Path) -> Path:
    """The file of a database's full text search index."""
    return db.with_name(f"{db.name}.search")


def remove(path: Path) -> None:
    """Delete a database that need not be there, and its write-ahead log."""
    path.unlink(missing_ok=True)
    wal(path).unlink(missing_ok=True)
