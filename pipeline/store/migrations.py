"""Brings a database to the schema of this version with numbered SQL files, each in one transaction.

A database newer than the code is refused. An older one is copied before it is changed. Views are not
migrated: they are created again whenever ``views.sql`` changes.
"""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

import duckdb

import pipeline
from pipeline.errors import StoreError
from pipeline.store import files
from pipeline.store.connection import Connection, quoted, scalar

RECORD = """
CREATE TABLE IF NOT EXISTS schema_migrations (
    version INTEGER NOT NULL, name VARCHAR, checksum VARCHAR, applied_at TIMESTAMPTZ, package_version VARCHAR
);
COMMENT ON TABLE schema_migrations IS 'Which schema changes this database has seen';
COMMENT ON COLUMN schema_migrations.version IS 'Number of the migration; 0 is the set of views';
COMMENT ON COLUMN schema_migrations.name IS 'Name of the migration';
COMMENT ON COLUMN schema_migrations.checksum IS 'SHA-256 of its SQL';
COMMENT ON COLUMN schema_migrations.applied_at IS 'When it was applied';
COMMENT ON COLUMN schema_migrations.package_version IS 'Version of callqa that applied it';
"""
VIEW_COLUMN = re.compile(r"^COMMENT ON COLUMN (v_\w+)\.(\w+) IS '(.*)';$", re.MULTILINE)


def sql_files() -> dict[int, tuple[str, str]]:
    """Every shipped migration as (name, SQL), by its number, in order."""
    migrations = {}
    for file in sorted(resources.files("pipeline.store").joinpath("sql").iterdir(), key=lambda f: f.name):
        if match := re.fullmatch(r"(\d{4})_(\w+)\.sql", file.name):
            migrations[int(match[1])] = (match[2], file.read_text("utf-8"))
    return migrations


def views_sql() -> str:
    """The shipped SQL of all views."""
    return resources.files("pipeline.store").joinpath("sql", "views.sql").read_text("utf-8")


def version(connection: Connection) -> int:
    """The number of the newest migration applied to a database; 0 for an empty database.

    Raises:
        StoreError: The database holds tables that callqa did not make.
    """
    try:
        return int(scalar(connection, "SELECT coalesce(max(version), 0) FROM schema_migrations"))
    except duckdb.CatalogException:
        rows = connection.execute(
            "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database()"
        ).fetchall()
        tables = [name for (name,) in rows]
        if "schema_migrations" in tables:  # another process has created it since the first query
            return version(connection)
        if tables:
            names = ", ".join(tables[:3])
            raise StoreError(
                f"the database was not made by callqa: it holds {names}",
                hint="check --db, or name a new file",
            ) from None
        return 0


def behind(connection: Connection, db: str) -> bool:
    """Whether the schema or the views of a database are older than this code.

    Raises:
        StoreError: They are newer, or callqa did not make the database.
    """
    current, newest = version(connection), max(sql_files())
    if current > newest:
        raise StoreError(
            f"{db} has schema version {current}; this callqa {pipeline.__version__} knows up to {newest}",
            hint="upgrade callqa: pip install -U callqa",
        )
    if current < newest:
        return True
    stored = scalar(connection, "SELECT checksum FROM schema_migrations WHERE version = 0")
    return bool(stored != _checksum(views_sql()))


def migrate(connection: Connection, file: Path | None) -> None:
    """Apply the missing migrations and the views, after copying a file that already has a schema.

    Args:
        connection: Open for writing.
        file: The database file to copy first; None for a lake, which keeps its own history.

    Raises:
        MachineError: There is no room for the copy; the database stays as it is.
    """
    current = version(connection)
    migrations = sql_files()
    if file is not None and 0 < current < max(migrations):
        connection.execute("CHECKPOINT")
        files.copy(file, backup_path(file, current), same_access=True)
    connection.execute(RECORD)
    for number, (name, sql) in migrations.items():
        if number > current:
            _apply(connection, number, name, sql)
    _apply(connection, 0, "views", views_sql())
    if file is not None:  # a lake cannot keep comments on columns of views
        _comment_views(connection)


def fill_new_columns(connection: Connection, written_under: int) -> None:
    """Fill the columns that rows imported from an older schema lack, in the current transaction.

    Args:
        connection: Open for writing.
        written_under: Schema version of the store that the rows come from.
    """
    for number, (_, sql) in sql_files().items():
        for statement in duckdb.extract_statements(sql) if number > written_under else ():
            if statement.type == duckdb.StatementType.UPDATE:  # each changes only rows without a value
                connection.execute(statement)


def _comment_views(connection: Connection) -> None:
    """Comment every column of every view, as ``views.sql`` says, else as the table or view it reads says."""
    rows = connection.execute(
        "SELECT table_name, column_name, comment FROM duckdb_columns() "
        "WHERE database_name = current_database() AND NOT internal ORDER BY table_name, column_index"
    ).fetchall()
    comments = {(table, column): quoted(comment or "") for table, column, comment in rows}
    comments |= {(view, column): text for view, column, text in VIEW_COLUMN.findall(views_sql())}
    statements = []
    for view, body in re.findall(r"CREATE OR REPLACE VIEW (\w+) AS(.*?);", views_sql(), re.DOTALL):
        sources = [view, *re.findall(r"\b(?:FROM|JOIN) (\w+)", body)]
        for column in (column for table, column, _ in rows if table == view):
            words = next(filter(None, (comments.get((source, column)) for source in sources)), "")
            comments[view, column] = words
            statements.append(f"COMMENT ON COLUMN {view}.{column} IS '{words}';")
    connection.execute(f"BEGIN; {' '.join(statements)} COMMIT")


def backup_path(file: Path, version: int) -> Path:
    """The path of the copy that is made before a database leaves a schema version."""
    return file.with_name(f"{file.name}.v{version}.bak")


def _apply(connection: Connection, number: int, name: str, sql: str) -> None:
    connection.execute("BEGIN")
    try:
        connection.execute(VIEW_COLUMN.sub("", sql))
        connection.execute("DELETE FROM schema_migrations WHERE version = ?", [number])
        connection.execute(
            "INSERT INTO schema_migrations VALUES (?, ?, ?, now(), ?)",
            [number, name, _checksum(sql), pipeline.__version__],
        )
    except BaseException:
        connection.execute("ROLLBACK")
        raise
    connection.execute("COMMIT")


def _checksum(sql: str) -> str:
    return hashlib.sha256(sql.encode()).hexdigest()
