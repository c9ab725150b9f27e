"""The packet's pages about many calls: totals, agents, teams, criteria, metrics of the middle call."""

from __future__ import annotations

from typing import Any

from pipeline.export.packet.content import Json, rounded
from pipeline.export.summary import CriterionTotals, Totals
from pipeline.intervals import Interval


def overall_pages(totals: Totals) -> Json:
    """Everything of the packet that is not one call."""
    return {
        "subtitle": period(totals),
        "totals": {
            "calls": totals.calls,
            "hours": round(totals.seconds / 3600, 1),
            "score": figure(totals.overall.mean(), 1),
            "passRate": figure(totals.overall.pass_rate(), 100),
            "autofails": totals.overall.autofails,
            "needsReview": totals.overall.outcomes["needs_review"],
        },
        "criteria": [_criterion(c) for c in totals.criteria.values()],
        "people": [],
        "teams": [],
        "metrics": {},
        "agreement": None,
    }


def period(totals: Totals) -> str:
    """Which days the packet covers, on the sites' own clocks."""
    if totals.first is None or totals.last is None:
        return "start times unknown"
    return f"{totals.first:%d %b %Y} to {totals.last:%d %b %Y}"


def figure(interval: Interval, scale: float) -> dict[str, Any]:
    """An estimate and its interval in words."""
    return {"value": rounded(interval.estimate, 4), "range": spoken(interval, scale)}


def spoken(interval: Interval, scale: float) -> str:
    """``61 to 84 %`` for shares (scale 100), ``61 to 84`` for scores; empty without an interval."""
    if interval.low is None or interval.high is None:
        return ""
    low, high = max(0.0, interval.low * scale), min(100.0, interval.high * scale)
    return f"{low:.0f} to {high:.0f}{' %' if scale == 100 else ''}"


def _criterion(criterion: CriterionTotals) -> Json:
    met = criterion.met()
    return {
        "title": criterion.title,
        "rubric": criterion.rubric,
        "critical": criterion.critical,
        "rate": rounded(met.estimate, 4),
        "range": spoken(met, 100),
        **{answer: criterion.answers[answer] for answer in ("yes", "no", "na", "undetermined")},
    }
