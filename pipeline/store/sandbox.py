"""Runs SQL that people type: it can only read this database, and only for a limited time.

Three independent restrictions enforce that: the file is open for reading only, DuckDB's access to files and
the network is switched off for good (``lock_configuration``), and only statements that read are accepted.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pyarrow as pa

from pipeline.errors import StoreError
from pipeline.store.connection import is_damage, refused
from pipeline.store.store import Store

# Functions that a SELECT may call and that change something or reach outside the database.
ACTING_FUNCTIONS = re.compile(
    r"\b((?:en|dis)able_\w+|set_log\w*|truncate_duckdb_logs|\w*checkpoint|json_execute_\w+|ducklake_\w+|arrow_scan\w*|pandas_scan|python_map_function)\s*\(",
    re.IGNORECASE,
)


class Sandbox:
    """Restricts an open store to queries.

    Args:
        store: Opened with ``read_only``; from now on its connection cannot reach any other file.
        timeout_s: Queries that take longer are stopped.
    """

    def __init__(self, store: Store, *, timeout_s: float = 60.0) -> None:
        self._connection = store.connection
        self._db = store.shown
        self._timeout_s = timeout_s
        if folders := store.folders():
            self._connection.execute("SET allowed_directories = ?", [folders])
        self._connection.execute("SET enable_external_access = false")
        self._connection.execute("SET lock_configuration = true")

    def ask(self, sql: str) -> pa.Table:
        """Run a query, which may be several of DuckDB's statements; returns the result of the last.

        Raises:
            StoreError: The SQL is wrong, several queries, or does more than read; or the time is up.
        """
        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise _sql_error(error) from error
        if not statements:
            raise StoreError("no SQL given", hint='for example: callqa sql "FROM v_scorecards LIMIT 5"')
        for statement in statements:
            self._check(statement)
        if sum(bool(statement.query.strip()) for statement in statements) > 1:  # a PIVOT makes one without
            raise StoreError("several queries, and one answer", hint="ask one after the other")
        with self._limit():
            for statement in statements:
                self._connection.execute(statement)
            return self._without_intervals(self._connection.to_arrow_table())

    def _without_intervals(self, answer: pa.Table) -> pa.Table:
        """Intervals as DuckDB writes them, e.g. ``3 days 01:30:00``: neither Parquet nor JSON has any."""
        for at, field in enumerate(answer.schema):
            if _has_interval(field.type):
                column = pa.table({"value": answer.column(at)}).__arrow_c_stream__()
                texts = self._connection.from_arrow(column).project("value::VARCHAR").to_arrow_table()
                answer = answer.set_column(at, field.name, texts.column(0))
        return answer

    @staticmethod
    def _check(statement: duckdb.Statement) -> None:
        kind = statement.type.name
        made_by_pivot = kind == "CREATE" and not statement.query.strip()
        acting = ACTING_FUNCTIONS.search(statement.query)
        if acting:
            kind = acting[1]
        if acting or (kind not in {"SELECT", "EXPLAIN"} and not made_by_pivot):
            raise StoreError(
                f"{kind.replace('_', ' ')} is refused: callqa sql only reads",
                hint="use SELECT; for files, say --csv, --json or --parquet FILE",
            )

    @contextmanager
    def _limit(self) -> Iterator[None]:
        timer = threading.Timer(self._timeout_s, self._connection.interrupt)
        timer.daemon = True
        timer.start()
        try:
            yield
        except duckdb.InterruptException as error:
            if timer.is_alive():
                raise KeyboardInterrupt from error
            raise StoreError(
                f"the query was stopped after {self._timeout_s:g} s",
                hint="narrow it down, e.g. by week, or give it longer with --timeout",
            ) from error
        except duckdb.Error as error:
            raise refused(error, self._db) if is_damage(error) else _sql_error(error) from error
        finally:
            timer.cancel()


def _has_interval(kind: pa.DataType) -> bool:
    """Whether a type is an interval, or has one in a list, struct or map."""
    inner = (kind.field(number).type for number in range(kind.num_fields))
    return pa.types.is_interval(kind) or any(map(_has_interval, inner))


def _sql_error(error: duckdb.Error) -> StoreError:
    """DuckDB's message about wrong SQL, which points to the place, as one of our errors."""
    hint = 'tables and columns: callqa sql "SHOW TABLES", callqa sql "DESCRIBE v_scorecards"'
    if "disabled by configuration" in str(error) or "read-only" in str(error):
        hint = "callqa sql reads the database and no other file"
    return StoreError(f"SQL: {error}", hint=hint)
