"""The page's data about many calls: totals, agents, teams, criteria, agreement and metrics."""

from __future__ import annotations

from statistics import median, quantiles
from typing import Any

from pipeline.calibrate import Calibration
from pipeline.calibrate.figures import Agreement, sentence
from pipeline.confidence_intervals import ConfidenceInterval
from pipeline.export.packet.content import Json, plain, rounded
from pipeline.export.summary import Comparison, CriterionTotals, Moment, Totals, Unit, spoken

DEVIATION = "call_id reviewer machine_score human_score deviation machine_outcome human_outcome"
# The metrics that the page compares with the median of all calls, with their labels.
SHOWN_METRICS = {
    "agent_talk_ratio": "agent's share of talk",
    "silence_ratio": "share of silence",
    "dead_air_count": "dead air over 3 s",
    "dead_air_longest_s": "longest dead air (s)",
    "hold_s": "hold (s)",
    "overtalk_s": "both talking (s)",
    "agent_interruptions": "agent interrupts",
    "customer_interruptions": "customer interrupts",
    "agent_wpm": "agent's words a minute",
    "customer_wpm": "customer's words a minute",
    "agent_longest_monologue_s": "agent's longest monologue (s)",
    "agent_response_s": "agent's response time (s)",
    "greeting_s": "first greeting (s)",
    "agent_questions": "agent's questions",
}


def overall_pages(totals: Totals, calibration: Calibration, *, blind: bool) -> Json:
    """Everything in the packet that is not about one call; for blind reviewers only its size."""
    size = {"calls": totals.calls, "hours": round(totals.seconds / 3600, 1)}
    if blind:
        return {"subtitle": f"{totals.period}, blind session", "totals": size, "metrics": {}}
    return {
        "subtitle": totals.period,
        "totals": {
            **size,
            "score": figure(totals.overall.mean(), 1),
            "passRate": figure(totals.overall.pass_rate(), 100),
            "autofails": totals.overall.autofails,
            "needsReview": totals.overall.outcomes["needs_review"],
        },
        "criteria": [_criterion(c) for c in totals.criteria.values()],
        "people": [_unit(u, totals) for u in sorted(totals.agents.values(), key=Unit.lowest_first)],
        "teams": [_unit(u, totals) for u in sorted(totals.teams.values(), key=Unit.lowest_first)],
        "metrics": _metrics(totals),
        "agreement": _agreement(calibration) if calibration.criteria else None,
    }


def figure(interval: ConfidenceInterval, scale: float) -> dict[str, Any]:
    """An estimate, and its interval in words."""
    return {"value": rounded(interval.estimate, 4), "range": spoken(interval, scale)}


def _unit(unit: Unit, totals: Totals) -> Json:
    weeks, limits = unit.weekly()
    strengths, focus = unit.strengths_and_focus(totals)
    mean, rate = unit.total.mean(), unit.total.pass_rate()
    return {
        **plain(unit, "name team client"),
        "n": unit.total.scorecards,
        "mean": rounded(mean.estimate, 1),
        "range": spoken(mean),
        "passRate": rounded(rate.estimate, 4),
        "passRange": spoken(rate, 100),
        "autofails": unit.total.autofails,
        "weeks": [{"week": week.week, "out": week.out, **_points(week.mean)} for week in weeks],
        "limits": _points(limits),
        "strengths": [_comparison(c) for c in strengths],
        "focus": [_comparison(c) for c in focus],
        "best": [_moment(m) for m in unit.best],
        "worst": [_moment(m) for m in unit.worst],
    }


def _points(interval: ConfidenceInterval, scale: float = 1.0) -> Json:
    """An estimate with its limits, times ``scale``, as a point of a trend."""
    limits = {"mean": interval.estimate, "low": interval.low, "high": interval.high}
    scaled = {name: rounded(None if v is None else scale * v, 1) for name, v in limits.items()}
    return {"n": interval.n, **scaled}


def _comparison(comparison: Comparison) -> Json:
    return {"title": comparison.criterion.title, **plain(comparison, "rate others n", 3)}


def _moment(moment: Moment) -> Json:
    return {"quote": moment.quote[:240], **plain(moment, "call_id at_s why")}


def _criterion(criterion: CriterionTotals) -> Json:
    met = criterion.met()
    return {
        **plain(criterion, "title rubric critical"),
        "rate": rounded(met.estimate, 4),
        "range": spoken(met, 100),
        **{answer: criterion.answers[answer] for answer in ("yes", "no", "na", "undetermined")},
    }


def _metrics(totals: Totals) -> Json:
    metrics = {}
    for name, label in SHOWN_METRICS.items():
        values = totals.metrics.get(name, [])
        if len(values) >= 2:
            p90 = quantiles(values, n=10, method="inclusive")[-1]
            metrics[name] = {"label": label, "median": rounded(median(values), 3), "p90": rounded(p90, 3)}
    return metrics


def _agreement(calibration: Calibration) -> Json:
    return {
        "scores": [plain(d, DEVIATION, 1) for d in calibration.scores if d.deviation is not None],
        "scoreChange": calibration.score_change,
        "note": " ".join(map(sentence, calibration.cautions))
        or "Machine against people, with 95 % intervals.",
        "rows": [_agreement_row(row) for row in calibration.criteria],
        "reviewers": [_agreement_row(row) for row in calibration.reviewers],
        "people": [
            {
                **plain(p, "title reviewers answers blind"),
                "alpha": rounded(p.alpha.value, 3),
                **plain(p.alpha, "low high"),
            }
            for p in calibration.people
        ],
        "drift": [
            {"week": week.week, "out": week.shifted, **_points(week.agreement, 100)}
            for week in calibration.drift
        ],
    }


def _agreement_row(row: Agreement) -> Json:
    weighted = row.weighted_kappa.value is not None
    kappa = row.weighted_kappa if weighted else row.kappa
    return {
        **plain(row, "title rubric n lenient strict words"),
        "agreement": rounded(row.agreement.estimate, 4),
        "weighted": weighted,
        "kappa": rounded(kappa.value, 3),
        **plain(kappa, "low high", 3),
        "ac1": rounded(row.ac1.value, 3),
    }
