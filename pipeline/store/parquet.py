"""Writes the whole store as Parquet and reads it back, for notebooks, BI tools, other stores and archives.

    folder/manifest.json
    folder/calls/month=2026-03/data_0.parquet      tables of calls, by the month the call began (UTC)
    folder/ledger.parquet                          the others, one file each

Rows and columns have a fixed order, so two exports of the same store are equal. The folder appears only
when it is complete.
"""

from __future__ import annotations

import glob
import json
import shutil
from pathlib import Path
from typing import Any

import duckdb

import pipeline
from pipeline.errors import MachineError, StoreError
from pipeline.store import migrations
from pipeline.store.columns import KEYS, OF_CALLS, PER_CALL_TABLES, SCORE_TABLES
from pipeline.store.connection import Connection, is_damage, quoted, scalar
from pipeline.store.erase import sql_digest

SCHEMA = "callqa.parquet/1"
NO_MONTH = "none"
_ERASED = " OR ".join(
    f"{value} IN (SELECT {column} FROM ledger WHERE status = 'purged' AND {known})"  # noqa: S608
    for value, column, known in (
        ("audio_sha256", "audio_sha256", "audio_sha256 IS NOT NULL"),
        (sql_digest("call_id"), "call_id", "call_id IS NOT NULL"),
        (sql_digest("path"), "path", "audio_sha256 IS NULL"),
        (f"audio_sha256 IS NULL AND {sql_digest('path')}", "path", "true"),
    )
)
"""Condition on a row of a folder: its call was erased from this store (``erase.is_erased``)."""


