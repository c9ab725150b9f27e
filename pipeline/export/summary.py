"""Totals over the exported calls, by agent, team, week and criterion, counted while the calls are written.

Both the workbook and the packet show these.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import fmean

from pipeline.confidence_intervals import ConfidenceInterval, mean, wilson
from pipeline.conversation import Scorecard
from pipeline.export.selection import ExportedCall, Texts, answers_of, words_of

UNKNOWN_AGENT = "(no agent)"
MOMENTS = 3
"""Best and worst moments that are kept of a unit."""
FEWEST_WEEKS = 5
"""Weeks that control limits need."""
FEWEST_ANSWERS, NOTABLE, LISTED = 3, 0.10, 3
"""Answers of the unit and of the others that a comparison needs; difference of their rates, 0..1, that makes
a strength or a focus; and how many of each are listed."""


@dataclass(slots=True)
class ScoreGroup:
    """Scores and outcomes of a group of scorecards, such as those of one agent, team or week."""

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

    def mean(self) -> ConfidenceInterval:
        """Mean final score with its interval."""
        return mean(self.scores)

    def pass_rate(self) -> ConfidenceInterval:
        """Share of passes among passes and fails; scorecards that need a person do not count."""
        return wilson(self.outcomes["pass"], self.outcomes["pass"] + self.outcomes["fail"])


@dataclass(slots=True)
class CriterionTotals:
    """Answers to one criterion of one rubric."""

    rubric: str
    section: str
    title: str
    critical: bool
    answers: Counter[str] = field(default_factory=Counter)

    def met(self) -> ConfidenceInterval:
        """Share of yes among yes and no."""
        return wilson(self.answers["yes"], self.answers["yes"] + self.answers["no"])


@dataclass(frozen=True, slots=True)
class Moment:
    """A quote to show; of several, those with the greatest ``weight`` are shown."""

    call_id: str
    at_s: float
    quote: str
    why: str
    weight: float


@dataclass(frozen=True, slots=True)
class Week:
    """One week's mean score; ``out`` when it lies outside the control limits."""

    week: str
    mean: ConfidenceInterval
    out: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """How often a unit meets a criterion, and how often everybody else does; shares 0..1."""

    criterion: CriterionTotals
    rate: float
    others: float
    n: int


