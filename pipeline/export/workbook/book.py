"""One pass over the calls into all sheets of the workbook."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from pipeline.calibrate import Calibration
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
from pipeline.export.workbook.people import write_agents, write_agreement, write_criteria
from pipeline.export.workbook.reference import write_coverage, write_definitions
from pipeline.export.workbook.sheet import TableSheet
from pipeline.export.workbook.style import ANSWER_COLOURS, OUTCOME_COLOURS, Formats

ANSWER_ENTRIES = (("Correct answer", 12), ("Reviewer", 14), ("Comment", 40))
CALL_ENTRIES = (("Whole call checked", 11), ("Decision", 14), ("Reviewer", 14), ("Comment", 40))
BOOK_OPTIONS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": True,
}


@dataclass(frozen=True, slots=True)
class Background:
    """What the workbook says beside the calls themselves.

    Attributes:
        ledger: Rows of status, reason, files, and path, error, hint for files that need attention.
        calibration: Agreement with people; None leaves the sheet out.
        packet: Relative path of a packet the times link into; "" for no links.
        reviewable: Whether the workbook takes corrections.
    """

    ledger: Sequence[Mapping[str, Any]] = ()
    calibration: Calibration | None = None
    packet: str = ""
    reviewable: bool = True


def write(dest: Path, calls: Iterable[Call], texts: Texts, background: Background, *, title: str) -> None:
    """Write the workbook.

    Args:
        dest: The .xlsx file; moved into place when complete.
        calls: Calls in the order they should appear.
        texts: Words of the criteria.
        background: Coverage, agreement, links.
        title: What was exported, for the first sheet.
    """
    import xlsxwriter

    partial = dest.with_name(f".{dest.name}.partial")
    book = xlsxwriter.Workbook(str(partial), BOOK_OPTIONS)
    try:
        book.set_properties({"title": title, "comments": "Written by callqa"})
        formats = Formats(book)
        summary = book.add_worksheet("Summary")
        totals = Totals()
        _write_calls(book, formats, counted(calls, texts, totals), texts, background)
        write_agents(book, formats, totals)
        write_criteria(book, formats, totals)
        if background.calibration and background.calibration.criteria:
            titles = {criterion: text.title for (_, criterion), text in texts.items()}
            write_agreement(book, formats, background.calibration, titles)
        if background.ledger:
            write_coverage(book, formats, background.ledger)
        write_definitions(book, formats)
        write_summary(book, summary, formats, totals, title)
        summary.activate()
        book.close()
        partial.replace(dest)
    finally:
        partial.unlink(missing_ok=True)


def _write_calls(
    book: Any, formats: Formats, calls: Iterable[Call], texts: Texts, background: Background
) -> None:
    """The Calls and Answers sheets, side by side, a call at a time."""
    call_sheet = TableSheet(book, formats, "Calls", [c for c, _ in CALL_COLUMNS], wide=("autofail_reasons",))
    wrapped = ("quote", "reason", "nearest", "criterion")
    answers = TableSheet(book, formats, "Answers", [c for c, _ in ANSWER_COLUMNS], wide=wrapped)
    if background.reviewable:
        call_sheet.entry(CALL_ENTRIES)
        answers.entry(ANSWER_ENTRIES)
    for call in calls:
        for row in call_rows([call]):
            at = call_sheet.add(values(CALL_COLUMNS, row))
            if background.packet:
                target = _target(background.packet, call)
                call_sheet.link(at, "call_id", target, call.metadata.call_id)
        for answer in answer_rows([call], texts):
            at = answers.add(values(ANSWER_COLUMNS, answer))
            if background.packet:
                _link_times(answers, at, background.packet, answer)
    _finish(call_sheet, answers, background.reviewable)


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


def _finish(call_sheet: TableSheet, answers: TableSheet, reviewable: bool) -> None:
    call_sheet.colour_words("outcome", tuple(OUTCOME_COLOURS))
    call_sheet.bars("final_score")
    answers.colour_words("answer", tuple(ANSWER_COLOURS))
    if reviewable:
        checked = "yes: every answer you left alone is right."
        call_sheet.choices(0, ("yes",), "Whole call checked", checked)
        states = ("acknowledged", "disputed", "upheld", "overturned")
        call_sheet.choices(
            1, states, "Decision", "Agents acknowledge or dispute; supervisors uphold or overturn."
        )
        wrong = "Only where the machine is wrong, or to confirm it."
        answers.choices(0, ("yes", "no", "na"), "Correct answer", wrong)
    for sheet in (call_sheet, answers):
        sheet.close()
        sheet.protect()