def write(connection: Connection, folder: Path) -> dict[str, int]:
    """Write every table; returns the number of rows by table.

    Raises:
        StoreError: The folder holds other files, which would be lost.
        MachineError: The folder cannot be written.
    """
    _require_own(folder)
    partial, old = (folder.with_name(f".{folder.name}.{what}") for what in ("partial", "old"))
    try:
        if old.exists() and not folder.exists():  # killed between the two renames below
            old.rename(folder)
        for leftover in (partial, old):
            shutil.rmtree(leftover, ignore_errors=True)
        partial.mkdir(parents=True)
        rows = _write_tables(connection, partial)
        manifest = {
            "schema": SCHEMA,
            "callqa": pipeline.__version__,
            "schema_version": migrations.version(connection),
            "rows": rows,
        }
        (partial / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")
        if folder.exists():
            folder.rename(old)
        partial.rename(folder)
    except (OSError, duckdb.IOException) as error:
        if isinstance(error, duckdb.Error) and is_damage(error):  # of the store, noticed on reading it
            raise
        why = getattr(error, "strerror", None) or str(error).splitlines()[0]
        raise MachineError(f"cannot write {folder}: {why}", hint="check the folder and its space") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        shutil.rmtree(old, ignore_errors=True)
    return rows


def _require_own(folder: Path) -> None:
    """Raise ``StoreError`` where a folder to be replaced has a file that ``write`` did not write."""
    try:
        tables = list(_manifest(folder)["rows"])
    except StoreError:
        tables = []
    patterns = [str(_files(Path(), table)) for table in tables] + ["manifest.json"] * bool(tables)
    own = {at for pattern in patterns for at in folder.glob(pattern)}
    others = (at for at in sorted(folder.rglob("*")) if at.is_symlink() or not at.is_dir())
    if foreign := next((at for at in others if at not in own), None):
        raise StoreError(
            f"{folder} holds other files, e.g. {foreign.relative_to(folder)}; nothing was written",
            hint="move them elsewhere, or name a new folder",
        )


def _write_tables(connection: Connection, folder: Path) -> dict[str, int]:
    connection.execute("SET threads = 1")  # several threads would write several files, in no fixed order
    rows = {}
    try:
        for table, keys in KEYS.items():
            if table not in PER_CALL_TABLES:
                rows[table] = _copy(connection, f"FROM {table} ORDER BY {keys}", folder / f"{table}.parquet")
                continue
            rows[table] = _copy(
                connection,
                f"SELECT t.*, coalesce(strftime(c.started_at, '%Y-%m'), '{NO_MONTH}') AS month "  # noqa: S608
                f"FROM {table} AS t JOIN (SELECT call_id, started_at FROM calls) AS c USING (call_id) "
                f"ORDER BY month, {keys}",
                folder / table,
                ", PARTITION_BY (month)",
            )
    finally:
        connection.execute("RESET threads")
    return rows


def _copy(connection: Connection, query: str, path: Path, more: str = "") -> int:
    sql = f"COPY ({query}) TO '{quoted(path)}' (FORMAT parquet, COMPRESSION zstd{more})"
    return int(scalar(connection, sql))


def read(connection: Connection, folder: Path) -> dict[str, int]:
    """Import a folder that ``write`` wrote, in the connection's transaction; returns the rows by table.

    Rows with the same keys that are already stored are replaced. Calls that were erased here since the folder
    was written stay erased.

    Raises:
        StoreError: ``write`` did not write the folder, a newer version of callqa did, or it is not whole.
    """
    manifest = _manifest(folder)
    if manifest["schema_version"] > max(migrations.sql_files()):
        raise StoreError(
            f"{folder} was written by a newer callqa", hint="upgrade callqa: pip install -U callqa"
        )
    try:
        _require_whole(connection, folder, manifest["rows"])
        return _take_in(connection, folder, manifest)
    except duckdb.Error as error:
        if not isinstance(error, duckdb.InvalidInputException) and type(error) is not duckdb.Error:
            raise  # of the store; damage inside a file has no class of its own
        why = str(error).splitlines()[0]
        raise StoreError(f"{folder} is damaged: {why}", hint="restore another backup") from error


def _require_whole(connection: Connection, folder: Path, rows: dict[str, int]) -> None:
    counts = {table: _count(connection, _files(folder, table)) for table in KEYS if rows.get(table)}
    wrong = [f"{n} of {rows[table]} rows of {table}" for table, n in counts.items() if n != rows[table]]
    if wrong:
        raise StoreError(
            f"{folder} is not whole: it has {', '.join(wrong)}",
            hint="copy the folder again, or restore another backup; nothing was taken in",
        )


def _take_in(connection: Connection, folder: Path, manifest: dict[str, Any]) -> dict[str, int]:
    # of calls whose figures were kept, the folder has no path either: they come in as they are
    erased = _erased(connection, _files(folder, "calls"), "call_id", "path IS NOT NULL")
    erased_files = _erased(connection, _files(folder, "ledger"), "path", "status <> 'purged'")
    rows = {}
    for table, keys in KEYS.items():
        if not manifest["rows"].get(table):
            continue
        if table in PER_CALL_TABLES:
            # all rows of a call, or of one of its scorecards, are replaced together
            keys = "call_id, rubric_hash" if table in SCORE_TABLES else "call_id"
        source, values = _source(_files(folder, table)), []
        if table in OF_CALLS or table == "ledger":
            key, left_out = ("path", erased_files) if table == "ledger" else ("call_id", erased)
            source, values = f"{source} WHERE {key} NOT IN (SELECT unnest(?::VARCHAR[]))", [left_out]
        connection.execute(
            f"DELETE FROM {table} WHERE ({keys}) IN (SELECT ({keys}) FROM {source})",  # noqa: S608
            values,
        )
        rows[table] = int(scalar(connection, f"INSERT INTO {table} BY NAME FROM {source}", values))
    migrations.fill_new_columns(connection, manifest["schema_version"])
    return rows


def _erased(connection: Connection, files: Path, column: str, condition: str) -> list[str]:
    """A column of the rows of a folder's calls or ledger that were erased from this store since."""
    if not _count(connection, files):
        return []
    rows = connection.execute(
        f"SELECT {column} FROM {_source(files)} WHERE {condition} AND ({_ERASED})"  # noqa: S608
    ).fetchall()
    return [value for (value,) in rows]


def _files(folder: Path, table: str) -> Path:
    """The pattern of the files of a table."""
    return folder / table / "*" / "*.parquet" if table in PER_CALL_TABLES else folder / f"{table}.parquet"


def _count(connection: Connection, files: Path) -> int:
    """The number of rows in the files of a pattern, from their footers."""
    if not glob.glob(str(files)):  # noqa: PTH207 - the pattern is absolute
        return 0
    return int(scalar(connection, f"SELECT count(*) FROM {_source(files)}"))  # noqa: S608


def _source(files: Path) -> str:
    return f"read_parquet('{quoted(files)}', union_by_name = true, hive_partitioning = false)"


def _manifest(folder: Path) -> dict[str, Any]:
    try:
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        if manifest["schema"] != SCHEMA or not isinstance(manifest["rows"], dict):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StoreError(
            f"{folder} is not a store written as Parquet", hint="write one with: callqa backup FOLDER"
        ) from error
    checked: dict[str, Any] = manifest
    return checked
