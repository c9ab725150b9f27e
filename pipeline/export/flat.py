"""CSV, Parquet and JSON Lines: the calls and answers, for programs."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipeline import contract
from pipeline.csv_safety import inert
from pipeline.export.job import ExportJob
from pipeline.export.names import whole
from pipeline.export.tables import ANSWER_COLUMNS, CALL_COLUMNS, Cell, Column, answer_rows, call_rows, values

TABLES: dict[str, Sequence[Column[Any]]] = {"calls": CALL_COLUMNS, "answers": ANSWER_COLUMNS}
ROWS_PER_GROUP = 50_000
AddRows = Callable[[list[list[Cell]]], None]
Table = Callable[[Path, Sequence[Column[Any]]], AbstractContextManager[AddRows]]
"""Opens a file for rows with these columns."""


def write_tables(job: ExportJob, *, suffix: str, table: Table) -> list[Path]:
    """Write a file of the calls and a file of the answers into a folder."""
    job.dest.mkdir(parents=True, exist_ok=True)
    paths, texts = [job.dest / f"{name}{suffix}" for name in TABLES], job.texts()
    with ExitStack() as files:
        partial = [files.enter_context(whole(path)) for path in paths]  # renamed once both tables are closed
        add_calls, add_answers = (
            files.enter_context(table(path, columns))
            for path, columns in zip(partial, TABLES.values(), strict=True)
        )
        for call in job.calls(words=False):
            add_calls([values(CALL_COLUMNS, row) for row in call_rows(call)])
            add_answers([values(ANSWER_COLUMNS, row) for row in answer_rows(call, texts)])
    return paths


@contextmanager
def csv_table(path: Path, columns: Sequence[Column[Any]]) -> Iterator[AddRows]:
    """A CSV in UTF-8, with the byte-order mark that spreadsheets need."""
    with path.open("w", encoding="utf-8-sig", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in columns])
        yield lambda rows: writer.writerows(map(_csv_cells, rows))


def _csv_cells(cells: Sequence[object]) -> list[object]:
    return [cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else inert(cell) for cell in cells]


@contextmanager
def parquet_table(path: Path, columns: Sequence[Column[Any]]) -> Iterator[AddRows]:
    """A Parquet file; the schema's metadata says what each column means."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = dict.fromkeys(("text", "prose", "clock"), pa.string())
    types |= {"count": pa.int64(), "time": pa.timestamp("us")}
    schema = pa.schema(
        [pa.field(c.name, types.get(c.kind, pa.float64()), metadata={"comment": c.meaning}) for c in columns]
    )
    buffered: list[list[Cell]] = []
    with pq.ParquetWriter(path, schema) as writer:

        def add(rows: list[list[Cell]], least: int = ROWS_PER_GROUP) -> None:
            buffered.extend(rows)
            if len(buffered) >= least:
                by_column = zip(zip(*buffered, strict=True), schema, strict=True)
                arrays = [pa.array(cells, field.type) for cells, field in by_column]
                writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
                buffered.clear()

        yield add
        add([], least=1)


def write_jsonl(job: ExportJob) -> list[Path]:
    """Write a line of JSON per call: metadata, conversation and scorecards, each a ``callqa.<noun>/1``."""
    with whole(job.dest) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for call in job.calls():
            document = {
                "schema": "callqa.call/1",
                "metadata": contract.to_dict(call.metadata),
                "conversation": contract.to_dict(call.conversation),
                "scorecards": [contract.to_dict(card) for card in call.scorecards],
            }
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
    return [job.dest]
