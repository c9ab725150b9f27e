"""CSV, Parquet and JSON Lines: the calls and answers, for programs."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pipeline import contract
from pipeline.csv_safety import inert
from pipeline.export.names import whole
from pipeline.export.selection import Call, Texts
from pipeline.export.tables import (
    ANSWER_COLUMNS,
    CALL_COLUMNS,
    Cell,
    Column,
    answer_rows,
    call_rows,
    values,
)

TABLES: dict[str, Sequence[Column[Any]]] = {"calls": CALL_COLUMNS, "answers": ANSWER_COLUMNS}


def _rows(call: Call, texts: Texts) -> dict[str, list[list[Cell]]]:
    """The rows of a call in each table."""
    return {
        "calls": [values(CALL_COLUMNS, row) for row in call_rows(call)],
        "answers": [values(ANSWER_COLUMNS, row) for row in answer_rows(call, texts)],
    }


def write_csv(folder: Path, calls: Iterable[Call], texts: Texts) -> list[Path]:
    """Write ``calls.csv`` and ``answers.csv`` in UTF-8, with the byte-order mark that spreadsheets need."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.csv" for name in TABLES}
    with ExitStack() as files:
        writers = {}
        for name, path in paths.items():
            partial = files.enter_context(whole(path))
            file = files.enter_context(partial.open("w", encoding="utf-8-sig", newline=""))
            writers[name] = csv.writer(file)
            writers[name].writerow([column.name for column in TABLES[name]])
        for call in calls:
            for name, rows in _rows(call, texts).items():
                writers[name].writerows(map(_csv_cells, rows))
    return list(paths.values())


def _csv_cells(cells: Sequence[object]) -> list[object]:
    return [cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else inert(cell) for cell in cells]


def write_jsonl(dest: Path, calls: Iterable[Call]) -> None:
    """Write a line of JSON per call: metadata, conversation and scorecards, each a ``callqa.<noun>/1``."""
    with whole(dest) as partial, partial.open("w", encoding="utf-8", newline="\n") as out:
        for call in calls:
            document = {
                "schema": "callqa.call/1",
                "metadata": contract.to_dict(call.metadata),
                "conversation": contract.to_dict(call.conversation),
                "scorecards": [contract.to_dict(card) for card in call.scorecards],
            }
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")


ROWS_PER_GROUP = 50_000


def write_parquet(folder: Path, calls: Iterable[Call], texts: Texts) -> list[Path]:
    """Write ``calls.parquet`` and ``answers.parquet``; the schema's metadata says what each column means."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    paths = {name: folder / f"{name}.parquet" for name in TABLES}
    buffered: dict[str, list[list[Cell]]] = {name: [] for name in TABLES}
    with ExitStack() as files:
        writers = {}
        for name, path in paths.items():
            partial = files.enter_context(whole(path))
            writers[name] = files.enter_context(pq.ParquetWriter(partial, _schema(TABLES[name])))
        for call in calls:
            for name, rows in _rows(call, texts).items():
                buffered[name] += rows
            if len(buffered["answers"]) >= ROWS_PER_GROUP:
                _flush(writers, buffered)
        _flush(writers, buffered)
    return list(paths.values())


def _schema(columns: Iterable[Column[Any]]) -> Any:
    import pyarrow as pa

    types = dict.fromkeys(("text", "prose", "clock"), pa.string())
    types |= {"count": pa.int64(), "time": pa.timestamp("us")}
    return pa.schema(
        [pa.field(c.name, types.get(c.kind, pa.float64()), metadata={"comment": c.meaning}) for c in columns]
    )


def _flush(writers: dict[str, Any], buffered: dict[str, list[list[Cell]]]) -> None:
    """Write the buffered rows of each table as a row group, and empty the buffers."""
    import pyarrow as pa

    for name, rows in buffered.items():
        if rows:
            schema = writers[name].schema
            columns = zip(zip(*rows, strict=True), schema, strict=True)
            arrays = [pa.array(cells, field.type) for cells, field in columns]
            writers[name].write_table(pa.Table.from_arrays(arrays, schema=schema))
            rows.clear()
