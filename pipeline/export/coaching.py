"""One agent or team in the totals: weekly trend with control limits, strengths, and what to work on.

The limits are those of an individuals (XmR) chart, mean ± 2.66 times the mean moving range (Wheeler and
Chambers); they need five weeks. A criterion is a strength, or one to focus on, when it is met at least ten
percentage points more, or less, often than by everybody else.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from pipeline.confidence_intervals import Interval
from pipeline.export.summary import CriterionTotals, Totals, Unit

FEWEST_WEEKS = 5
FEWEST_ANSWERS = 3
NOTABLE = 0.10
LISTED = 3


@dataclass(frozen=True, slots=True)
class Week:
    """One week's mean score; ``out`` when it lies outside the control limits."""

    week: str
    mean: Interval
    out: bool


@dataclass(frozen=True, slots=True)
class Comparison:
    """How often a unit meets a criterion, and how often everybody else does; shares 0..1."""

    criterion: CriterionTotals
    rate: float
    others: float
    n: int


def weekly(unit: Unit) -> tuple[list[Week], Interval]:
    """A unit's weeks in order, and their mean with control limits, 0..100; unknown with too few weeks."""
    means = [(week, group.mean()) for week, group in sorted(unit.weeks.items())]
    values = [mean.estimate for _, mean in means if mean.estimate is not None]
    if len(values) < FEWEST_WEEKS:
        return [Week(week, mean, False) for week, mean in means], Interval(None, None, None, len(values))
    centre = fmean(values)
    distance = 2.66 * fmean(abs(b - a) for a, b in pairwise(values))
    low, high = max(0.0, centre - distance), min(100.0, centre + distance)
    weeks = [
        Week(week, mean, mean.estimate is not None and not low <= mean.estimate <= high)
        for week, mean in means
    ]
    return weeks, Interval(centre, low, high, len(values))


def strengths_and_focus(unit: Unit, totals: Totals) -> tuple[list[Comparison], list[Comparison]]:
    """Criteria that the unit meets notably more, and notably less, often than everybody else."""
    worst_first = sorted(_comparisons(unit, totals.criteria), key=lambda c: c.rate - c.others)
    focus = [c for c in worst_first if c.rate - c.others <= -NOTABLE]
    strengths = [c for c in reversed(worst_first) if c.rate - c.others >= NOTABLE]
    return strengths[:LISTED], focus[:LISTED]


def _comparisons(unit: Unit, criteria: Mapping[tuple[str, str], CriterionTotals]) -> Iterator[Comparison]:
    """The unit against everybody else, for each criterion on which both have enough answers."""
    for key, answers in unit.criteria.items():
        total = criteria[key].answers
        n = answers["yes"] + answers["no"]
        others_yes, others_n = total["yes"] - answers["yes"], total["yes"] + total["no"] - n
        if n >= FEWEST_ANSWERS and others_n >= FEWEST_ANSWERS:
            yield Comparison(criteria[key], answers["yes"] / n, others_yes / others_n, n)
