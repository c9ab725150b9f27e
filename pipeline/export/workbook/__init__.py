"""The supervisor's workbook: Summary, Calls, Answers, Agents, Criteria and the sheets about reviews.

``write`` reads the calls once. Their rows go to disk as they are read (XlsxWriter's constant-memory mode);
the other sheets (docs/review.md lists all ten) are written at the end, from totals counted on the way.
"""

from __future__ import annotations

import io
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.export.job import ExportJob
from pipeline.export.names import whole
from pipeline.export.selection import ExportedCall, Texts
from pipeline.export.summary import Totals, counted
from pipeline.export.tables import ANSWER_COLUMNS, CALL_COLUMNS, AnswerRow, answer_rows, call_rows, clock
from pipeline.export.workbook.overview import TITLE, write_summary
from pipeline.export.workbook.people import write_agents, write_criteria
from pipeline.export.workbook.reference import write_coverage, write_definitions
from pipeline.export.workbook.reviewed import write_agreement, write_reviews, write_scores
from pipeline.export.workbook.sheet import ANSWER_COLOURS, OUTCOME_COLOURS, Formats, TableSheet, put

ANSWER_ENTRIES = (("Correct answer", 12), ("Reviewer", 12), ("Comment", 26))
CALL_ENTRIES = (("Whole call checked", 11), ("Decision", 13), ("Reviewer", 12), ("Comment", 26))
BOOK_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}


def write(job: ExportJob) -> list[Path]:
    """Write the workbook; it is moved into place when it is complete."""
    import xlsxwriter  # not at the top: only workbooks need it

    archive = io.BytesIO()  # in memory: a zip file cut off by a full disk raises again when it is discarded
    texts, calibration, reviews, ledger = job.texts(), job.calibration(), job.reviews(), job.ledger()
    with whole(job.dest) as partial:
        book = xlsxwriter.Workbook(archive, BOOK_OPTIONS)
        book.set_properties({"title": TITLE, "comments": "Written by callqa"})
        formats = Formats(book)
        summary = book.add_worksheet("Summary")
        totals = Totals()
        _write_calls(book, formats, counted(job.calls(words=False), texts, totals), texts, job)
        write_agents(book, formats, totals)
        write_criteria(book, formats, totals)
        if calibration.criteria:
            write_agreement(book, formats, calibration)
            write_scores(book, formats, calibration.scores)
        if reviews:
            write_reviews(book, formats, reviews, texts)
        if ledger:
            write_coverage(book, formats, ledger)
        write_definitions(book, formats)
        write_summary(book, summary, formats, totals)
        summary.activate()
        try:
            book.close()
        except xlsxwriter.exceptions.FileCreateError as error:  # wraps an OSError, such as of a full disk
            raise error.args[0] from error
        partial.write_bytes(archive.getbuffer())
    return [job.dest]


def _write_calls(
    book: Any, formats: Formats, calls: Iterable[ExportedCall], texts: Texts, job: ExportJob
) -> None:
    """Write the Calls and the Answers sheet, both a call at a time."""
    call_entries, answer_entries = ((), ()) if job.client_safe else (CALL_ENTRIES, ANSWER_ENTRIES)
    call_sheet = TableSheet(book, formats, "Calls", CALL_COLUMNS, entries=call_entries)
    answer_sheet = TableSheet(book, formats, "Answers", ANSWER_COLUMNS, entries=answer_entries)
    grade_rows: dict[tuple[str, ...], list[int]] = defaultdict(list)  # rows of the answers with these grades
    for call in calls:
        for call_row in call_rows(call):
            row = call_sheet.add(call_row)
            if job.packet_link:
                call_sheet.link(row, "call_id", _target(job.packet_link, call), call.metadata.call_id)
        for answer in answer_rows(call, texts):
            row = answer_sheet.add(answer)
            grade_rows[answer.text.grades].append(row)
            if job.packet_link:
                _link_times(answer_sheet, row, job.packet_link, answer)
    call_sheet.colour_words("outcome", OUTCOME_COLOURS)
    call_sheet.bars("final_score")
    answer_sheet.colour_words("answer", ANSWER_COLOURS)
    if not job.client_safe:
        _offer_choices(book, call_sheet, answer_sheet, grade_rows)
    for sheet in (call_sheet, answer_sheet):
        sheet.close()
        sheet.protect()


def _target(packet: str, call: ExportedCall, at_s: float | None = None) -> str:
    """Link to a call in the packet, or to a moment of it; the id is quoted and cannot change the link."""
    moment = "" if at_s is None else f"&t={at_s:.2f}"
    return f"{packet}#call={quote(call.metadata.call_id, safe='')}{moment}"


def _link_times(sheet: TableSheet, row: int, packet: str, answer: AnswerRow) -> None:
    if answer.answer.evidence:
        start_s = answer.answer.evidence[0].start_s
        sheet.link(row, "time", _target(packet, answer.call, start_s), clock(start_s))
    if answer.answer.nearest:
        start_s = answer.answer.nearest.start_s
        sheet.link(row, "nearest_time", _target(packet, answer.call, start_s), clock(start_s))


def _offer_choices(
    book: Any, calls: TableSheet, answers: TableSheet, grade_rows: Mapping[tuple[str, ...], Sequence[int]]
) -> None:
    """Add drop-downs to the entry columns; graded criteria offer their grades, others yes and no."""
    from xlsxwriter.utility import xl_range_abs

    every_call = range(1, max(calls.rows, 1) + 1)
    checked = "yes: every answer you left alone is right."
    calls.choices(0, ("yes",), every_call, "Whole call checked", checked)
    decide = "Agents acknowledge or dispute; supervisors uphold or overturn."
    calls.choices(1, ("acknowledged", "disputed", "upheld", "overturned"), every_call, "Decision", decide)
    wrong = "Only where the machine is wrong, or to confirm it."
    scales = [grades for grades in grade_rows if grades]
    if scales:  # on a sheet of their own: grades may contain commas, which separate a list inside a rule
        lists = book.add_worksheet("Choices")
        lists.hide()
        for row, grades in enumerate(scales):
            for col, word in enumerate((*grades, "na")):
                put(lists, row, col, word, None)
    for grades, rows in grade_rows.items():
        if grades:
            row = scales.index(grades)
            source = "=Choices!" + xl_range_abs(row, 0, row, len(grades))
            answers.choices(0, source, rows, "Correct grade", wrong)
        else:
            answers.choices(0, ("yes", "no", "na"), rows, "Correct answer", wrong)
