"""Chance-corrected agreement: Cohen's κ, weighted κ, Gwet's AC1, PABAK, and Krippendorff's α.

The two-rater figures are closed formulas over one confusion table. They are written out here, in some forty
lines, so that users need neither SciPy nor pandas; tests compare them with scikit-learn and with published
examples. α has to handle missing ratings and ordered grades; it comes from the ``krippendorff`` package.
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
    """A coefficient with its 95 % interval; a figure that the data does not determine is None."""

    value: float | None
    low: float | None = None
    high: float | None = None

    @property
    def range(self) -> str:
        """The interval in words, such as ``0.55 to 0.87``; "" where it is unknown."""
        return "" if self.low is None else f"{self.low:z.2f} to {self.high:z.2f}"


UNKNOWN = Coefficient(None)


def confusion(pairs: Sequence[tuple[str, str]], labels: Sequence[str]) -> Table:
    """Count pairs of labels: first rater's by row, second rater's by column; shape (n_labels, n_labels)."""
    index = {label: position for position, label in enumerate(labels)}
    table = np.zeros((len(labels), len(labels)))
    for first, second in pairs:
        table[index[first], index[second]] += 1
    return table


def observed_agreement(table: Table) -> float | None:
    """Share of the counts that lie on the diagonal, 0..1; None for an empty table."""
    n = table.sum()
    return float(np.trace(table) / n) if n else None


def cohen_kappa(table: Table, *, graded: bool = False) -> Coefficient:
    """Cohen's κ with its large-sample interval (Fleiss, Cohen and Everitt 1969).

    Args:
        table: Counts, shape (k, k), categories in order when graded.
        graded: Use quadratic weights: the nearer two grades are, the more they count as agreement.

    Returns:
        Unknown when there are no ratings, or when both raters gave one and the same answer
        throughout: then the agreement expected by chance is 1, and κ is not defined.
    """
    n, k = float(table.sum()), len(table)
    if n == 0 or k < 2:
        return UNKNOWN
    p = table / n
    steps = np.subtract.outer(np.arange(k), np.arange(k)) / (k - 1)
    weights = 1 - steps**2 if graded else np.eye(k)
    rows, columns = p.sum(axis=1), p.sum(axis=0)
    expected = float(rows @ weights @ columns)
    if math.isclose(expected, 1.0):
        return UNKNOWN
    kappa = (float((p * weights).sum()) - expected) / (1 - expected)
    mean_weights = (weights @ columns)[:, None] + (rows @ weights)[None, :]
    squares = (weights - mean_weights * (1 - kappa)) ** 2
    variance = float((p * squares).sum()) - (kappa - expected * (1 - kappa)) ** 2
    return _interval(kappa, math.sqrt(max(variance, 0.0) / n) / (1 - expected))


def gwet_ac1(table: Table) -> Coefficient:
    """Gwet's AC1 (2008); unlike κ it stays stable where nearly all answers are the same.

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
    # Variance over the subjects (Gwet 2008, eq. 30); the n_ij subjects of one cell have equal values.
    cell_expected = ((1 - share)[:, None] + (1 - share)[None, :]) / 2 / (k - 1)
    agreement = (np.eye(k) - expected) / (1 - expected)
    subjects = agreement - 2 * (1 - ac1) * (cell_expected - expected) / (1 - expected)
    variance = float((table * (subjects - ac1) ** 2).sum()) / (n * (n - 1))
    return _interval(ac1, math.sqrt(variance))


def pabak(table: Table) -> float | None:
    """Prevalence- and bias-adjusted κ (Byrt, Bishop and Carlin 1993): (k·agreement - 1) / (k - 1)."""
    agreement, k = observed_agreement(table), len(table)
    return None if agreement is None or k < 2 else (k * agreement - 1) / (k - 1)


def krippendorff_alpha(
    ratings: Sequence[Sequence[str | None]], labels: Sequence[str], *, ordered: bool = False
) -> Coefficient:
    """Krippendorff's α of any number of raters, with an interval by bootstrap over the units.

    Args:
        ratings: A row per rater, a column per unit (a rated answer); None where a rater gave none.
        labels: Every possible answer, in order when ``ordered``.
        ordered: Whether labels are grades in an order (ordinal α) or mere names (nominal α).
    """
    import krippendorff

    code = {label: float(index) for index, label in enumerate(labels)}
    data = np.array([[math.nan if r is None else code[r] for r in row] for row in ratings], dtype=np.float64)
    if data.size:
        data = data[:, (~np.isnan(data)).sum(axis=0) >= 2]  # one rating alone cannot agree or disagree
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