@dataclass(slots=True)
class Unit:
    """One agent or team of a client: scores by ISO week (site's zone), answers by criterion, moments."""

    name: str
    team: str = ""
    client: str = ""
    total: ScoreGroup = field(default_factory=ScoreGroup)
    weeks: dict[str, ScoreGroup] = field(default_factory=lambda: defaultdict(ScoreGroup))
    criteria: dict[tuple[str, str], Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    best: list[Moment] = field(default_factory=list)
    worst: list[Moment] = field(default_factory=list)

    def lowest_first(self) -> float:
        """Sort key: the mean score; units without one come last."""
        estimate = self.total.mean().estimate
        return 101.0 if estimate is None else estimate

    def weekly(self) -> tuple[list[Week], ConfidenceInterval]:
        """The weeks in order, and their mean with control limits, 0..100; unknown with too few weeks.

        The limits are those of an individuals (XmR) chart: mean ± 2.66 times the mean moving range (Wheeler
        and Chambers).
        """
        means = [(week, group.mean()) for week, group in sorted(self.weeks.items())]
        values = [mean.estimate for _, mean in means if mean.estimate is not None]
        limits = ConfidenceInterval(None, None, None, len(values))
        low, high = 0.0, 100.0
        if len(values) >= FEWEST_WEEKS:
            centre = fmean(values)
            distance = 2.66 * fmean(abs(b - a) for a, b in pairwise(values))
            low, high = max(0.0, centre - distance), min(100.0, centre + distance)
            limits = ConfidenceInterval(centre, low, high, len(values))
        weeks = [Week(w, m, m.estimate is not None and not low <= m.estimate <= high) for w, m in means]
        return weeks, limits

    def strengths_and_focus(self, totals: Totals) -> tuple[list[Comparison], list[Comparison]]:
        """Criteria met notably more, and notably less, often than by everybody else.

        Only those count on which the unit and the others have enough answers.
        """
        compared = []
        for key, answers in self.criteria.items():
            total, n = totals.criteria[key].answers, answers["yes"] + answers["no"]
            others_yes, others_n = total["yes"] - answers["yes"], total["yes"] + total["no"] - n
            if n >= FEWEST_ANSWERS and others_n >= FEWEST_ANSWERS:
                rates = answers["yes"] / n, others_yes / others_n
                compared.append(Comparison(totals.criteria[key], *rates, n))
        compared.sort(key=lambda c: c.rate - c.others)
        focus = [c for c in compared if c.rate - c.others <= -NOTABLE]
        strengths = [c for c in reversed(compared) if c.rate - c.others >= NOTABLE]
        return strengths[:LISTED], focus[:LISTED]


@dataclass(slots=True)
class Totals:
    """Everything counted over one export."""

    calls: int = 0
    seconds: float = 0.0
    overall: ScoreGroup = field(default_factory=ScoreGroup)
    rubrics: dict[str, ScoreGroup] = field(default_factory=lambda: defaultdict(ScoreGroup))
    weeks: dict[str, ScoreGroup] = field(default_factory=lambda: defaultdict(ScoreGroup))
    agents: dict[tuple[str, str], Unit] = field(default_factory=dict)
    teams: dict[tuple[str, str], Unit] = field(default_factory=dict)
    criteria: dict[tuple[str, str], CriterionTotals] = field(default_factory=dict)
    metrics: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    autofail_reasons: Counter[str] = field(default_factory=Counter)
    first: dt.datetime | None = None
    last: dt.datetime | None = None

    @property
    def period(self) -> str:
        """The days the calls cover, in the sites' time zones."""
        if self.first is None or self.last is None:
            return "start times unknown"
        return f"{self.first:%d %b %Y} to {self.last:%d %b %Y}"


def spoken(interval: ConfidenceInterval, scale: float = 1.0) -> str:
    """The interval as ``61 to 84 %`` for shares (scale 100), as ``61 to 84`` for scores; "" if unknown."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = max(0.0, interval.low * scale), min(100.0, interval.high * scale)
    return f"{low:.0f} to {high:.0f}{' %' if scale == 100 else ''}"


def counted(calls: Iterable[ExportedCall], texts: Texts, totals: Totals) -> Iterator[ExportedCall]:
    """Yield the calls and add each to ``totals``, so that they are read only once."""
    for call in calls:
        _add(totals, call, texts)
        yield call


def _add(totals: Totals, call: ExportedCall, texts: Texts) -> None:
    totals.calls += 1
    totals.seconds += call.conversation.transcript.duration_s or 0.0
    started = call.metadata.started_local
    if started is not None:
        totals.first = min(totals.first or started, started)
        totals.last = max(totals.last or started, started)
    for name, value in call.conversation.metrics.items():
        if value is not None:
            totals.metrics[name].append(value)
    week = f"{started:%G-W%V}" if started else None
    units = _units(totals, call)
    for card in call.scorecards:
        groups = [totals.overall, totals.rubrics[card.rubric.id], *(unit.total for unit in units)]
        if week:
            groups += [totals.weeks[week], *(unit.weeks[week] for unit in units)]
        for group in groups:
            group.add(card)
        totals.autofail_reasons.update(card.autofail_reasons)
        _add_answers(totals, units, card, texts)
    _add_moments(units, call, texts)


def _units(totals: Totals, call: ExportedCall) -> list[Unit]:
    """The agent and the team a call counts for; two clients may use the same ids and names."""
    meta = call.metadata
    client, agent = meta.client or "", meta.agent_id or meta.agent_name or UNKNOWN_AGENT
    if (client, agent) not in totals.agents:
        totals.agents[client, agent] = Unit(meta.agent_name or agent, meta.team or "", client)
    units = [totals.agents[client, agent]]
    if meta.team:
        units.append(totals.teams.setdefault((client, meta.team), Unit(meta.team, client=client)))
    return units


def _add_answers(totals: Totals, units: Sequence[Unit], card: Scorecard, texts: Texts) -> None:
    if card.outcome == "not_scored" and card.review_reasons:  # a voicemail, or nobody spoke
        return
    for section_id, answer in answers_of(card):
        key = (card.rubric.id, answer.id)
        if key not in totals.criteria:
            text = words_of(texts, card.rubric.hash, answer.id)
            totals.criteria[key] = CriterionTotals(
                card.rubric.id, text.section or section_id, text.title, answer.critical
            )
        totals.criteria[key].answers[answer.answer] += 1
        for unit in units:
            unit.criteria[key][answer.answer] += 1


def _add_moments(units: Sequence[Unit], call: ExportedCall, texts: Texts) -> None:
    """Keep each unit's best moments, from its highest-scored calls, and its worst, by customer sentiment."""
    for card in call.scorecards:
        for answer in card.answers:
            if answer.answer == "yes" and answer.evidence and answer.evidence[0].start_s is not None:
                first = answer.evidence[0]
                title = words_of(texts, card.rubric.hash, answer.id).title
                weight = (card.final_score or 0.0) + first.strength + min(len(first.quote), 200) / 1000
                moment = Moment(call.metadata.call_id, first.start_s or 0.0, first.quote, title, weight)
                for unit in units:
                    _keep(unit.best, moment)
    mood = call.conversation.sentiment.get("customer")
    if mood and mood.lowest_score <= -0.3:
        turn = next((t for t in call.conversation.transcript.turns if t.turn == mood.lowest_turn), None)
        if turn is not None and turn.start_s is not None:
            why = f"customer at {mood.lowest_score:+.1f}"
            moment = Moment(call.metadata.call_id, turn.start_s, turn.text, why, -mood.lowest_score)
            for unit in units:
                _keep(unit.worst, moment)


def _keep(moments: list[Moment], moment: Moment) -> None:
    """Add a moment if it is among the ``MOMENTS`` with the greatest weight; at most one per call."""
    by_call: dict[str, Moment] = {}
    for one in sorted([*moments, moment], key=lambda m: -m.weight):
        by_call.setdefault(one.call_id, one)
    moments[:] = list(by_call.values())[:MOMENTS]
