"""The small model that weighs a pair's features: two networks of one layer and boosted trees, averaged.

Plain arrays, no scikit-learn at run time. ``bench/matcher_training/train.py`` writes the file and
measures it on criteria it has never seen.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError

Array = NDArray[np.float32]
WEIGHTS = Path(__file__).parent / "weights" / "meaning.npz"
CLIP = 5.0  # deviations: a feature beyond what training saw may not decide alone


@dataclass(frozen=True)
class Judgement:
    """Weights.

    Attributes:
        centre: Mean of each feature, float32 (n_features,); ``scale`` its deviation.
        hidden: First layer of each network, float32 (n_networks, n_features, n_units); ``hidden_bias``.
        out: Second layer, float32 (n_networks, n_units); ``out_bias`` (n_networks,).
        feature: Split feature of each node, int16 (n_nodes,), -1 at a leaf; ``split`` its threshold.
        left: Child when the value is at most the split, int32; ``right`` the other.
        value: What a leaf adds to the log-odds, float32.
        roots: First node of each tree.
        tree_odds: Log-odds before any tree.
        tree_inputs: How many of the features the trees see (the first ones).
        midpoint: Averaged chance that becomes strength 0.5.
        background: Vectors of what is commonly said, float32 (n, 384).
    """

    centre: Array
    scale: Array
    hidden: Array
    hidden_bias: Array
    out: Array
    out_bias: Array
    feature: NDArray[np.int16]
    split: Array
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    value: Array
    roots: NDArray[np.int32]
    tree_odds: float
    tree_inputs: int
    midpoint: float
    background: Array

    def strengths(self, features: Array) -> Array:
        """Strength 0..1 of each row of features, float32 (n, n_features)."""
        chance = (self._networks(features) + self._trees(features[:, : self.tree_inputs])) / 2
        below = 0.5 * chance / self.midpoint
        above = 0.5 + 0.5 * (chance - self.midpoint) / (1 - self.midpoint)
        return np.where(chance < self.midpoint, below, above).astype(np.float32)

    def _networks(self, features: Array) -> Array:
        """Mean chance over the networks."""
        inputs = np.clip((features - self.centre) / self.scale, -CLIP, CLIP)
        chances = [
            sigmoid(np.maximum(inputs @ hidden + hidden_bias, 0) @ out + out_bias)
            for hidden, hidden_bias, out, out_bias in zip(
                self.hidden, self.hidden_bias, self.out, self.out_bias, strict=True
            )
        ]
        return np.mean(chances, axis=0)  # type: ignore[no-any-return]

    def _trees(self, features: Array) -> Array:
        """Chance by the boosted trees, all rows and trees stepping down together."""
        feature, split, children = self._steps
        first = np.arange(len(features), dtype=np.int32)[:, None] * np.int32(features.shape[1])
        values = features.ravel()
        node = np.broadcast_to(self.roots, (len(features), len(self.roots)))
        while True:
            goes_right = values.take(first + feature.take(node)) > split.take(node)
            below = children.take(2 * node + goes_right)
            if np.array_equal(below, node):
                return sigmoid(self.value.take(node).sum(axis=1) + self.tree_odds)
            node = below

    @cached_property
    def _steps(self) -> tuple[NDArray[np.int32], Array, NDArray[np.int32]]:
        """Feature and split of each node, and both children in turn; below a leaf is the leaf."""
        leaf, itself = self.feature < 0, np.arange(len(self.feature), dtype=np.int32)
        children = np.where(leaf[:, None], itself[:, None], np.stack([self.left, self.right], axis=1))
        return np.maximum(self.feature, 0).astype(np.int32), self.split, children.ravel()


def sigmoid(odds: Array) -> Array:
    """Log-odds to a chance."""
    return (1 / (1 + np.exp(-odds))).astype(np.float32)


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
    own = {field.name for field in fields(Judgement)}
    kept = {name: array for name, array in arrays.items() if name in own}
    kept["hidden"] = kept["hidden"].astype(np.float32)
    kept |= {name: arrays[name].item() for name in ("tree_odds", "tree_inputs", "midpoint")}
    kept["background"] = kept["background"].astype(np.float32) * arrays["background_scale"][:, None]
    return Judgement(**kept)
