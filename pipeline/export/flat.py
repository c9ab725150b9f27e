"""CSV, Parquet and JSON Lines: the same tables for programs."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterable, Sequence
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


def write_csv(folder: Path, calls: Iterable[Call], texts: Texts) -> list[Path]:
    """``calls.csv`` and ``answers.csv``, UTF-8 with a byte-order mark (spreadsheets need it), no formulas."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "calls.csv", folder / "answers.csv"]
    with (
        whole(paths[0]) as call_part,
        whole(paths[1]) as answer_part,
        call_part.open("w", encoding="utf-8-sig", newline="") as call_file,
        answer_part.open("w", encoding="utf-8-sig", newline="") as answer_file,
    ):
        call_out, answer_out = csv.writer(call_file), csv.writer(answer_file)
        call_out.writerow([column.name for column, _ in CALL_COLUMNS])
        answer_out.writerow([column.name for column, _ in ANSWER_COLUMNS])
        for call in calls:
            call_out.writerows(_inert(values(CALL_COLUMNS, row)) for row in call_rows(call))
            answer_out.writerows(_inert(values(ANSWER_COLUMNS, row)) for row in answer_rows(call, texts))
    return paths


def _inert(cells: Sequence[object]) -> list[object]:
    return [cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else inert(cell) for cell in cells]


def write_jsonl(dest: Path, calls: Iterable[Call]) -> None:
    """One JSON object a line and call: metadata, conversation and scorecards, each a ``callqa.<noun>/1``."""
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
    """``calls.parquet`` and ``answers.parquet``; column meanings are in the schema's metadata."""
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "calls.parquet", folder / "answers.parquet"]
    schemas = [_schema(column for column, _ in columns) for columns in (CALL_COLUMNS, ANSWER_COLUMNS)]
    with (
        whole(paths[0]) as call_part,
        whole(paths[1]) as answer_part,
        pq.ParquetWriter(call_part, schemas[0]) as call_out,
        pq.ParquetWriter(answer_part, schemas[1]) as answer_out,
    ):
        call_rows_held: list[list[Cell]] = []
        answer_rows_held: list[list[Cell]] = []
        for call in calls:
            call_rows_held += [values(CALL_COLUMNS, row) for row in call_rows(call)]
            answer_rows_held += [values(ANSWER_COLUMNS, row) for row in answer_rows(call, texts)]
            if len(answer_rows_held) >= ROWS_PER_GROUP:
                _flush(call_out, schemas[0], call_rows_held)
                _flush(answer_out, schemas[1], answer_rows_held)
        _flush(call_out, schemas[0], call_rows_held)
        _flush(answer_out, schemas[1], answer_rows_held)
    return paths


def _schema(columns: Iterable[Column]) -> Any:
    import pyarrow as pa

    types = {"text": pa.string(), "clock": pa.string(), "count": pa.int64(), "time": pa.timestamp("us")}
    return pa.schema(
        [pa.field(c.name, types.get(c.kind, pa.float64()), metadata={"comment": c.meaning}) for c in columns]
    )


def _flush(out: Any, schema: Any, rows: list[list[Cell]]) -> None:
    import pyarrow as pa

    if rows:
        arrays = [
            pa.array(column, field.type)
            for column, field in zip(zip(*rows, strict=True), schema, strict=True)
        ]
        out.write_table(pa.Table.from_arrays(arrays, schema=schema))
        rows.clear()
