"""Write query answers: a table for people; CSV, JSON or Parquet for programs."""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import sys
from dataclasses import asdict
from itertools import count
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import note
from pipeline.cli.scorecard import clock
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.store.search import SearchResult

MAX_TABLE_ROWS = 1000


def _rows(answer: pa.Table) -> list[tuple[Any, ...]]:
    """Rows as tuples, not dicts, because columns may share a name; a MAP is a dict."""
    columns = (column.to_pylist(maps_as_pydicts="lossy") for column in answer.columns)
    return list(zip(*columns, strict=True))


def _plain(value: Any) -> Any:
    """A value in a form that JSON can hold."""
    if hasattr(value, "isoformat"):
        return value.isoformat()
    return value if isinstance(value, str | int | float | None) else str(value)


def _json(value: Any) -> str:
    return json.dumps(_with_text_keys(value), ensure_ascii=False, default=_plain)


def _with_text_keys(value: Any) -> Any:
    """The keys of a MAP as text, and null for NaN and infinity: JSON has no others."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(_plain(key)): _with_text_keys(inner) for key, inner in value.items()}
    return [_with_text_keys(inner) for inner in value] if isinstance(value, list) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:.4g}" if abs(value) < 1000 else f"{value:.1f}"
    if isinstance(value, dt.datetime):
        return value.isoformat(sep=" ", timespec="seconds")
    text = _json(value) if isinstance(value, list | tuple | dict | int) else str(_plain(value))
    return " ↵ ".join(text.splitlines())  # one line per row


def print_table(answer: pa.Table, *, plain: bool = False) -> None:
    """Print at most ``MAX_TABLE_ROWS`` rows; piped or ``plain``, the table is as wide as its content."""
    piped = plain or not sys.stdout.isatty()
    console = Console(width=10_000 if piped else None)
    table = Table(
        show_header=True, header_style="bold", box=None if piped else box.SIMPLE_HEAD, pad_edge=False
    )
    for field in answer.schema:
        numeric = str(field.type).startswith(("int", "uint", "double", "float", "decimal"))
        table.add_column(field.name, justify="right" if numeric else "left", overflow="fold")
    for row in _rows(answer.slice(0, MAX_TABLE_ROWS)):
        table.add_row(*(Text(_cell(v)) for v in row))
    console.print(table)
    if answer.num_rows > MAX_TABLE_ROWS:
        note(f"{answer.num_rows} rows, the first {MAX_TABLE_ROWS} shown; all of them with --csv or --json")


def write_csv(answer: pa.Table) -> None:
    """Write CSV with a header to stdout; nested values as JSON, cells that look like formulas escaped."""
    from pipeline.csv_safety import inert

    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(answer.column_names)
    for row in _rows(answer):
        writer.writerow(_json(v) if isinstance(v, list | tuple | dict) else inert(_plain(v)) for v in row)


def write_json(answer: pa.Table) -> None:
    """Write one JSON object per row to stdout; NaN is null, and columns that share a name are numbered."""
    names: list[str] = []
    for name in answer.column_names:
        same = (f"{name}_{n}" if n else name for n in count())
        names.append(next(unused for unused in same if unused not in names))
    for row in _rows(answer):
        sys.stdout.write(_json(dict(zip(names, row, strict=True))) + "\n")


def write_parquet(answer: pa.Table, path: Path) -> None:
    """Write one Parquet file; it appears under its name only once it is complete.

    Raises:
        UsageError: The file cannot be written there.
    """
    import pyarrow.parquet as pq

    from pipeline.export.names import whole

    try:
        with whole(path) as partial:
            pq.write_table(answer, partial, compression="zstd")
    except OSError as error:
        raise UsageError(
            f"cannot write {path}: {error.strerror or error}", hint="check the folder"
        ) from error


def print_hits(found: SearchResult, *, as_json: bool) -> None:
    """Print the turns that were found, with the words highlighted."""
    if as_json:
        for hit in found.hits:
            sys.stdout.write(_json(asdict(hit)) + "\n")
        return
    console = Console(soft_wrap=True)
    words = re.compile(r"\b(?:" + "|".join(map(re.escape, found.stems)) + r")\w*", re.IGNORECASE)
    for hit in found.hits:
        line = Text(hit.text)
        if found.stems:
            line.highlight_regex(words, "bold yellow")
        where = (f"{clock(hit.start_s):>6} {hit.role}: ", "cyan")
        console.print(Text.assemble((hit.call_id, "bold"), where, line))
    if not found.hits:
        note("nothing found")
