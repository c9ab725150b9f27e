"""Confidence intervals of rates and means, which show how little a small sample says."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean, stdev

# Two-sided 95 % quantiles of Student's t for 1..30 degrees of freedom; for more, 1.96 is within 4 %.
T_975 = (
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131,
    2.120, 2.110, 2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class ConfidenceInterval:
    """An estimate from ``n`` values with its lower and upper limit, in the same unit; None where unknown."""

    estimate: float | None
    low: float | None
    high: float | None
    n: int


def wilson(hits: int, n: int) -> ConfidenceInterval:
    """95 % Wilson score interval of a proportion, 0..1 (Wilson 1927; Brown, Cai and DasGupta 2001).

    Args:
        hits: Successes, 0..n.
        n: Trials; 0 gives an empty interval.
    """
    if n == 0:
        return ConfidenceInterval(None, None, None, 0)
    z = NormalDist().inv_cdf(0.975)
    p = hits / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    low = 0.0 if hits == 0 else max(0.0, centre - half)
    return ConfidenceInterval(p, low, 1.0 if hits == n else min(1.0, centre + half), n)


def clopper_pearson_above(hits: int, n: int, *, confidence: float) -> float:
    """Exact one-sided upper limit of a proportion, 0..1 (Clopper and Pearson 1934); 1 without trials.

    Args:
        hits: Successes, 0..n.
        n: Trials.
        confidence: One-sided confidence level.

    Returns:
        The proportion at which ``hits`` or fewer have the probability ``1 - confidence``, by bisection.
    """
    if hits >= n:
        return 1.0
    low, high = hits / n, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        few = math.fsum(
            math.exp(
                math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
                + k * math.log(middle) + (n - k) * math.log1p(-middle)
            )
            for k in range(hits + 1)
        )  # fmt: skip
        low, high = (middle, high) if few > 1 - confidence else (low, middle)
    return high


def mean(values: Sequence[float]) -> ConfidenceInterval:
    """Mean with its 95 % Student t interval; a single value has no interval."""
    n = len(values)
    if n == 0:
        return ConfidenceInterval(None, None, None, 0)
    centre = fmean(values)
    if n == 1:
        return ConfidenceInterval(centre, None, None, 1)
    half = (T_975[n - 2] if n - 2 < len(T_975) else 1.96) * stdev(values) / math.sqrt(n)
    return ConfidenceInterval(centre, centre - half, centre + half, n)


def margin_of(n: int, population: int) -> float | None:
    """Half width of the 95 % Wilson interval of a 50 % rate in ``n`` calls, with finite correction."""
    if n <= 0:
        return None
    if n >= population:
        return 0.0
    interval = wilson(round(n / 2), n)
    half = ((interval.high or 0.0) - (interval.low or 0.0)) / 2
    return half * math.sqrt((population - n) / (population - 1))
