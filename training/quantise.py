"""Matrices as int8, as the shipped weights hold them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]


def quantise(matrix: Array) -> tuple[NDArray[np.int8], Array]:
    """A matrix as int8 rows and a scale per row, so that ``matrix ≈ rows * scale[:, None]``."""
    scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
    return np.round(matrix / scale[:, None]).astype(np.int8), scale
