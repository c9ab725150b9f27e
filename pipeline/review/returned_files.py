"""Read the files that reviewers send back, the packet's JSON, workbooks and CSV, into entries.

People move and rename columns, put title rows above the header, and spreadsheets turn ids into numbers.
Columns are therefore found by their headings, wherever they are. ``import_reviews`` checks what the entries
say against the store.
"""

from __future__ import annotations

import csv
import datetime as dt
import json
import re
import warnings
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pipeline.csv_safety import as_written, clean
from pipeline.errors import UsageError

LARGEST_FILE = 256 * 1024 * 1024
LARGEST_UNPACKED = 2 * 1024**3
HEADER_ROWS = 30

# For each field of an entry, the headings that people and callqa use: lower case, letters only. Where a table
# has several of them, the first one here counts.
HEADINGS: dict[str, tuple[str, ...]] = {
    "call_id": ("call", "call id", "callid", "interaction", "interaction id"),
    "rubric_hash": ("rubric text", "rubric hash"),
    "rubric_id": ("rubric",),
    "criterion_id": ("criterion id", "question id", "item id"),
    "criterion": ("criterion", "question", "item"),
    "answer": ("correct answer", "override", "corrected answer", "human answer", "reviewer answer"),
    "reviewer": ("reviewer", "reviewed by", "evaluator", "checked by"),
    "reason": ("comment", "comments", "note", "notes", "reason"),
    "state": ("decision", "agent decision", "state", "agent says"),
    "confirmed": ("whole call checked", "all other answers right", "confirmed"),
}
# What people write where they checked a whole call; any other word is kept as it is, to be reported.
CHECKED = dict.fromkeys(("yes", "y", "x", "true", "1", "✓", "checked", "done"), "yes")
CHECKED |= dict.fromkeys(("no", "n", "false", "0", "-"), "")
# A workbook's sheet of earlier reviews has these headings; what it says is on record already.
AUDIT_TRAIL = {"who", "call", "machine", "person", "state"}


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer, comment, decision or mark of one person, as written and not yet checked.

    Attributes:
        where: Place in the file, for messages.
        criterion_id: Empty when the entry is about the whole call.
        confirmed: "yes" where the person checked the whole call and agrees with every answer they left alone.
        blind: Id of the blind packet it comes from; "" when the machine's answers were in view.
        quote: In a mark, the quote that meets the criterion (``answer`` yes) or does not (no); else None.
    """

    where: str
    call_id: str
    rubric_hash: str = ""
    rubric_id: str = ""
    criterion_id: str = ""
    criterion: str = ""
    answer: str = ""
    reviewer: str = ""
    reason: str = ""
    state: str = ""
    confirmed: str = ""
    blind: str = ""
    at: dt.datetime | None = None
    quote: str | None = None


def read(path: Path, kind: str = "") -> list[Entry]:
    """Read every entry of a returned file; ``kind`` is the ending to read it as, instead of its own.

    Raises:
        UsageError: The file cannot be read, or it is not a review.
    """
    suffix = kind or path.suffix.lower()
    try:
        size = path.stat().st_size
        if size > LARGEST_FILE:
            raise UsageError(f"{path} is too large for a review ({size:,} bytes)")
        if suffix in READERS:
            return READERS[suffix](path)
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}", hint="give the file a reviewer sent back") from error
    raise UsageError(
        f"{path}: cannot read reviews from {suffix or 'a file without ending'}",
        hint="give the packet's .json, a workbook saved as .xlsx, or a .csv",
    )


def _read_json(path: Path) -> list[Entry]:
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (ValueError, RecursionError) as error:  # ValueError also for numbers with thousands of digits
        raise UsageError(
            f"{path}: not readable as JSON: {error}", hint="download it from the packet again"
        ) from error
    if not isinstance(document, dict) or document.get("schema") != "callqa.review/1":
        raise UsageError(
            f"{path}: not a review (schema callqa.review/1)", hint="use the packet's download button"
        )
    who = {"reviewer": _text(document.get("reviewer")), "blind": _text(document.get("blind"))}
    entries = []
    for kind, entry in (("answers", _json_entry), ("calls", _json_entry), ("marks", _json_mark)):
        items = document.get(kind)
        for i, item in enumerate(items if isinstance(items, list) else ()):
            if isinstance(item, dict):
                entries.append(entry(item, f"{path.name}: {kind}[{i}]", **who))
    return entries


def _json_entry(item: dict[str, Any], where: str, *, reviewer: str, blind: str) -> Entry:
    return Entry(
        where=where,
        call_id=_text(item.get("call_id")),
        rubric_hash=_text(item.get("rubric_hash")),
        criterion_id=_text(item.get("criterion_id")),
        answer=_text(item.get("answer")),
        reviewer=reviewer,
        reason=_text(item.get("reason")) or _text(item.get("comment")),
        state=_text(item.get("state")),
        confirmed="yes" if item.get("confirmed") is True and not blind else "",
        blind=blind,
        at=_moment(item.get("at")),
    )


def _json_mark(item: dict[str, Any], where: str, *, reviewer: str, blind: str) -> Entry:
    meets, quote = item.get("meets"), item.get("quote")
    answer = "yes" if meets is True else "no" if meets is False else ""
    entry = _json_entry(item | {"answer": answer}, where, reviewer=reviewer, blind=blind)
    return replace(entry, quote=clean(quote) if isinstance(quote, str) else "")


def _read_workbook(path: Path) -> list[Entry]:
    try:
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > LARGEST_UNPACKED:
                raise UsageError(f"{path}: unpacks to more than a workbook should")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # openpyxl warns of charts and sparklines, which are not read
            return _read_sheets(path)
    except UsageError:
        raise
    except Exception as error:  # openpyxl raises whatever zip, XML and its own classes do
        raise UsageError(
            f"{path}: not a readable workbook: {error}", hint="save it as .xlsx and send it again"
        ) from error


def _read_sheets(path: Path) -> list[Entry]:
    import openpyxl

    begun = dt.datetime.now(dt.UTC)
    book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    saved = book.properties.modified.replace(tzinfo=dt.UTC)  # the present time where the workbook has none
    at = saved if saved < begun else dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    tables = []
    try:
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # some programs write wrong ones
            tables.append(_read_table(sheet.iter_rows(values_only=True), f"{path.name}: {sheet.title}", at))
    finally:
        book.close()
    return _understood(path, tables)


def _read_csv(path: Path) -> list[Entry]:
    at = dt.datetime.fromtimestamp(path.stat().st_mtime, dt.UTC)
    tables, faults = [], {}
    with path.open(encoding="utf-8-sig", newline="") as file:
        for delimiter in ",;\t|":  # the one with which the header has its columns
            file.seek(0)
            rows = csv.reader(file, delimiter=delimiter, strict=True)
            try:
                tables.append(_read_table(rows, path.name, at))
            except UnicodeDecodeError as error:
                fault = f"{path}: not readable as CSV: {error}"
                raise UsageError(fault, hint="save it as UTF-8 CSV") from error
            except csv.Error as error:
                faults[rows.line_num] = error
    if faults and all(table is None for table in tables):
        line = max(faults)  # with the right delimiter more lines are read than with the wrong ones
        raise UsageError(
            f"{path} line {line}: not readable as CSV: {faults[line]}",
            hint="look for a quote that is not closed, on that line or before it, or shorten the cell",
        )
    return _understood(path, tables)


READERS = {".json": _read_json, ".xlsx": _read_workbook, ".xlsm": _read_workbook, ".csv": _read_csv}


def _understood(path: Path, tables: Sequence[list[Entry] | None]) -> list[Entry]:
    """The entries of all tables; a usage error if none of them is a form."""
    forms = [table for table in tables if table is not None]
    if forms:
        return [entry for form in forms for entry in form]
    raise UsageError(
        f"{path}: no table with the columns Call, Reviewer and Correct answer was found",
        hint="keep the headings of the exported workbook; their order and the rows above them do not matter",
    )


def _read_table(rows: Iterable[Sequence[object]], place: str, at: dt.datetime) -> list[Entry] | None:
    """The entries below the header row, or None without such a row; ``at`` is when the file was saved."""
    columns: dict[str, int] = {}
    entries = []
    for number, cells in enumerate(rows, start=1):
        row = [as_written(_text(cell)) for cell in cells]
        if not columns:
            columns = _header(row)
            if not columns and number >= HEADER_ROWS:
                return None
            continue
        values = {name: row[col] for name, col in columns.items() if col < len(row)}
        if written := values.get("confirmed"):
            values["confirmed"] = CHECKED.get(written.lower(), written)
        filled_in = any(values.get(name) for name in ("answer", "state", "reason", "confirmed"))
        if filled_in and not _header(row):  # the header may be repeated for printing
            entries.append(Entry(where=f"{place} row {number}", at=at, **values))
    return entries if columns else None


def _header(row: Sequence[str]) -> dict[str, int]:
    """The column of each field of an entry, if the row is the header of a form; else empty."""
    found: dict[str, int] = {}
    for col, cell in enumerate(row):
        found.setdefault(re.sub(r"[^a-z]+", " ", cell.lower()).strip(), col)
    columns = {
        name: found[heading]
        for name, headings in HEADINGS.items()
        for heading in headings[::-1]
        if heading in found
    }
    if found.keys() >= {"answer", "reason"} and columns["reason"] == found["reason"]:
        del columns["reason"]  # the machine's reason for its answer
    is_form = "call_id" in columns and not columns.keys().isdisjoint({"answer", "state", "confirmed"})
    return columns if is_form and not found.keys() >= AUDIT_TRAIL else {}


def _text(value: object) -> str:
    """A cell or value as text: whole numbers without ``.0``, no outer spaces."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip().strip("\u200b\ufeff\xa0")


def _moment(value: object) -> dt.datetime | None:
    if not isinstance(value, str):
        return None
    try:
        moment = dt.datetime.fromisoformat(value)
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=dt.UTC)
