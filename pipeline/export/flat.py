"""CSV and JSON Lines: the same tables for programs."""

from __future__ import annotations

import csv
import datetime as dt
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from pipeline import contract
from pipeline.export.names import inert
from pipeline.export.selection import Call, Texts
from pipeline.export.tables import ANSWER_COLUMNS, CALL_COLUMNS, answer_rows, call_rows, values


def write_csv(folder: Path, calls: Iterable[Call], texts: Texts) -> list[Path]:
    """``calls.csv`` and ``answers.csv``, UTF-8 with a byte-order mark (spreadsheets need it), no formulas."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "calls.csv", folder / "answers.csv"]
    with (
        paths[0].open("w", encoding="utf-8-sig", newline="") as call_file,
        paths[1].open("w", encoding="utf-8-sig", newline="") as answer_file,
    ):
        call_out, answer_out = csv.writer(call_file), csv.writer(answer_file)
        call_out.writerow([column.name for column, _ in CALL_COLUMNS])
        answer_out.writerow([column.name for column, _ in ANSWER_COLUMNS])
        for call in calls:
            call_out.writerows(_inert(values(CALL_COLUMNS, row)) for row in call_rows([call]))
            answer_out.writerows(_inert(values(ANSWER_COLUMNS, row)) for row in answer_rows([call], texts))
    return paths


def _inert(cells: Sequence[object]) -> list[object]:
    return [cell.isoformat(sep=" ") if isinstance(cell, dt.datetime) else inert(cell) for cell in cells]


def write_jsonl(dest: Path, calls: Iterable[Call]) -> None:
    """One JSON object a line and call: metadata, conversation and scorecards, each a ``callqa.<noun>/1``."""
    with dest.open("w", encoding="utf-8", newline="\n") as out:
        for call in calls:
            document = {
                "schema": "callqa.call/1",
                "metadata": contract.to_dict(call.metadata),
                "conversation": contract.to_dict(call.conversation) if call.conversation else None,
                "scorecards": [contract.to_dict(card) for card in call.scorecards],
            }
            out.write(json.dumps(document, ensure_ascii=False, separators=(",", ":")) + "\n")
