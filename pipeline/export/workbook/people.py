"""The sheets Agents, with weekly trends, and Criteria."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.export.summary import Comparison, CriterionTotals, Totals, Unit, Week, spoken
from pipeline.export.tables import Column
from pipeline.export.workbook.sheet import Formats, TableSheet

MOST_WEEKS = 26


@dataclass(frozen=True, slots=True)
class AgentRow:
    """One agent's figures, compared with everybody else's."""

    unit: Unit
    weeks: Sequence[Week]
    strengths: Sequence[Comparison]
    focus: Sequence[Comparison]


def _listed(comparisons: Sequence[Comparison]) -> str:
    return "; ".join(f"{c.criterion.title} ({c.rate:.0%}, others {c.others:.0%})" for c in comparisons)


AGENT_COLUMNS: Sequence[Column[AgentRow]] = (
    Column("name", "Agent", "text", 20, "The agent's name, or number", lambda r: r.unit.name),
    Column("team", "Team", "text", 12, "The agent's team", lambda r: r.unit.team),
    Column("client", "Client", "text", 13, "The client of the calls counted", lambda r: r.unit.client),
    Column("n", "Scorecards", "count", 11, "Scorecards counted", lambda r: r.unit.total.scorecards),
    Column("mean", "Mean score", "score", 11, "Mean of the final scores, 0 to 100",
           lambda r: r.unit.total.mean().estimate),
    Column("range", "95 % interval", "text", 13, "Where the true mean lies with 95 % confidence (Student t)",
           lambda r: spoken(r.unit.total.mean())),
    Column("pass_rate", "Pass rate", "percent", 10, "Passes among passes and fails",
           lambda r: r.unit.total.pass_rate().estimate),
    Column("pass_range", "95 % interval of it", "text", 15, "Wilson interval of the pass rate",
           lambda r: spoken(r.unit.total.pass_rate(), 100)),
    Column("autofails", "Auto-fails", "count", 10, "Scorecards that failed whatever their points",
           lambda r: r.unit.total.autofails),
    Column("trend", "Trend", "text", 22, "Weekly mean scores, oldest first; red marks the lowest",
           lambda r: None),  # a sparkline
    Column("signal", "Weeks off limits", "text", 13, "Weeks outside mean ± 2.66 mean moving ranges (XmR)",
           lambda r: ", ".join(week.week for week in r.weeks if week.out)),
    Column("strengths", "Strengths", "prose", 36,
           "Criteria met at least ten points more often than by others", lambda r: _listed(r.strengths)),
    Column("focus", "Focus on", "prose", 36, "Criteria met at least ten points less often than by others",
           lambda r: _listed(r.focus)),
)  # fmt: skip
CRITERION_COLUMNS: Sequence[Column[CriterionTotals]] = (
    Column("rubric", "Rubric", "text", 16, "Which rubric asks", lambda c: c.rubric),
    Column("section", "Section", "text", 18, "Section of the rubric", lambda c: c.section),
    Column("title", "Criterion", "prose", 52, "What is asked", lambda c: c.title),
    Column("critical", "Critical", "text", 9, "Whether it counts in the critical score",
           lambda c: "critical" if c.critical else ""),
    Column("met", "Met", "percent", 8, "Share of yes among yes and no", lambda c: c.met().estimate),
    Column("range", "95 % interval", "text", 13, "Wilson interval of it", lambda c: spoken(c.met(), 100)),
    Column("yes", "Yes", "count", 8, "Answers yes", lambda c: c.answers["yes"]),
    Column("no", "No", "count", 8, "Answers no", lambda c: c.answers["no"]),
    Column("na", "Not applicable", "count", 10, "Answers that did not apply; in no rate",
           lambda c: c.answers["na"]),
    Column("undetermined", "Undetermined", "count", 13, "The machine was not sure; in no rate",
           lambda c: c.answers["undetermined"]),
)  # fmt: skip


def write_agents(book: Any, formats: Formats, totals: Totals) -> None:
    """Write one row per agent, lowest mean score first, with a sparkline of the weekly means."""
    sheet = TableSheet(book, formats, "Agents", AGENT_COLUMNS, least_height=32)
    weeks = sorted(totals.weeks)[-MOST_WEEKS:]
    first_week = len(AGENT_COLUMNS) + 1
    for offset, week in enumerate(weeks):
        sheet.sheet.set_column(first_week + offset, first_week + offset, 9)
        sheet.sheet.write_string(0, first_week + offset, week, formats.head)
    units = sorted(totals.agents.values(), key=lambda u: (u.lowest_first(), u.name))
    for unit in units:
        agent = AgentRow(unit, unit.weekly()[0], *unit.strengths_and_focus(totals))
        row = sheet.add(agent)
        for offset, week in enumerate(weeks):
            score = unit.weeks[week].mean().estimate if week in unit.weeks else None
            if score is not None:
                sheet.sheet.write_number(row, first_week + offset, round(score, 1), formats.of["score"])
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


def write_criteria(book: Any, formats: Formats, totals: Totals) -> None:
    """Write one row per criterion, in the rubric's order, with a bar for how often it is met."""
    sheet = TableSheet(book, formats, "Criteria", CRITERION_COLUMNS)
    for criterion in totals.criteria.values():
        sheet.add(criterion)
    sheet.bars("met", most=1)
    sheet.close()
