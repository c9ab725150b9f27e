"""The sheets about many calls: Agents with their trend, and Criteria."""

from __future__ import annotations

from typing import Any

from pipeline.export.coaching import Comparison, strengths_and_focus, weekly
from pipeline.export.summary import Totals, Unit, lowest_first, spoken
from pipeline.export.tables import Cell, Column
from pipeline.export.workbook.sheet import TableSheet
from pipeline.export.workbook.style import Formats

MOST_WEEKS = 26

AGENT_COLUMNS = (
    Column("name", "Agent", "text", 20, "The agent's name, or number"),
    Column("team", "Team", "text", 12, "The agent's team"),
    Column("n", "Scorecards", "count", 11, "Scorecards counted"),
    Column("mean", "Mean score", "score", 11, "Mean of the final scores, 0 to 100"),
    Column("range", "95 % interval", "text", 13, "Where the true mean lies with 95 % confidence (Student t)"),
    Column("pass_rate", "Pass rate", "percent", 10, "Passes among passes and fails"),
    Column("pass_range", "95 % interval of it", "text", 15, "Wilson interval of the pass rate"),
    Column("autofails", "Auto-fails", "count", 10, "Scorecards that failed whatever their points"),
    Column("trend", "Trend", "text", 22, "Weekly mean scores, oldest first; red marks the lowest"),
    Column("signal", "Weeks off limits", "text", 13, "Weeks outside mean ± 2.66 mean moving ranges (XmR)"),
    Column(
        "strengths", "Strengths", "text", 36, "Criteria met at least ten points more often than by others"
    ),
    Column("focus", "Focus on", "text", 36, "Criteria met at least ten points less often than by others"),
)
CRITERION_COLUMNS = (
    Column("rubric", "Rubric", "text", 16, "Which rubric asks"),
    Column("section", "Section", "text", 18, "Section of the rubric"),
    Column("title", "Criterion", "text", 52, "What is asked"),
    Column("critical", "Critical", "text", 9, "Whether a no counts as critical"),
    Column("met", "Met", "percent", 8, "Share of yes among yes and no"),
    Column("range", "95 % interval", "text", 13, "Wilson interval of it"),
    Column("yes", "Yes", "count", 8, "Answers yes"),
    Column("no", "No", "count", 8, "Answers no"),
    Column("na", "Not applicable", "count", 10, "Answers that did not apply; in no rate"),
    Column("undetermined", "Undetermined", "count", 13, "The machine was not sure; in no rate"),
)


def write_agents(book: Any, formats: Formats, totals: Totals) -> None:
    """One row an agent, weakest first, with a sparkline of the weekly means."""
    sheet = TableSheet(book, formats, "Agents", AGENT_COLUMNS, wide=("strengths", "focus"), least_height=32)
    weeks = sorted(totals.weeks)[-MOST_WEEKS:]
    first_week = len(AGENT_COLUMNS) + 1
    for offset, week in enumerate(weeks):
        sheet.sheet.set_column(first_week + offset, first_week + offset, 9)
        sheet.sheet.write_string(0, first_week + offset, week, formats.head)
    units = sorted(totals.agents.values(), key=lambda u: (lowest_first(u), u.name))
    for unit in units:
        row = sheet.add(_agent_row(unit, totals))
        for offset, week in enumerate(weeks):
            mean = unit.weeks[week].mean().estimate if week in unit.weeks else None
            if mean is not None:
                sheet.sheet.write_number(row, first_week + offset, round(mean, 1), formats.of("score"))
        if weeks:
            sheet.sheet.add_sparkline(row, sheet.column("trend"), _sparkline(row, first_week, len(weeks)))
    sheet.bars("mean")
    sheet.close()


def _sparkline(row: int, first_col: int, count: int) -> dict[str, Any]:
    from xlsxwriter.utility import xl_range

    return {
        "range": "Agents!" + xl_range(row, first_col, row, first_col + count - 1),
        "markers": True,
        "weight": 1.5,
        "low_point": True,
        "low_color": "#B3261E",
        "min": 0,
        "max": 100,
        "show_hidden": True,
    }


def _agent_row(unit: Unit, totals: Totals) -> list[Cell]:
    weeks, _ = weekly(unit)
    strengths, focus = strengths_and_focus(unit, totals)
    mean, rate = unit.total.mean(), unit.total.pass_rate()
    return [
        unit.name,
        unit.team,
        unit.total.scorecards,
        mean.estimate,
        spoken(mean),
        rate.estimate,
        spoken(rate, 100),
        unit.total.autofails,
        None,
        ", ".join(week.week for week in weeks if week.out),
        _listed(strengths),
        _listed(focus),
    ]


def _listed(found: list[Comparison]) -> str:
    return "; ".join(f"{c.criterion.title} ({c.rate:.0%}, others {c.others:.0%})" for c in found)


def write_criteria(book: Any, formats: Formats, totals: Totals) -> None:
    """One row a criterion, in the rubric's order, with a chart of how often each is met."""
    sheet = TableSheet(book, formats, "Criteria", CRITERION_COLUMNS, wide=("title",))
    for criterion in totals.criteria.values():
        met = criterion.met()
        counts = [criterion.answers[answer] for answer in ("yes", "no", "na", "undetermined")]
        critical = "critical" if criterion.critical else ""
        interval = spoken(met, 100)
        sheet.add(
            [criterion.rubric, criterion.section, criterion.title, critical, met.estimate, interval, *counts]
        )
    sheet.bars("met", most=1)
    sheet.close()
