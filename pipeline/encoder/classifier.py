"""Sentiment probabilities from the shared encoder with low-rank adapters merged in.

The file beside it (``train_sentiment.py`` makes it) holds what training changed: two thin
matrices for each linear layer and a three-way head. Everything else is the shipped encoder.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import encoder
from pipeline.encoder import adapters
from pipeline.encoder.network import Network
from pipeline.encoder.wordpiece import WordPiece

WEIGHTS = Path(__file__).parent / "weights" / "sentiment.npz"
CLASSES = ("negative", "neutral", "positive")
MAX_TOKENS = 64  # a turn's first fifty words carry its feeling; longer turns are scored in pieces


@dataclass(frozen=True)
class Classifier:
    """The encoder with merged adapters and its head.

    Attributes:
        fingerprint: Changes when the probabilities could.
        head, bias: float32, shapes (3, 384) and (3,); temperature and class priors are folded in.
    """

    fingerprint: str
    tokenizer: WordPiece
    network: Network
    head: Tensor
    bias: Tensor

    def logits(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Calibrated log-odds of the texts' first 64 tokens.

        Returns:
            float32, shape (n_texts, 3): negative, neutral, positive.
        """
        tokens = [self.tokenizer.encode(text, MAX_TOKENS) for text in texts]
        out = np.zeros((len(texts), len(CLASSES)), dtype=np.float32)
        with torch.inference_mode():
            for rows, ids, mask in encoder.batches(tokens):
                pooled = self.network.pooled(torch.from_numpy(ids), torch.from_numpy(mask))
                out[rows] = (pooled @ self.head.T + self.bias).numpy()
        return out


@cache
def load() -> Classifier:
    """The shipped classifier, read once a process.

    Raises:
        ModelError: The weights file is missing or damaged.
    """
    base = encoder.load()
    fingerprint, tensors = adapters.read(WEIGHTS)
    network = adapters.merge(base.network, tensors).quick()
    return Classifier(fingerprint, base.tokenizer, network, tensors["head"].float(), tensors["bias"].float())
