"""The Summary sheet: what a supervisor reads in the first ten seconds."""

from __future__ import annotations

import math
from typing import Any

from pipeline.export.summary import Totals, spoken
from pipeline.export.workbook.sheet import for_print, put
from pipeline.export.workbook.style import OUTCOME_COLOURS, Formats

TEXT_CHARS = 40  # of wrapped text in the first column
LINE_PT = 15.0


def _row_height(text: str) -> float:
    """Points that wrapped text of the first column needs; not every program measures it on opening."""
    return LINE_PT * max(1, math.ceil(len(text) / (TEXT_CHARS * 1.15)))


def write_summary(book: Any, sheet: Any, formats: Formats, totals: Totals, title: str) -> None:
    """Headline figures with intervals, outcomes, rubrics, auto-fail reasons, weakest criteria."""
    for col, width in enumerate((TEXT_CHARS + 6, 14, 14, 14, 18, 14)):
        sheet.set_column(col, col, width)
    sheet.hide_gridlines(2)
    sheet.set_row(0, 28)
    put(sheet, 0, 0, title, formats.title)
    put(sheet, 1, 0, _period(totals), formats.subtitle)
    row = _headline(sheet, formats, totals)
    outcomes_row = row + 3
    row = _outcomes(sheet, formats, totals, row + 1)
    row = _rubrics(sheet, formats, totals, row + 1)
    row = _reasons(sheet, formats, totals, row + 1)
    row = _weakest(sheet, formats, totals, row + 1)
    _weeks(book, sheet, formats, totals, row + 1)
    sheet.insert_chart("H4", _outcome_chart(book, outcomes_row))
    for_print(sheet)


def _outcome_chart(book: Any, first_row: int) -> Any:
    """Outcomes as bars: readable in grey, and by those who see colours differently."""
    chart = book.add_chart({"type": "bar"})
    last = first_row + len(OUTCOME_COLOURS) - 1
    points = [{"fill": {"color": ink}} for ink, _ in OUTCOME_COLOURS.values()]
    chart.add_series(
        {
            "name": "Scorecards",
            "categories": ["Summary", first_row, 0, last, 0],
            "values": ["Summary", first_row, 1, last, 1],
            "points": points,
            "data_labels": {"value": True},
            "gap": 40,
        }
    )
    chart.set_title({"name": "Outcomes", "name_font": {"size": 11}})
    chart.set_y_axis({"reverse": True})
    chart.set_x_axis({"visible": False, "major_gridlines": {"visible": False}})
    chart.set_legend({"none": True})
    chart.set_size({"width": 420, "height": 220})
    return chart


def _weeks(book: Any, sheet: Any, formats: Formats, totals: Totals, row: int) -> None:
    """Mean score by week, with a line chart."""
    weeks = sorted(totals.weeks.items())
    if len(weeks) < 2:
        return
    heads = ("Week", "Scorecards", "Mean score", "Pass rate", "95 % interval")
    row = _heading(sheet, formats, row, "Week by week", heads)
    first = row
    for week, group in weeks:
        mean = group.mean()
        put(sheet, row, 0, week, formats.of("text"))
        put(sheet, row, 1, group.scorecards, formats.of("count"))
        put(sheet, row, 2, mean.estimate, formats.of("score"))
        put(sheet, row, 3, group.pass_rate().estimate, formats.of("percent"))
        put(sheet, row, 4, spoken(mean), formats.aside)
        row += 1
    chart = book.add_chart({"type": "line"})
    chart.add_series(
        {
            "name": "Mean score",
            "categories": ["Summary", first, 0, row - 1, 0],
            "values": ["Summary", first, 2, row - 1, 2],
            "line": {"color": "#23364D", "width": 2},
            "marker": {"type": "circle"},
        }
    )
    chart.set_title({"name": "Mean score by week", "name_font": {"size": 11}})
    chart.set_y_axis({"min": 0, "max": 100})
    chart.set_legend({"none": True})
    chart.set_size({"width": 420, "height": 220})
    sheet.insert_chart("H16", chart)


def _period(totals: Totals) -> str:
    hours = totals.seconds / 3600
    if totals.first is None or totals.last is None:
        return f"{totals.calls:,} calls, {hours:.1f} hours; start times unknown"
    return f"{totals.calls:,} calls, {hours:.1f} hours, {totals.first:%d %b %Y} to {totals.last:%d %b %Y}"


