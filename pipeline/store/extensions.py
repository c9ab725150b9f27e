"""Loads DuckDB extensions from installed wheels; none is ever downloaded."""

from __future__ import annotations

import contextlib

import duckdb

from pipeline.errors import StoreError
from pipeline.store.connection import Connection

WHEELS = {name: f"duckdb-extension-{name.replace('_', '-')}" for name in (
    "fts", "ducklake", "sqlite_scanner", "postgres_scanner", "httpfs",
)}  # fmt: skip


def load(connection: Connection, name: str) -> None:
    """Load an extension; the first time, copy it from its wheel to the folder where DuckDB looks.

    Raises:
        StoreError: The extension is not installed.
    """
    try:
        connection.execute(f"LOAD {name}")
    except duckdb.Error:
        _import(name)
        try:
            connection.execute(f"LOAD {name}")
        except duckdb.Error as error:
            raise StoreError(
                f"DuckDB's extension {name} is not installed for DuckDB {duckdb.__version__}",
                hint=f"pip install {WHEELS[name]}=={duckdb.__version__}",
            ) from error


def _import(name: str) -> None:
    import duckdb_extensions

    with contextlib.suppress(Exception):  # a wheel that is missing or of another version makes LOAD fail next
        duckdb_extensions.import_extension(name)
