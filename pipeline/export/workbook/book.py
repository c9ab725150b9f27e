"""One pass over the calls into all sheets of the workbook."""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.calibrate import Calibration
from pipeline.conversation import Review
from pipeline.export.names import whole
from pipeline.export.selection import Call, Texts
from pipeline.export.summary import Totals, counted
from pipeline.export.tables import (
    ANSWER_COLUMNS,
    CALL_COLUMNS,
    AnswerRow,
    answer_rows,
    call_rows,
    clock,
    values,
)
from pipeline.export.workbook.overview import write_summary
from pipeline.export.workbook.people import write_agents, write_criteria
from pipeline.export.workbook.reference import Ledger, write_coverage, write_definitions
from pipeline.export.workbook.reviewed import write_agreement, write_reviews, write_scores
from pipeline.export.workbook.sheet import TableSheet, put
from pipeline.export.workbook.style import ANSWER_COLOURS, OUTCOME_COLOURS, Formats

ANSWER_ENTRIES = (("Correct answer", 12), ("Reviewer", 12), ("Comment", 26))
CALL_ENTRIES = (("Whole call checked", 11), ("Decision", 13), ("Reviewer", 12), ("Comment", 26))
BOOK_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}


def write(
    dest: Path,
    calls: Iterable[Call],
    texts: Texts,
    *,
    title: str,
    ledger: Sequence[Ledger],
    reviews: Sequence[Review],
    calibration: Calibration | None,
    packet: str,
    reviewable: bool,
) -> None:
    """Write the workbook.

    Args:
        dest: The .xlsx file; moved into place when complete.
        calls: Calls in the order they should appear.
        texts: Words of the criteria.
        title: What was exported, for the first sheet.
        ledger: Rows of status, reason, files, and path, error, hint for files that need attention.
        reviews: Everything people said, oldest first.
        calibration: Agreement with people; None leaves the sheet out.
        packet: Relative path of a packet the times link into; "" for no links.
        reviewable: Whether the workbook takes corrections.
    """
    import xlsxwriter  # not at the top: only workbooks need it

    packed = io.BytesIO()  # not the file: the archive of a book that a full disk cut off is heard once more
    with whole(dest) as partial:
        book = xlsxwriter.Workbook(packed, BOOK_OPTIONS)
        book.set_properties({"title": title, "comments": "Written by callqa"})
        formats = Formats(book)
        summary = book.add_worksheet("Summary")
        totals = Totals()
        _write_calls(book, formats, counted(calls, texts, totals), texts, packet, reviewable)
        write_agents(book, formats, totals)
        write_criteria(book, formats, totals)
        if calibration and calibration.criteria:
            write_agreement(book, formats, calibration)
            write_scores(book, formats, calibration.scores)
        if reviews:
            write_reviews(book, formats, reviews, texts)
        if ledger:
            write_coverage(book, formats, ledger)
        write_definitions(book, formats)
        write_summary(book, summary, formats, totals, title)
        summary.activate()
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:  # around an OSError, such as of a full disk
            raise error.args[0] from error
        partial.write_bytes(packed.getbuffer())


def _write_calls(
    book: Any, formats: Formats, calls: Iterable[Call], texts: Texts, packet: str, reviewable: bool
) -> None:
    """The Calls and Answers sheets, side by side, a call at a time."""
    call_entries, answer_entries = (CALL_ENTRIES, ANSWER_ENTRIES) if reviewable else ((), ())
    call_sheet = TableSheet(book, formats, "Calls", CALL_COLUMNS, entries=call_entries)
    answers = TableSheet(book, formats, "Answers", ANSWER_COLUMNS, entries=answer_entries)
    asked: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for call in calls:
        for row in call_rows(call):
            at = call_sheet.add(values(CALL_COLUMNS, row))
            if packet:
                target = _target(packet, call)
                call_sheet.link(at, "call_id", target, call.metadata.call_id)
        for answer in answer_rows(call, texts):
            at = answers.add(values(ANSWER_COLUMNS, answer))
            asked[answer.text.grades].append(at)
            if packet:
                _link_times(answers, at, packet, answer)
    call_sheet.colour_words("outcome", tuple(OUTCOME_COLOURS))
    call_sheet.bars("final_score")
    answers.colour_words("answer", tuple(ANSWER_COLOURS))
    if reviewable:
        _offer_choices(book, call_sheet, answers, asked)
    for sheet in (call_sheet, answers):
        sheet.close()
        sheet.protect()


def _target(packet: str, call: Call, at_s: float | None = None) -> str:
    """A place in the packet; the id is quoted so that it cannot add anything to the link."""
    moment = "" if at_s is None else f"&t={at_s:.2f}"
    return f"{packet}#call={quote(call.metadata.call_id, safe='')}{moment}"


def _link_times(sheet: TableSheet, at: int, packet: str, row: AnswerRow) -> None:
    if row.answer.evidence:
        start_s = row.answer.evidence[0].start_s
        sheet.link(at, "time", _target(packet, row.call, start_s), clock(start_s))
    if row.answer.nearest:
        start_s = row.answer.nearest.start_s
        sheet.link(at, "nearest_time", _target(packet, row.call, start_s), clock(start_s))


def _offer_choices(
    book: Any, calls: TableSheet, answers: TableSheet, asked: Mapping[tuple[str, ...], Sequence[int]]
) -> None:
    """Drop-downs: what a person may answer differs from row to row where criteria are graded."""
    from xlsxwriter.utility import xl_range_abs

    every_call = range(1, max(calls.rows, 1) + 1)
    checked = "yes: every answer you left alone is right."
    calls.choices(0, ("yes",), every_call, "Whole call checked", checked)
    decide = "Agents acknowledge or dispute; supervisors uphold or overturn."
    calls.choices(1, ("acknowledged", "disputed", "upheld", "overturned"), every_call, "Decision", decide)
    wrong = "Only where the machine is wrong, or to confirm it."
    scales = [grades for grades in asked if grades]
    if scales:  # grades may hold commas, which a list inside a rule cannot
        lists = book.add_worksheet("Choices")
        lists.hide()
        for row, grades in enumerate(scales):
            for col, word in enumerate((*grades, "na")):
                put(lists, row, col, word, None)
    for grades, rows in asked.items():
        if grades:
            source = "=Choices!" + xl_range_abs(scales.index(grades), 0, scales.index(grades), len(grades))
            answers.choices(0, source, rows, "Correct grade", wrong)
        else:
            answers.choices(0, ("yes", "no", "na"), rows, "Correct answer", wrong)