def _headline(sheet: Any, formats: Formats, totals: Totals) -> int:
    row = 3
    overall = totals.overall
    score, rate = overall.mean(), overall.pass_rate()
    figures = (
        ("Scorecards", overall.scorecards, formats.big, ""),
        ("Mean score", score.estimate, formats.big_score, spoken(score)),
        ("Pass rate", rate.estimate, formats.big_percent, spoken(rate, 100)),
        ("Auto-fails", overall.autofails, formats.big, ""),
        ("Need a person", overall.outcomes["needs_review"], formats.big, ""),
    )
    for col, (label, _, _, _) in enumerate(figures):  # row by row: rows go straight to disk
        put(sheet, row, col, label, formats.label)
    for col, (_, value, form, _) in enumerate(figures):
        put(sheet, row + 1, col, value, form)
    for col, (_, _, _, note) in enumerate(figures):
        put(sheet, row + 2, col, note, formats.subtitle)
    return row + 3


def _heading(sheet: Any, formats: Formats, row: int, title: str, heads: tuple[str, ...]) -> int:
    for col in range(6):
        put(sheet, row, col, title if col == 0 else "", formats.section)
    for col in range(6):
        head = heads[col] if col < len(heads) else ""
        is_text = not head or head in {"Rubric", "95 % interval"} or col == 0
        put(sheet, row + 1, col, head, formats.head_of("text" if is_text else "count"))
    return row + 2


def _outcomes(sheet: Any, formats: Formats, totals: Totals, row: int) -> int:
    row = _heading(sheet, formats, row, "Outcomes", ("Outcome", "Scorecards", "Share"))
    whole = max(totals.overall.scorecards, 1)
    for outcome in OUTCOME_COLOURS:
        count = totals.overall.outcomes[outcome]
        put(sheet, row, 0, outcome, formats.colours[outcome])
        put(sheet, row, 1, count, formats.of("count"))
        put(sheet, row, 2, count / whole, formats.of("percent"))
        row += 1
    return row


def _rubrics(sheet: Any, formats: Formats, totals: Totals, row: int) -> int:
    heads = ("Rubric", "Scorecards", "Mean score", "Pass rate", "95 % interval", "Auto-fails")
    row = _heading(sheet, formats, row, "Rubrics", heads)
    for name, group in sorted(totals.rubrics.items()):
        rate = group.pass_rate()
        put(sheet, row, 0, name, formats.of("text"))
        put(sheet, row, 1, group.scorecards, formats.of("count"))
        put(sheet, row, 2, group.mean().estimate, formats.of("score"))
        put(sheet, row, 3, rate.estimate, formats.of("percent"))
        put(sheet, row, 4, spoken(rate, 100), formats.aside)
        put(sheet, row, 5, group.autofails, formats.of("count"))
        row += 1
    return row


def _reasons(sheet: Any, formats: Formats, totals: Totals, row: int) -> int:
    row = _heading(sheet, formats, row, "Why calls failed outright", ("Auto-fail reason", "Scorecards"))
    for reason, count in totals.autofail_reasons.most_common(10) or [("none", 0)]:
        sheet.set_row(row, _row_height(reason))
        put(sheet, row, 0, reason, formats.of("prose"))
        put(sheet, row, 1, count, formats.of("count"))
        row += 1
    return row


def _weakest(sheet: Any, formats: Formats, totals: Totals, row: int) -> int:
    heads = ("Criterion", "Rubric", "Met", "Asked", "95 % interval")
    row = _heading(sheet, formats, row, "Criteria met least often", heads)
    asked = [c for c in totals.criteria.values() if c.met().n]
    for criterion in sorted(asked, key=lambda c: (c.met().estimate, -c.met().n))[:10]:
        met = criterion.met()
        sheet.set_row(row, _row_height(criterion.title))
        put(sheet, row, 0, criterion.title, formats.of("prose"))
        put(sheet, row, 1, criterion.rubric, formats.of("text"))
        put(sheet, row, 2, met.estimate, formats.of("percent"))
        put(sheet, row, 3, met.n, formats.of("count"))
        put(sheet, row, 4, spoken(met, 100), formats.aside)
        row += 1
    return row
