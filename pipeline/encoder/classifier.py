"""Sentiment by the shipped encoder with low-rank adapters and a classification head.

The weights file holds only what training changed (``training/train_sentiment.py``): two thin matrices for
each linear layer, which are added to it when loading, and the head with its three classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

from pipeline import encoder
from pipeline.encoder.network import Array, read

WEIGHTS = Path(__file__).parent / "weights" / "sentiment.npz"
CLASSES = ("negative", "neutral", "positive")
MAX_TOKENS = 64  # about fifty words; the caller scores longer turns in pieces


@dataclass(frozen=True)
class Classifier:
    """The encoder with merged adapters and its head.

    Attributes:
        head, bias: float32, shapes (3, 384) and (3,); temperature and class priors are folded in.
    """

    encoder: encoder.Encoder
    head: Array
    bias: Array

    def logits(self, texts: Sequence[str]) -> Array:
        """Calibrated log-odds of the texts' first 64 tokens.

        Returns:
            float32, shape (n_texts, 3): negative, neutral, positive.
        """
        out = np.zeros((len(texts), len(CLASSES)), dtype=np.float32)
        for rows, means in self.encoder.means(texts, MAX_TOKENS):
            out[rows] = means @ self.head.T + self.bias
        return out


@cache
def load() -> Classifier:
    """Load the shipped classifier, once a process.

    Raises:
        ModelError: The weights file is missing or damaged.
    """
    base, arrays = encoder.load(), read(WEIGHTS)
    head, bias = (arrays[name].astype(np.float32) for name in ("head", "bias"))
    return Classifier(encoder.Encoder(base.tokenizer, base.network.with_changes(arrays)), head, bias)
