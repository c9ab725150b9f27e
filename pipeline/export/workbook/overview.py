"""The Summary sheet: headline figures, outcomes, rubrics, auto-fail reasons, weakest criteria, weeks."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.export.summary import Totals, spoken
from pipeline.export.tables import Cell
from pipeline.export.workbook.sheet import OUTCOME_COLOURS, Formats, for_print, put

TITLE = "Call review"
TEXT_CHARS = 40  # characters of wrapped text per line in the first column
LINE_PT = 15.0
COLUMNS = 6


def _row_height(text: str) -> float:
    """Height in points of wrapped text in the first column; not every program computes it on opening."""
    return LINE_PT * max(1, math.ceil(len(text) / (TEXT_CHARS * 1.15)))


# Each table's headings, with the kind of the cells under them.
SCORES = {"Scorecards": "count", "Mean score": "score", "Pass rate": "percent", "95 % interval": "aside"}
OUTCOMES = {"Outcome": "outcome", "Scorecards": "count", "Share": "percent"}
RUBRICS = {"Rubric": "text", **SCORES, "Auto-fails": "count"}
REASONS = {"Auto-fail reason": "prose", "Scorecards": "count"}
WEAKEST = {
    "Criterion": "prose",
    "Rubric": "text",
    "Met": "percent",
    "Asked": "count",
    "95 % interval": "aside",
}
WEEKS = {"Week": "text", **SCORES}


def write_summary(book: Any, sheet: Any, formats: Formats, totals: Totals) -> None:
    """Fill the Summary sheet from the totals."""
    for col, width in enumerate((TEXT_CHARS + 6, 14, 14, 14, 18, 14)):
        sheet.set_column(col, col, width)
    sheet.hide_gridlines(2)
    sheet.set_row(0, 28)
    put(sheet, 0, 0, TITLE, formats.title)
    size = f"{totals.calls:,} {'call' if totals.calls == 1 else 'calls'}"
    if totals.seconds:  # else no call has a known length
        size += f", {totals.seconds / 3600:.1f} hours"
    put(sheet, 1, 0, f"{size}{', ' if totals.first else '; '}{totals.period}", formats.subtitle)
    row = _headline(sheet, formats, totals)
    outcomes_row = row + 3
    reasons, weeks = totals.autofail_reasons.most_common(10) or [("none", 0)], _weeks(totals)
    row = _table(sheet, formats, row + 1, "Outcomes", OUTCOMES, _outcomes(totals))
    row = _table(sheet, formats, row + 1, "Rubrics", RUBRICS, _rubrics(totals))
    row = _table(sheet, formats, row + 1, "Why calls failed outright", REASONS, reasons)
    row = _table(sheet, formats, row + 1, "Criteria met least often", WEAKEST, _weakest(totals))
    if len(weeks) > 1:
        row = _table(sheet, formats, row + 1, "Week by week", WEEKS, weeks)
        sheet.insert_chart("H16", _week_chart(book, range(row - len(weeks), row)))
    sheet.insert_chart("H4", _outcome_chart(book, outcomes_row))
    for_print(sheet)


def _table(
    sheet: Any,
    formats: Formats,
    row: int,
    title: str,
    kinds: Mapping[str, str],
    rows: Iterable[Sequence[Cell]],
) -> int:
    """Write title, headings and rows, beginning at ``row``; returns the row after the last."""
    heads = [*kinds.items(), *[("", "text")] * (COLUMNS - len(kinds))]
    for col in range(COLUMNS):  # row by row, because finished rows are written to disk
        put(sheet, row, col, title if col == 0 else "", formats.section)
    for col, (head, kind) in enumerate(heads):
        put(sheet, row + 1, col, head, formats.head_of(kind))
    row += 2
    for cells in rows:
        for col, (cell, kind) in enumerate(zip(cells, kinds.values(), strict=True)):
            if kind == "prose":
                sheet.set_row(row, _row_height(str(cell)))
            put(sheet, row, col, cell, formats.colours[str(cell)] if kind == "outcome" else formats.of[kind])
        row += 1
    return row


def _outcomes(totals: Totals) -> list[tuple[Cell, ...]]:
    counts, scorecards = totals.overall.outcomes, max(totals.overall.scorecards, 1)
    return [(outcome, counts[outcome], counts[outcome] / scorecards) for outcome in OUTCOME_COLOURS]


def _rubrics(totals: Totals) -> list[tuple[Cell, ...]]:
    return [
        (
            name,
            g.scorecards,
            g.mean().estimate,
            g.pass_rate().estimate,
            spoken(g.pass_rate(), 100),
            g.autofails,
        )
        for name, g in sorted(totals.rubrics.items())
    ]


def _weakest(totals: Totals) -> list[tuple[Cell, ...]]:
    asked = [(c, c.met()) for c in totals.criteria.values() if c.met().n]
    weakest = sorted(asked, key=lambda pair: (pair[1].estimate, -pair[1].n))[:10]
    return [(c.title, c.rubric, met.estimate, met.n, spoken(met, 100)) for c, met in weakest]


def _weeks(totals: Totals) -> list[tuple[Cell, ...]]:
    return [
        (week, g.scorecards, g.mean().estimate, g.pass_rate().estimate, spoken(g.mean()))
        for week, g in sorted(totals.weeks.items())
    ]


def _outcome_chart(book: Any, first_row: int) -> Any:
    """Outcomes as bars, which are also readable in grey and by people with colour blindness."""
    rows = range(first_row, first_row + len(OUTCOME_COLOURS))
    points = [{"fill": {"color": ink}} for ink, _ in OUTCOME_COLOURS.values()]
    style = {"points": points, "data_labels": {"value": True}, "gap": 40}
    chart = _chart(book, "bar", "Outcomes", rows, {"name": "Scorecards", **style}, column=1)
    chart.set_y_axis({"reverse": True})
    chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}})
    return chart


def _week_chart(book: Any, rows: range) -> Any:
    """Mean score by week as a line."""
    style = {"line": {"color": "#23364D", "width": 2}, "marker": {"type": "circle"}}
    chart = _chart(book, "line", "Mean score by week", rows, {"name": "Mean score", **style}, column=2)
    chart.set_y_axis({"min": 0, "max": 100})
    return chart


def _chart(book: Any, kind: str, title: str, rows: range, series: dict[str, Any], *, column: int) -> Any:
    """A chart of one column of the sheet against its first."""
    chart = book.add_chart({"type": kind})
    categories, values = (["Summary", rows[0], col, rows[-1], col] for col in (0, column))
    chart.add_series({**series, "categories": categories, "values": values})
    chart.set_title({"name": title, "name_font": {"size": 11}})
    chart.set_legend({"none": True})
    chart.set_size({"width": 420, "height": 220})
    return chart


def _headline(sheet: Any, formats: Formats, totals: Totals) -> int:
    overall = totals.overall
    score, rate = overall.mean(), overall.pass_rate()
    figures = (
        ("Scorecards", overall.scorecards, formats.big, ""),
        ("Mean score", score.estimate, formats.big_score, spoken(score)),
        ("Pass rate", rate.estimate, formats.big_percent, spoken(rate, 100)),
        ("Auto-fails", overall.autofails, formats.big, ""),
        ("Need a person", overall.outcomes["needs_review"], formats.big, ""),
    )
    for col, (label, _, _, _) in enumerate(figures):  # row by row, as in _table
        put(sheet, 3, col, label, formats.label)
    for col, (_, value, form, _) in enumerate(figures):
        put(sheet, 4, col, value, form)
    for col, (_, _, _, note) in enumerate(figures):
        put(sheet, 5, col, note, formats.subtitle)
    return 6
