"""The sheets that explain: Coverage says what became of every file, Definitions what every word means."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.export.tables import ANSWER_COLUMNS, CALL_COLUMNS, Cell, Column
from pipeline.export.workbook.people import AGENT_COLUMNS, CRITERION_COLUMNS
from pipeline.export.workbook.reviewed import AGREEMENT_COLUMNS, REVIEW_COLUMNS, SCORE_COLUMNS
from pipeline.export.workbook.sheet import TableSheet
from pipeline.export.workbook.style import Formats
from pipeline.metrics import METRICS

COVERAGE_COLUMNS = (
    Column("status", "Status", "text", 14, "scored, skipped, failed, quarantined or purged"),
    Column("reason", "Reason", "text", 18, "Why a file was not scored"),
    Column("files", "Files", "count", 9, "How many files"),
    Column("path", "File", "text", 50, "Which file, for those that need attention"),
    Column("error", "What happened", "text", 50, "The fault in a sentence"),
    Column("hint", "What to do", "text", 40, "The next step"),
)
WORDS = (
    ("pass", "The final score reaches the pass mark and nothing auto-failed"),
    ("fail", "Below the pass mark, or an auto-fail fired"),
    ("needs_review", "The machine would not decide alone; a person should listen"),
    ("not_scored", "Nothing in the rubric applied to the call"),
    ("yes", "Heard as the criterion requires; the evidence says where"),
    ("no", "Looked for and not heard; the nearest miss says how close it came"),
    ("na", "The criterion did not apply; it counts neither for nor against"),
    (
        "undetermined",
        "Recognised too weakly, or the recording cannot tell; it counts neither for nor against",
    ),
    (
        "95 % interval",
        "If calls like these were drawn again and again, 95 of 100 such intervals hold the true figure",
    ),
)


def write_coverage(book: Any, formats: Formats, ledger: Sequence[Mapping[str, Any]]) -> None:
    """Counts by status and reason first, then every file that needs attention."""
    sheet = TableSheet(book, formats, "Coverage", COVERAGE_COLUMNS, wide=("path", "error", "hint"))
    counts: dict[tuple[str, str], int] = {}
    for row in ledger:
        key = (row["status"], row["reason"] or "")
        counts[key] = counts.get(key, 0) + row["files"]
    for (status, reason), files in sorted(counts.items(), key=lambda item: -item[1]):
        sheet.add([status, reason, files])
    for row in ledger:
        if row["path"]:
            cells: list[Cell] = [row["status"], row["reason"], 1, row["path"], row["error"], row["hint"]]
            sheet.add(cells)
    sheet.close()


def write_definitions(book: Any, formats: Formats) -> None:
    """Every column and metric of the workbook with its meaning."""
    columns = (
        Column("where", "Where", "text", 14, ""),
        Column("word", "Word", "text", 30, ""),
        Column("meaning", "Meaning", "text", 100, ""),
    )
    sheet = TableSheet(book, formats, "Definitions", columns, wide=("meaning",))
    for word, meaning in WORDS:
        sheet.add(["everywhere", word, meaning])
    for where, declared in (
        ("Calls", [column for column, _ in CALL_COLUMNS]),
        ("Answers", [column for column, _ in ANSWER_COLUMNS]),
        ("Agents", AGENT_COLUMNS),
        ("Criteria", CRITERION_COLUMNS),
        ("Agreement", AGREEMENT_COLUMNS),
        ("Score deviation", SCORE_COLUMNS),
        ("Reviews", REVIEW_COLUMNS),
    ):
        for column in declared:
            sheet.add([where, column.title, column.meaning])
    for name, meaning in METRICS.items():
        sheet.add(["metrics", name, meaning])
    sheet.close()
