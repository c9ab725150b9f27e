"""Write one sheet: formats, header, typed cells that never become formulas, filters and print setup."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

from pipeline.csv_safety import clean
from pipeline.errors import UsageError
from pipeline.export.tables import Cell, Column, values

LAST_ROW = 1_048_575
LONGEST_CELL = 32_767
LINE_POINTS = 13.0
MOST_LINES = 8
CHARS_PER_WIDTH = 1.05  # a column's width counts digits; letters are a little narrower on average
RUNS_PER_RULE = 100
MOST_LINKS = 65_000  # Excel's limit is 65,530 a sheet

# Few colours, each with one meaning, readable when printed in grey; each as ink and fill.
GOOD, BAD = ("#1B7F4D", "#DDF3E6"), ("#B3261E", "#FBE1DE")
DOUBT, MUTED = ("#8A5A00", "#FFF0CC"), ("#5F6672", "#ECEEF1")
OUTCOME_COLOURS = {"pass": GOOD, "fail": BAD, "needs_review": DOUBT, "not_scored": MUTED}
ANSWER_COLOURS = {"yes": GOOD, "no": BAD, "undetermined": DOUBT, "na": MUTED}
INK, HEAD, ENTRY = "#1F2430", "#23364D", "#FFFBE6"
FADED = MUTED[0]
FONT = "Calibri"


class Formats:
    """The cell formats of a workbook; each is created once and used by all sheets."""

    def __init__(self, book: Any) -> None:
        add = book.add_format
        base = {"font_name": FONT, "font_size": 10, "valign": "top", "font_color": INK}
        left = base | {"align": "left", "indent": 1}  # top-aligned cells are indented only with "left"
        head = {"bold": True, "text_wrap": True, "valign": "vcenter"}
        band = head | {"font_color": "#FFFFFF", "bg_color": HEAD}
        field = {"locked": False, "text_wrap": True, "border": 1, "border_color": "#E4D9A8"}
        big = base | {"bold": True, "font_size": 16, "align": "left"}
        self.title = add(base | {"bold": True, "font_size": 18, "font_color": HEAD})
        self.subtitle = add(base | {"font_color": FADED, "italic": True})
        self.section = add(base | {"bold": True, "font_size": 12, "font_color": HEAD, "bottom": 1})
        self.head = add(left | band)
        self._number_head = add(base | band | {"align": "right"})
        self.entry_head = add(base | head | {"bg_color": "#F2D98B"})
        self.entry = add(base | field | {"bg_color": ENTRY})
        self.label = add(base | {"font_color": FADED})
        self.big = add(big)
        self.big_percent = add(big | {"num_format": "0%"})
        self.big_score = add(big | {"num_format": "0.0"})
        self.link = add(left | {"font_color": "#0B57D0", "underline": 1})
        self.of = {  # by kind of column
            "text": add(left),
            "prose": add(left | {"text_wrap": True}),
            "aside": add(left | {"font_color": FADED}),
            "number": add(base | {"num_format": "0.0#"}),
            "score": add(base | {"num_format": "0.0"}),
            "percent": add(base | {"num_format": "0%"}),
            "count": add(base | {"num_format": "#,##0"}),
            "clock": add(base | {"align": "right"}),
            "time": add(base | {"align": "right", "num_format": "yyyy-mm-dd hh:mm"}),
        }
        self.colours = {
            word: add({"font_color": ink, "bg_color": fill, "bold": True})
            for table in (OUTCOME_COLOURS, ANSWER_COLOURS)
            for word, (ink, fill) in table.items()
        }

    def head_of(self, kind: str) -> Any:
        """The format of a heading, aligned like the cells of the column."""
        return self.head if kind in {"text", "prose", "aside", "outcome"} else self._number_head


def put(sheet: Any, row: int, col: int, value: Cell, form: Any) -> None:
    """Write one cell by its Python type; text stays text and never becomes a formula, link or number."""
    if value and isinstance(value, str):
        sheet.write_string(row, col, clean(value)[:LONGEST_CELL], form)
    else:
        sheet.write(row, col, value, form)


EntryColumn = tuple[str, int]
"""Heading and width of a column that people fill in."""


class TableSheet:
    """A sheet with one table: a header in row 1, then a row per call of ``add``; ``close`` completes it.

    From the left: columns that are shown and printed, entry columns that people fill in, hidden ``detail``.
    """

    def __init__(
        self,
        book: Any,
        formats: Formats,
        name: str,
        columns: Sequence[Column[Any]],
        *,
        entries: Sequence[EntryColumn] = (),
        least_height: float = 15.0,
    ) -> None:
        self.sheet = book.add_worksheet(name)
        self.rows = 0
        self._columns = columns
        self._links = 0
        self._chart_rows = 0
        self._least_height = least_height
        self._name = name
        self._formats = formats
        shown = [column.name for column in columns if not column.detail]
        details = [column.name for column in columns if column.detail]
        self._entries = range(len(shown), len(shown) + len(entries))
        order = [*shown, *(heading for heading, _ in entries), *details]
        self.column = order.index  # the position on the sheet of the column with this name
        self._cells = [(order.index(column.name), formats.of[column.kind]) for column in columns]
        self.sheet.set_row(0, 30)
        for column, (col, form) in zip(columns, self._cells, strict=True):
            options = {"hidden": True, "level": 1} if column.detail else {}
            self.sheet.set_column(col, col, column.width, form, options)
            self.sheet.write_string(0, col, column.title, formats.head_of(column.kind))
        for col, (heading, width) in zip(self._entries, entries, strict=True):
            self.sheet.set_column(col, col, width)
            self.sheet.write_string(0, col, heading, formats.entry_head)
        self.sheet.freeze_panes(1, 1)

    def add(self, row: Any) -> int:
        """Append a row, from which each column reads its cell; returns its row number, counted from 0."""
        return self.add_cells(values(self._columns, row))

    def add_cells(self, cells: Sequence[Cell]) -> int:
        """Append a row of these cells, in the order of the columns; the last ones may be left out."""
        if self.rows >= LAST_ROW:
            raise UsageError(
                f"sheet {self._name} would exceed the {LAST_ROW:,} rows a workbook can hold",
                hint="narrow the export (--since, --client, --agent), or use --format parquet or csv",
            )
        self.rows += 1
        self.sheet.set_row(self.rows, self._height(cells))
        for value, (col, form) in zip(cells, self._cells, strict=False):
            put(self.sheet, self.rows, col, value, form)
        for col in self._entries:
            self.sheet.write_blank(self.rows, col, None, self._formats.entry)
        return self.rows

    def _height(self, cells: Sequence[Cell]) -> float:
        """Row height in points for the longest wrapped cell; not every program adjusts rows by itself."""
        lines = [
            math.ceil(len(cell) / (column.width * CHARS_PER_WIDTH))
            for column, cell in zip(self._columns, cells, strict=False)
            if column.kind == "prose" and isinstance(cell, str)
        ]
        return max(self._least_height, LINE_POINTS * min(max(lines, default=1), MOST_LINES) + 2)

    def link(self, row: int, name: str, target: str, text: str) -> None:
        """Make one cell a link to a place in a file beside the workbook."""
        if text and self._links < MOST_LINKS:
            self._links += 1
            self.sheet.write_url(row, self.column(name), f"external:{target}", self._formats.link, text)

    def colour_words(self, name: str, words: Iterable[str]) -> None:
        """Colour the cells of one column by their word."""
        col = self.column(name)
        for word in words:
            rule = {"type": "cell", "criteria": "==", "value": f'"{word}"'}
            rule["format"] = self._formats.colours[word]
            self.sheet.conditional_format(1, col, max(self.rows, 1), col, rule)

    def bars(self, name: str, *, most: float = 100) -> None:
        """Draw a bar behind each figure of a column, on a scale from 0 to ``most``."""
        col = self.column(name)
        bar = {"type": "data_bar", "bar_color": "#9DC3E6", "bar_solid": True}
        scale = {"min_type": "num", "min_value": 0, "max_type": "num", "max_value": most}
        self.sheet.conditional_format(1, col, max(self.rows, 1), col, bar | scale)

    def choices(
        self, offset: int, source: Sequence[str] | str, rows: Sequence[int], title: str, message: str
    ) -> None:
        """Add a drop-down to some rows of one entry column, with a tip for whoever enters a cell.

        ``offset`` counts entry columns from 0; ``source`` is the words to choose from, or the range that
        holds them; ``rows`` are numbers as returned by ``add``, ascending.
        """
        col = self._entries[offset]
        rule = {
            "validate": "list",
            "source": source if isinstance(source, str) else list(source),
            "input_title": title,
            "input_message": message,
            "error_title": "Not one of the choices",
            "error_message": "Choose one of the list, or leave it empty.",
        }
        runs = [[first, col, last, col] for first, last in _runs(rows)]
        for start in range(0, len(runs), RUNS_PER_RULE):
            chunk = runs[start : start + RUNS_PER_RULE]
            self.sheet.data_validation(*chunk[0], rule | {"other_cells": chunk[1:]})

    def chart_below(self, chart: Any) -> None:
        """Put a chart under the last row, inside the area that is printed."""
        self._chart_rows = math.ceil(chart.height / 20) + 2
        self.sheet.insert_chart(self.rows + 2, 0, chart, {"object_position": 3})

    def protect(self) -> None:
        """Protect the sheet: people can sort, filter and fill in entry columns, but change nothing else."""
        allowed = ("autofilter", "sort", "format_columns", "format_rows", "select_locked_cells")
        self.sheet.protect("", dict.fromkeys(allowed, True))

    def close(self) -> None:
        """Add filters and print setup, once all rows are added; detail columns are not printed."""
        last = max(self.rows, 1)
        self.sheet.autofilter(0, 0, last, len(self._columns) + len(self._entries) - 1)
        self.sheet.print_area(0, 0, last + self._chart_rows, self._entries.stop - 1)
        for_print(self.sheet, repeat_header=True)


def _runs(rows: Sequence[int]) -> list[tuple[int, int]]:
    """Group ascending numbers into runs without gaps; returns (first, last) of each run."""
    runs: list[tuple[int, int]] = []
    for row in rows:
        if runs and row == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], row)
        else:
            runs.append((row, row))
    return runs


def for_print(sheet: Any, *, repeat_header: bool = False) -> None:
    """Print on landscape A4, all columns on one page width, with page numbers."""
    sheet.set_landscape()
    sheet.set_paper(9)
    sheet.set_margins(left=0.4, right=0.4, top=0.5, bottom=0.6)
    sheet.fit_to_pages(1, 0)
    sheet.set_footer("&L&8&A&R&8Page &P of &N")
    if repeat_header:
        sheet.repeat_rows(0)
