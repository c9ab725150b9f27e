"""Low-rank changes to the shipped encoder (LoRA, Hu et al. 2021): two thin matrices a linear layer.

Sentiment has the encoder with changes of its own; what is shipped of them is the thin matrices, in an
npz without pickles. ``training/low_rank.py`` trains them.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder.network import LINEARS, Network
from pipeline.errors import ModelError


def linear_names(base: Network) -> list[str]:
    """Every adapted linear layer, in the original's naming."""
    return [f"encoder.layer.{layer}.{name}" for layer in range(base.n_layers) for name in LINEARS]


def read(path: Path) -> tuple[str, dict[str, NDArray[np.generic]]]:
    """The fingerprint and arrays of a file of weights.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            fingerprint = bytes(arrays["fingerprint"]).decode("ascii")
            return fingerprint, {name: arrays[name] for name in arrays.files if name != "fingerprint"}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the weights at {path} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error


def merge(base: Network, changes: Mapping[str, NDArray[np.generic]]) -> Network:
    """The network with ``up @ down`` added to each linear layer."""
    tensors = dict(base.tensors)
    for name in linear_names(base):
        up, down = (changes[f"{name}.{part}"].astype(np.float32) for part in ("up", "down"))
        tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + up @ down
    return Network(base.words, base.word_scale, tensors)
