"""Totals over the exported calls: outcomes, agents by week, criteria, sections. One pass, streaming.

The workbook and the packet both print these; nothing here depends on either.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from pipeline.conversation import Scorecard
from pipeline.export.selection import Call, Texts, answers_of
from pipeline.export.tables import local_time
from pipeline.intervals import Interval, mean, wilson

UNKNOWN_AGENT = "(no agent)"


@dataclass(slots=True)
class Group:
    """Scores and outcomes of one agent, team or week."""

    scores: list[float] = field(default_factory=list)
    outcomes: Counter[str] = field(default_factory=Counter)
    autofails: int = 0

    def add(self, card: Scorecard) -> None:
        """Count one scorecard."""
        self.outcomes[card.outcome] += 1
        self.autofails += bool(card.autofail_reasons)
        if card.final_score is not None:
            self.scores.append(card.final_score)

    @property
    def scorecards(self) -> int:
        """Scorecards counted."""
        return self.outcomes.total()

    def mean(self) -> Interval:
        """Mean final score with its interval."""
        return mean(self.scores)

    def pass_rate(self) -> Interval:
        """Passes among passes and fails; calls that need a person are in neither."""
        return wilson(self.outcomes["pass"], self.outcomes["pass"] + self.outcomes["fail"])


@dataclass(slots=True)
class CriterionTotals:
    """Answers to one criterion of one rubric."""

    rubric: str
    section: str
    title: str
    critical: bool
    answers: Counter[str] = field(default_factory=Counter)

    def met(self) -> Interval:
        """Share of yes among yes and no."""
        return wilson(self.answers["yes"], self.answers["yes"] + self.answers["no"])


@dataclass(slots=True)
class AgentTotals:
    """One agent over the period, by ISO week (site clock), with the criteria they miss."""

    agent_id: str
    name: str
    team: str
    total: Group = field(default_factory=Group)
    weeks: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    criteria: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))


@dataclass(slots=True)
class Totals:
    """Everything counted over one export."""

    calls: int = 0
    seconds: float = 0.0
    unscored: int = 0
    overall: Group = field(default_factory=Group)
    rubrics: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    teams: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    weeks: dict[str, Group] = field(default_factory=lambda: defaultdict(Group))
    agents: dict[str, AgentTotals] = field(default_factory=dict)
    criteria: dict[tuple[str, str], CriterionTotals] = field(default_factory=dict)
    autofail_reasons: Counter[str] = field(default_factory=Counter)
    first: dt.datetime | None = None
    last: dt.datetime | None = None


def iso_week(call: Call) -> str | None:
    """``2026-W47`` on the site's clock; None when the start is unknown."""
    local = local_time(call.metadata.started_at, call.metadata.timezone)
    if local is None:
        return None
    year, week, _ = local.isocalendar()
    return f"{year}-W{week:02d}"


def counted(calls: Iterable[Call], texts: Texts, totals: Totals) -> Iterator[Call]:
    """Pass calls through while adding each to ``totals``, so that one pass serves all sheets."""
    for call in calls:
        _add(totals, call, texts)
        yield call


def _add(totals: Totals, call: Call, texts: Texts) -> None:
    totals.calls += 1
    totals.seconds += call.duration_s or 0.0
    totals.unscored += not call.scorecards
    started = local_time(call.metadata.started_at, call.metadata.timezone)
    if started is not None:
        totals.first = min(totals.first or started, started)
        totals.last = max(totals.last or started, started)
    week = iso_week(call)
    agent = _agent(totals, call)
    for card in call.scorecards:
        groups = [totals.overall, totals.rubrics[card.rubric.id], agent.total]
        if call.metadata.team:
            groups.append(totals.teams[call.metadata.team])
        if week:
            groups += [totals.weeks[week], agent.weeks[week]]
        for group in groups:
            group.add(card)
        totals.autofail_reasons.update(card.autofail_reasons)
        _add_answers(totals, agent, card, texts)


def _agent(totals: Totals, call: Call) -> AgentTotals:
    meta = call.metadata
    key = meta.agent_id or meta.agent_name or UNKNOWN_AGENT
    if key not in totals.agents:
        totals.agents[key] = AgentTotals(meta.agent_id or "", meta.agent_name or key, meta.team or "")
    return totals.agents[key]


def _add_answers(totals: Totals, agent: AgentTotals, card: Scorecard, texts: Texts) -> None:
    for section_id, answer in answers_of(card):
        key = (card.rubric.id, answer.id)
        if key not in totals.criteria:
            text = texts.get((card.rubric.hash, answer.id))
            totals.criteria[key] = CriterionTotals(
                rubric=card.rubric.id,
                section=text.section if text and text.section else section_id,
                title=text.title if text else answer.id,
                critical=answer.critical,
            )
        totals.criteria[key].answers[answer.answer] += 1
        agent.criteria[key][answer.answer] += 1
