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
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.encoder.network import Array, Network, read
from pipeline.encoder.wordpiece import WordPiece

WEIGHTS = Path(__file__).parent / "weights" / "sentiment.npz"
CLASSES = ("negative", "neutral", "positive")
MAX_TOKENS = 64  # about fifty words; the caller scores longer turns in pieces


@dataclass(frozen=True)
class Classifier:
    """The encoder with merged adapters and its head.

    Attributes:
        fingerprint: Changes when the probabilities could change.
        head, bias: float32, shapes (3, 384) and (3,); temperature and class priors are folded in.
    """

    fingerprint: str
    tokenizer: WordPiece
    network: Network
    head: Array
    bias: Array

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated log-odds of the texts' first 64 tokens.

        Returns:
            float32, shape (n_texts, 3): negative, neutral, positive.
        """
        tokens = [self.tokenizer.encode(text, MAX_TOKENS) for text in texts]
        out = np.zeros((len(texts), len(CLASSES)), dtype=np.float32)
        for rows in encoder.batches(tokens):
            out[rows] = self.network.pooled([tokens[row] for row in rows]) @ self.head.T + self.bias
        return out


@cache
def load() -> Classifier:
    """Load the shipped classifier, once a process.

    Raises:
        ModelError: The weights file is missing or damaged.
    """
    base = encoder.load()
    fingerprint, arrays = read(WEIGHTS)
    head, bias = (arrays[name].astype(np.float32) for name in ("head", "bias"))
    return Classifier(fingerprint, base.tokenizer, base.network.with_changes(arrays), head, bias)
