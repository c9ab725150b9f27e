"""The sheets Coverage, which says what became of every file, and Definitions, which explains every term."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from pipeline.export.tables import ANSWER_COLUMNS, CALL_COLUMNS, Column
from pipeline.export.workbook.people import AGENT_COLUMNS, CRITERION_COLUMNS
from pipeline.export.workbook.reviewed import AGREEMENT_COLUMNS, REVIEW_COLUMNS, SCORE_COLUMNS
from pipeline.export.workbook.sheet import Formats, TableSheet
from pipeline.metrics import METRICS

LedgerRow = Mapping[str, Any]
COVERAGE_COLUMNS: Sequence[Column[LedgerRow]] = (
    Column("status", "Status", "text", 14, "scored, skipped, failed, quarantined or purged",
           itemgetter("status")),
    Column("reason", "Reason", "text", 18, "Why a file was not scored", itemgetter("reason")),
    Column("files", "Files", "count", 9, "How many files", itemgetter("files")),
    Column("path", "File", "prose", 50, "Which file, for those that need attention", itemgetter("path")),
    Column("error", "What happened", "prose", 50, "The fault in a sentence", itemgetter("error")),
    Column("hint", "What to do", "prose", 40, "The next step", itemgetter("hint")),
)  # fmt: skip
DEFINITION_COLUMNS: Sequence[Column[Sequence[str]]] = (
    Column("where", "Where", "text", 14, "", itemgetter(0)),
    Column("word", "Word", "text", 30, "", itemgetter(1)),
    Column("meaning", "Meaning", "prose", 100, "", itemgetter(2)),
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


def write_coverage(book: Any, formats: Formats, ledger: Sequence[LedgerRow]) -> None:
    """Write the counts by status and reason, then every file that needs attention."""
    sheet = TableSheet(book, formats, "Coverage", COVERAGE_COLUMNS)
    counts: Counter[tuple[str, str]] = Counter()
    for row in ledger:
        counts[row["status"], row["reason"] or ""] += row["files"]
    for (status, reason), files in sorted(counts.items(), key=lambda item: -item[1]):
        sheet.add_cells([status, reason, files])
    for row in ledger:
        if row["path"]:
            sheet.add(row)
    sheet.close()


def write_definitions(book: Any, formats: Formats) -> None:
    """Write every column and metric of the workbook with its meaning."""
    tables: dict[str, Sequence[Column[Any]]] = {
        "Calls": CALL_COLUMNS,
        "Answers": ANSWER_COLUMNS,
        "Agents": AGENT_COLUMNS,
        "Criteria": CRITERION_COLUMNS,
        "Agreement": AGREEMENT_COLUMNS,
        "Score deviation": SCORE_COLUMNS,
        "Reviews": REVIEW_COLUMNS,
    }
    rows = [("everywhere", word, meaning) for word, meaning in WORDS]
    rows += [(name, column.title, column.meaning) for name, columns in tables.items() for column in columns]
    rows += [("metrics", name, meaning) for name, meaning in METRICS.items()]
    sheet = TableSheet(book, formats, "Definitions", DEFINITION_COLUMNS)
    for row in rows:
        sheet.add(row)
    sheet.close()
