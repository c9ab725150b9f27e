"""Chance-corrected agreement: Cohen's κ, weighted κ, Gwet's AC1, PABAK, and Krippendorff's α.

The two-rater figures are closed forms of one confusion table; writing them out costs forty lines
and spares users SciPy and pandas, and the tests hold them equal to scikit-learn's values and to
published examples. α, with its missing ratings and metrics, comes from the ``krippendorff`` package.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Table = npt.NDArray[np.float64]
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Coefficient:
    """A coefficient with its 95 % interval; None where the data cannot tell."""

    value: float | None
    low: float | None = None
    high: float | None = None


UNKNOWN = Coefficient(None)


def confusion(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> Table:
    """Counts of first rater (rows) by second rater (columns), shape (n_labels, n_labels)."""
    place = {label: index for index, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for first, second in pairs:
        table[place[first], place[second]] += 1
    return table


def observed_agreement(table: Table) -> float | None:
    """Share of the diagonal, 0..1."""
    n = table.sum()
    return float(np.trace(table) / n) if n else None


def cohen_kappa(table: Table, *, graded: bool = False) -> Coefficient:
    """Cohen's κ with its large-sample interval (Fleiss, Cohen and Everitt 1969).

    Args:
        table: Counts, shape (k, k), categories in order when graded.
        graded: Weigh with the square of the distance: neighbouring grades half agree.

    Returns:
        Unknown when there are no ratings, or when both raters gave one and the same answer
        throughout: then chance alone explains everything, and κ has no value.
    """
    n, k = float(table.sum()), len(table)
    if n == 0 or k < 2:
        return UNKNOWN
    p = table / n
    steps = np.subtract.outer(np.arange(k), np.arange(k)) / (k - 1)
    v = 1 - steps**2 if graded else np.eye(k)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    expected = float(rows @ v @ columns)
    if math.isclose(expected, 1.0):
        return UNKNOWN
    kappa = (float((p * v).sum()) - expected) / (1 - expected)
    mean_weights = (v @ columns)[:, None] + (rows @ v)[None, :]
    spread = float((p * (v - mean_weights * (1 - kappa)) ** 2).sum()) - (kappa - expected * (1 - kappa)) ** 2
    return _interval(kappa, math.sqrt(max(spread, 0.0) / n) / (1 - expected))


def gwet_ac1(table: Table) -> Coefficient:
    """Gwet's AC1 (2008), steady where nearly all answers are the same and κ collapses.

    Args:
        table: Counts of all categories that could be answered, shape (k, k).
    """
    n, k = float(table.sum()), len(table)
    if n == 0 or k < 2:
        return UNKNOWN
    p = table / n
    share = (p.sum(axis=0) + p.sum(axis=1)) / 2
    expected = float((share * (1 - share)).sum()) / (k - 1)
    if math.isclose(expected, 1.0):
        return UNKNOWN
    ac1 = (float(np.trace(p)) - expected) / (1 - expected)
    if n < 2:
        return Coefficient(ac1)
    # Per-subject linearisation (Gwet 2008, eq. 30): every cell of the table is n_ij equal subjects.
    agree = np.eye(k)
    own_expected = ((1 - share)[:, None] + (1 - share)[None, :]) / 2 / (k - 1)
    own = (agree - expected) / (1 - expected) - 2 * (1 - ac1) * (own_expected - expected) / (1 - expected)
    variance = float((table * (own - ac1) ** 2).sum()) / (n * (n - 1))
    return _interval(ac1, math.sqrt(variance))


def pabak(table: Table) -> float | None:
    """Prevalence- and bias-adjusted κ (Byrt, Bishop and Carlin 1993): (k·agreement - 1) / (k - 1)."""
    agreement, k = observed_agreement(table), len(table)
    return None if agreement is None or k < 2 else (k * agreement - 1) / (k - 1)


def krippendorff_alpha(
    ratings: Sequence[Sequence[str | None]], labels: Sequence[str], *, ordered: bool = False
) -> Coefficient:
    """Krippendorff's α over any number of raters, with a bootstrap interval over the units.

    Args:
        ratings: A row per rater, a column per rated answer; None where a rater gave none.
        labels: Every possible answer, in order when ``ordered``.
        ordered: Grades rather than names.
    """
    import krippendorff

    place = {label: float(index) for index, label in enumerate(labels)}
    data = np.array([[math.nan if r is None else place[r] for r in row] for row in ratings], dtype=np.float64)
    if data.size:
        data = data[:, (~np.isnan(data)).sum(axis=0) >= 2]  # units one rater saw say nothing
    if not data.size or len(np.unique(data[~np.isnan(data)])) < 2:
        return UNKNOWN
    level: Literal["ordinal", "nominal"] = "ordinal" if ordered else "nominal"

    def alpha(sample: Table) -> float | None:
        if len(np.unique(sample[~np.isnan(sample)])) < 2:
            return None
        return float(krippendorff.alpha(reliability_data=sample, level_of_measurement=level))

    rng, units = random.Random(0), data.shape[1]  # noqa: S311
    draws = sorted(
        a for _ in range(500) if (a := alpha(data[:, rng.choices(range(units), k=units)])) is not None
    )
    if units < 5 or len(draws) < 100:
        return Coefficient(alpha(data))
    return Coefficient(alpha(data), draws[int(0.025 * len(draws))], draws[int(0.975 * len(draws))])


def _interval(value: float, error: float) -> Coefficient:
    return Coefficient(value, max(-1.0, value - Z_95 * error), min(1.0, value + Z_95 * error))
