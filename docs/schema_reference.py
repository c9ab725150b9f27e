"""The database described from its own comments, as ``docs/schema.md``: it cannot drift."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from pipeline.store.columns import KEYS
from pipeline.store.store import Store

ORDER = (
    "calls", "ledger", "stage_runs", "turns", "findings", "call_metrics", "role_sentiment", "rubrics",
    "criteria", "scorecards", "sections", "answers", "evidence", "reviews", "samples", "schema_migrations",
)  # fmt: skip
DIAGRAM = """
```mermaid
erDiagram
    ledger }o--o| calls : "became"
    calls ||--o{ turns : "call_id"
    calls ||--o{ findings : "call_id"
    calls ||--o| call_metrics : "call_id"
    calls ||--o{ role_sentiment : "call_id"
    calls ||--o{ stage_runs : "call_id"
    calls ||--o{ scorecards : "call_id"
    rubrics ||--o{ scorecards : "rubric_hash"
    rubrics ||--o{ criteria : "rubric_hash"
    scorecards ||--o{ sections : "call_id, rubric_hash"
    scorecards ||--o{ answers : "call_id, rubric_hash"
    answers ||--o{ evidence : "call_id, rubric_hash, criterion_id"
    criteria ||--o{ answers : "rubric_hash, criterion_id"
    calls ||--o{ samples : "call_id"
    answers ||--o{ reviews : "call_id, rubric_hash, criterion_id"
```
"""
HEAD = """\
The same words are in the database itself: `duckdb_tables()` and `duckdb_columns()`. Start from the views;
the [cookbook](cookbook.md) has questions ready to run.

Times are `TIMESTAMPTZ` in UTC; `calls.timezone` holds the site's zone, and `local_time`, `local_hour` and
`week` of `v_calls` are in the site's own time. `NULL` in a metric means the recording cannot tell, never
zero. There are no primary or foreign keys: one writer replaces a call's rows in one transaction, and
`callqa doctor --db` checks the keys named below. `loaded_at` is one value per transaction; filter on it to
read only what is new.
"""
ALL_TABLES = "SELECT table_name AS name, comment FROM duckdb_tables()"
ALL_VIEWS = "SELECT view_name AS name, comment FROM duckdb_views() WHERE NOT internal ORDER BY 1"
ALL_COLUMNS = (
    "SELECT table_name, column_name, data_type, comment FROM duckdb_columns() "
    "WHERE NOT internal ORDER BY table_name, column_index"
)


def markdown(mark: str = "") -> str:
    """The whole document, with a ``mark`` under its title."""
    with tempfile.TemporaryDirectory() as folder, Store(Path(folder) / "schema.duckdb") as store:
        tables = {row["name"]: row["comment"] for row in store.query(ALL_TABLES)}
        views = {row["name"]: row["comment"] for row in store.query(ALL_VIEWS)}
        columns = store.query(ALL_COLUMNS)
    parts = ["# The database\n", mark, HEAD, DIAGRAM, "## Views\n"]
    parts += [_section(view, f"{words}.", columns) for view, words in views.items()]
    parts.append("## Tables\n")
    for table in (*ORDER, *sorted(set(tables) - set(ORDER))):
        key = f" One row for each `{KEYS[table]}`." if table in KEYS and table != "stage_runs" else ""
        parts.append(_section(table, f"{tables[table]}.{key}", columns))
    return "\n".join(parts)


def _section(name: str, words: str, columns: Iterable[dict[str, str]]) -> str:
    return f"### {name}\n\n{words}\n\n{_rows(c for c in columns if c['table_name'] == name)}"


def _rows(columns: Iterable[dict[str, str]]) -> str:
    lines = [f"| `{c['column_name']}` | {_type(c['data_type'])} | {c['comment']} |" for c in columns]
    return "| column | type | |\n|---|---|---|\n" + "\n".join(lines) + "\n"


def _type(name: str) -> str:
    return name.replace("TIMESTAMP WITH TIME ZONE", "TIMESTAMPTZ").replace("|", "\\|")
