"""The small model that weighs a pair's features: a logistic regression and a forest, averaged.

Plain arrays, no scikit-learn at run time. ``bench/matcher_training/train.py`` writes the file and
measures it on criteria it has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError

Array = NDArray[np.float32]
WEIGHTS = Path(__file__).parent / "weights" / "meaning.npz"


@dataclass(frozen=True)
class Judgement:
    """Weights.

    Attributes:
        linear: Coefficients over standardised features, float32 (n_features,); ``centre`` and ``scale``.
        intercept: Of the regression.
        feature: Split feature of each node, int16 (n_nodes,), -1 at a leaf; ``split`` its threshold.
        left: Child when the value is at most the split, int32; ``right`` the other.
        value: Probability at a leaf, float32.
        roots: First node of each tree.
        forest_inputs: How many of the features the forest sees (the first ones).
        midpoint: Averaged probability that becomes strength 0.5.
        background: Vectors of what is commonly said, float32 (n, 384).
    """

    linear: Array
    centre: Array
    scale: Array
    intercept: float
    feature: NDArray[np.int16]
    split: Array
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Array
    roots: NDArray[np.int32]
    forest_inputs: int
    midpoint: float
    background: Array

    def strengths(self, features: Array) -> Array:
        """Strength 0..1 of each row of features, float32 (n, n_features)."""
        scores = ((features - self.centre) / self.scale) @ self.linear + self.intercept
        chance = (1 / (1 + np.exp(-scores)) + self._forest(features[:, : self.forest_inputs])) / 2
        below = 0.5 * chance / self.midpoint
        above = 0.5 + 0.5 * (chance - self.midpoint) / (1 - self.midpoint)
        return np.where(chance < self.midpoint, below, above).astype(np.float32)

    def _forest(self, features: Array) -> Array:
        """Mean leaf value over the trees, all rows and trees stepping down together."""
        rows = np.arange(len(features))[:, None]
        node = np.broadcast_to(self.roots, (len(features), len(self.roots))).copy()
        while True:
            feature = self.feature[node]
            inner = feature >= 0
            if not inner.any():
                return self.value[node].mean(axis=1).astype(np.float32)  # type: ignore[no-any-return]
            goes_left = features[rows, np.maximum(feature, 0)] <= self.split[node]
            node = np.where(inner, np.where(goes_left, self.left[node], self.right[node]), node)


@cache
def load() -> Judgement:
    """The shipped weights, read once a process.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(WEIGHTS, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the meaning matcher's weights at {WEIGHTS} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error
    return judgement(arrays)


def judgement(arrays: Mapping[str, Any]) -> Judgement:
    """Weights as ``bench/matcher_training/train.py`` stores them, ready to judge."""
    same = ("linear", "centre", "scale", "feature", "split", "left", "right", "roots")
    return Judgement(
        **{name: arrays[name] for name in same},
        value=arrays["value"].astype(np.float32),
        intercept=float(arrays["intercept"]),
        forest_inputs=int(arrays["forest_inputs"]),
        midpoint=float(arrays["midpoint"]),
        background=arrays["background"].astype(np.float32) * arrays["background_scale"][:, None],
    )
