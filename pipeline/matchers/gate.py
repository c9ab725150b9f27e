"""Which phrases can be near which texts at all, told from pairs of letters: thousands of pairs at once.

A phrase heard in a text, even misheard, shares most of its letter pairs with it. The share costs one
matrix product for a whole batch of calls; only what passes is compared letter by letter.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
BUCKETS = 512


def letter_pairs(texts: Sequence[str]) -> Array:
    """Which pairs of letters each text holds, hashed; float32 of 0 and 1, shape (n_texts, 512)."""
    table = np.zeros((len(texts), BUCKETS), dtype=np.float32)
    if not texts:
        return table
    joined = "\n".join(texts)
    codes = np.frombuffer(joined.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)
    pairs = (codes[:-1] * 31 + codes[1:]) % BUCKETS
    rows = np.cumsum(codes == 10)[:-1]
    inside = (codes[:-1] != 10) & (codes[1:] != 10) & (codes[:-1] != 32) & (codes[1:] != 32)
    table[rows[inside], pairs[inside]] = 1.0
    return table


def shared(phrases: Sequence[str], texts: Array) -> Array:
    """Share of each phrase's letter pairs that each text holds.

    Args:
        phrases: Normalised.
        texts: From ``letter_pairs``.

    Returns:
        float32, shape (n_phrases, n_texts), 0..1.
    """
    table = letter_pairs(phrases)
    return (table @ texts.T) / np.maximum(table.sum(axis=1), 1.0)[:, None]  # type: ignore[no-any-return]
