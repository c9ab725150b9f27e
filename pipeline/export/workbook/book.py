"""One pass over the calls into all sheets of the workbook."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pipeline.export.selection import Call, Texts
from pipeline.export.summary import Totals, counted
from pipeline.export.tables import (
    ANSWER_COLUMNS,
    CALL_COLUMNS,
    answer_rows,
    call_rows,
    values,
)
from pipeline.export.workbook.overview import write_summary
from pipeline.export.workbook.sheet import TableSheet
from pipeline.export.workbook.style import ANSWER_COLOURS, OUTCOME_COLOURS, Formats

ENTRY_COLUMNS = ("Correct answer", "Reviewer", "Comment")


def write(dest: Path, calls: Iterable[Call], texts: Texts, *, title: str) -> None:
    """Write the workbook.

    Args:
        dest: The .xlsx file.
        calls: Calls in the order they should appear.
        texts: Words of the criteria.
        title: What was exported, for the first sheet.
    """
    import xlsxwriter

    book = xlsxwriter.Workbook(
        str(dest),
        {
            "constant_memory": True,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
            "nan_inf_to_errors": True,
        },
    )
    book.set_properties({"title": title, "comments": "Written by callqa"})
    formats = Formats(book)
    summary = book.add_worksheet("Summary")
    call_sheet = TableSheet(book, formats, "Calls", [column for column, _ in CALL_COLUMNS])
    answers = _answer_sheet(book, formats)
    totals = Totals()
    for call in counted(calls, texts, totals):
        for row in call_rows([call]):
            call_sheet.add(values(CALL_COLUMNS, row))
        for answer in answer_rows([call], texts):
            at = answers.add(values(ANSWER_COLUMNS, answer))
            for offset in range(len(ENTRY_COLUMNS)):
                answers.sheet.write_blank(at, len(ANSWER_COLUMNS) + offset, None, formats.entry)
    call_sheet.colour_words("outcome", tuple(OUTCOME_COLOURS))
    call_sheet.bars("final_score")
    call_sheet.close()
    _close_answers(answers)
    write_summary(summary, formats, totals, title)
    summary.activate()
    book.close()


def _answer_sheet(book: Any, formats: Formats) -> TableSheet:
    """The answers with the columns a reviewer fills in at the right edge."""
    columns = [column for column, _ in ANSWER_COLUMNS]
    sheet = TableSheet(book, formats, "Answers", columns, wide=("quote", "reason", "nearest", "criterion"))
    for offset, heading in enumerate(ENTRY_COLUMNS):
        col = len(columns) + offset
        sheet.sheet.set_column(col, col, 16 if offset < 2 else 40)
        sheet.sheet.write_string(0, col, heading, formats.entry_head)
    return sheet


def _close_answers(answers: TableSheet) -> None:
    """Drop-downs, protection of everything a reviewer must not change, colours, filters."""
    first = len(answers.columns)
    last = max(answers.rows, 1)
    answers.colour_words("answer", tuple(ANSWER_COLOURS))
    answers.sheet.data_validation(
        1, first, last, first,
        {"validate": "list", "source": ["yes", "no", "na"], "input_title": "Correct answer",
         "input_message": "Only where the machine is wrong: yes, no or na.",
         "error_title": "Not an answer", "error_message": "Choose yes, no or na, or leave it empty."},
    )  # fmt: skip
    answers.close(last_col=first + len(ENTRY_COLUMNS) - 1)
    answers.sheet.protect(
        "",
        {
            "autofilter": True,
            "sort": True,
            "format_columns": True,
            "format_rows": True,
            "select_locked_cells": True,
        },
    )
