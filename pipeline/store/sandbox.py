"""SQL from people: it reads this database and nothing else, for so long and no longer.

Three locks, so that no single one matters: the file is open for reading only, DuckDB's access to
files and the network is switched off for good (``lock_configuration``), and only statements that
read are let through.
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

# Functions that can stand in a SELECT and yet do something.
ACTING_FUNCTIONS = re.compile(
    r"\b((?:en|dis)able_\w+|set_log\w*|truncate_duckdb_logs|\w*checkpoint|json_execute_\w+|ducklake_\w+|arrow_scan\w*|pandas_scan|python_map_function)\s*\(",
    re.IGNORECASE,
)


class Sandbox:
    """An open store that from now on only answers questions.

    Args:
        store: Opened with ``read_only``; its connection can never reach a file again.
        timeout_s: A question that takes longer is stopped.
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
        """Run one or more reading statements and return the answer of the last.

        Raises:
            StoreError: Wrong SQL, a statement that does more than read, or the time is up.
        """
        try:
            statements = duckdb.extract_statements(sql)
        except duckdb.Error as error:
            raise wrong(error) from error
        if not statements:
            raise StoreError("no SQL given", hint='for example: callqa sql "FROM v_scorecards LIMIT 5"')
        for statement in statements:
            self._check(statement)
        with self._limit():
            for statement in statements:
                self._connection.execute(statement)
            return self._connection.to_arrow_table()

    @staticmethod
    def _check(statement: duckdb.Statement) -> None:
        kind = statement.type.name
        made_by_pivot = kind == "CREATE" and not statement.query.strip()
        acts = ACTING_FUNCTIONS.search(statement.query)
        if acts:
            kind = acts[1]
        if acts or (kind not in {"SELECT", "EXPLAIN"} and not made_by_pivot):
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
            raise refused(error, self._db) if is_damage(error) else wrong(error) from error
        finally:
            timer.cancel()


def wrong(error: duckdb.Error) -> StoreError:
    """DuckDB's complaint about SQL, with its own pointer to the place."""
    hint = 'tables and columns: callqa sql "SHOW TABLES", callqa sql "DESCRIBE v_scorecards"'
    if "disabled by configuration" in str(error) or "read-only" in str(error):
        hint = "callqa sql reads the database and no other file"
    return StoreError(f"SQL: {error}", hint=hint)
