"""Sentiment probabilities from the shared encoder with low-rank adapters merged in.

The file beside it (``train_sentiment.py`` makes it) holds what training changed: two thin
matrices for each linear layer and a three-way head. Everything else is the shipped encoder.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pipeline import encoder
from pipeline.encoder.network import LAYERS, LINEARS, Network
from pipeline.encoder.wordpiece import WordPiece
from pipeline.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights" / "sentiment.npz"
CLASSES = ("negative", "neutral", "positive")
MAX_TOKENS = 64  # a turn's first fifty words carry its feeling; longer turns are scored in pieces


def linear_names() -> list[str]:
    """Every adapted linear layer, in the original's naming."""
    return [f"encoder.layer.{layer}.{name}" for layer in range(LAYERS) for name in LINEARS]


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


def merge(base: Network, adapters: Mapping[str, Tensor]) -> Network:
    """The network with ``up @ down`` added to each linear layer."""
    tensors = dict(base.tensors)
    for name in linear_names():
        change = adapters[f"{name}.up"].float() @ adapters[f"{name}.down"].float()
        tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + change
    return Network(base.words, base.word_scale, tensors)


@cache
def load() -> Classifier:
    """The shipped classifier, read once a process.

    Raises:
        ModelError: The weights file is missing or damaged.
    """
    base = encoder.load()
    try:
        with np.load(WEIGHTS, allow_pickle=False) as arrays:
            fingerprint = bytes(arrays["fingerprint"]).decode("ascii")
            tensors = {n: torch.from_numpy(arrays[n]) for n in arrays.files if n != "fingerprint"}
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the sentiment weights at {WEIGHTS} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error
    network = merge(base.network, tensors).quick()
    return Classifier(fingerprint, base.tokenizer, network, tensors["head"].float(), tensors["bias"].float())
