"""Writing one sheet: a header, typed cells that can never become formulas, filters and print setup."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any

from pipeline.errors import UsageError
from pipeline.export.names import clean
from pipeline.export.tables import Cell, Column
from pipeline.export.workbook.style import Formats

LAST_ROW = 1_048_575
LONGEST_CELL = 32_767
LINE_POINTS = 13.0
MOST_LINES = 8
MOST_LINKS = 65_000  # Excel's limit is 65,530 a sheet


def put(sheet: Any, row: int, col: int, value: Cell, form: Any) -> None:
    """Write one cell by its Python type; text is always text, never a formula, a link or a number."""
    if value is None or value == "":
        sheet.write_blank(row, col, None, form)
    elif isinstance(value, bool):
        sheet.write_boolean(row, col, value, form)
    elif isinstance(value, dt.datetime):
        sheet.write_datetime(row, col, value, form)
    elif isinstance(value, (int, float)):
        sheet.write_number(row, col, value, form)
    else:
        sheet.write_string(row, col, clean(value)[:LONGEST_CELL], form)


class TableSheet:
    """A sheet that is one table: header in row 1, a row a call of ``add``, finished by ``close``."""

    def __init__(
        self,
        book: Any,
        formats: Formats,
        name: str,
        columns: Sequence[Column],
        *,
        wide: Sequence[str] = (),
        least_height: float = 15.0,
    ) -> None:
        self.sheet = book.add_worksheet(name)
        self.columns = columns
        self.rows = 0
        self._entries = 0
        self._links = 0
        self._wrapped = [col for col, column in enumerate(columns) if column.name in wide]
        self._least_height = least_height
        self._name = name
        self._formats = formats
        self._cells = [formats.of(column.kind, wrap=column.name in wide) for column in columns]
        self.sheet.set_row(0, 30)
        for col, column in enumerate(columns):
            options = {"hidden": True, "level": 1} if column.detail else {}
            self.sheet.set_column(col, col, column.width, self._cells[col], options)
            self.sheet.write_string(0, col, column.title, formats.head)
        self.sheet.freeze_panes(1, 1)

    def add(self, cells: Sequence[Cell]) -> int:
        """Append a row; returns its row number from 0."""
        if self.rows >= LAST_ROW:
            raise UsageError(
                f"sheet {self._name} would exceed the {LAST_ROW:,} rows a workbook can hold",
                hint="narrow the export (--since, --client, --agent), or use --format parquet or csv",
            )
        self.rows += 1
        self.sheet.set_row(self.rows, self._height(cells))
        for col, value in enumerate(cells):
            put(self.sheet, self.rows, col, value, self._cells[col])
        for col in range(len(self.columns), len(self.columns) + self._entries):
            self.sheet.write_blank(self.rows, col, None, self._formats.entry)
        return self.rows

    def _height(self, cells: Sequence[Cell]) -> float:
        """Room for the longest wrapped cell: not every program grows rows by itself."""
        lines = [
            math.ceil(len(cell) / max(self.columns[col].width - 1, 1))
            for col in self._wrapped
            if col < len(cells) and isinstance(cell := cells[col], str)
        ]
        return max(self._least_height, LINE_POINTS * min(max(lines, default=1), MOST_LINES) + 2)

    def link(self, row: int, name: str, target: str, text: str) -> None:
        """Make one cell a link to a file beside the workbook."""
        if text and self._links < MOST_LINKS:
            self._links += 1
            self.sheet.write_url(row, self.column(name), f"external:{target}", self._formats.link, text)

    def column(self, name: str) -> int:
        """Position of a column by its machine name."""
        return [column.name for column in self.columns].index(name)

    def colour_words(self, name: str, words: Sequence[str]) -> None:
        """Colour the cells of one column by the word they hold."""
        col = self.column(name)
        for word in words:
            rule = {"type": "cell", "criteria": "==", "value": f'"{word}"'}
            rule["format"] = self._formats.colours[word]
            self.sheet.conditional_format(1, col, max(self.rows, 1), col, rule)

    def bars(self, name: str, *, most: float = 100, colour: str = "#9DC3E6") -> None:
        """Draw a bar behind each figure of a column, from 0 to ``most``."""
        col = self.column(name)
        bar = {"type": "data_bar", "bar_color": colour, "bar_solid": True}
        scale = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": most}
        self.sheet.conditional_format(1, col, max(self.rows, 1), col, bar | scale)

    def entry(self, columns: Sequence[tuple[str, int]]) -> None:
        """Add columns at the right edge that people fill in: heading and width each."""
        self._entries = len(columns)
        for offset, (heading, width) in enumerate(columns):
            col = len(self.columns) + offset
            self.sheet.set_column(col, col, width)
            self.sheet.write_string(0, col, heading, self._formats.entry_head)

    def choices(self, offset: int, words: Sequence[str], title: str, message: str) -> None:
        """A drop-down in one entry column."""
        col = len(self.columns) + offset
        rule = {
            "validate": "list",
            "source": list(words),
            "input_title": title,
            "input_message": message,
            "error_title": "Not one of the choices",
            "error_message": f"Choose {', '.join(words)}, or leave it empty.",
        }
        self.sheet.data_validation(1, col, max(self.rows, 1), col, rule)

    def protect(self) -> None:
        """Let people sort, filter and fill in the entry columns, and nothing else."""
        allowed = ("autofilter", "sort", "format_columns", "format_rows", "select_locked_cells")
        self.sheet.protect("", dict.fromkeys(allowed, True))

    def close(self) -> None:
        """Add filters and print setup once every row is there."""
        last = len(self.columns) + self._entries - 1
        self.sheet.autofilter(0, 0, max(self.rows, 1), last)
        for_print(self.sheet, repeat_header=True)


def for_print(sheet: Any, *, repeat_header: bool = False) -> None:
    """Landscape A4, all columns on one page wide, page numbers."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&8&A&R&8Page &P of &N")
    if repeat_header:
        sheet.repeat_rows(0)
