"""Short texts to sentence vectors: all-MiniLM-L6-v2, shipped as int8, run with NumPy.

Used by ``annotate`` (sentiment on top of it) and by the paraphrase matcher. The weights are
tensors in an npz without pickles (``training/encoder_weights.py`` makes the file); nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder.network import Network, read
from pipeline.encoder.wordpiece import WordPiece

WEIGHTS = Path(__file__).parent / "weights" / "all-minilm-l6-v2-int8.npz"
DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained to read; the rest of a longer text is not seen
ZERO = np.zeros((1, DIMENSIONS), np.float32)
NOTHING = ZERO[:0]
BATCH_TOKENS = 512  # padded tokens a batch: measured fastest on one core (states stay in the cache)


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder.

    Attributes:
        fingerprint: Changes when the vectors could.
        tokenizer: Text to token ids.
        network: Token ids to sentence vectors.
    """

    fingerprint: str
    tokenizer: WordPiece
    network: Network

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of the texts, in their order.

        Args:
            texts: Phrases or sentences; the first 256 tokens of each are read.

        Returns:
            float32, shape (n_texts, 384), each row of length 1.
        """
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        tokens = [self.tokenizer.encode(text, MAX_TOKENS) for text in texts]
        for rows in batches(tokens):
            mean = self.network.pooled([tokens[row] for row in rows])
            vectors[rows] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return vectors

    def by_word(self, texts: Sequence[Sequence[str]]) -> list[NDArray[np.float32]]:
        """Hidden states summed by word, to make vectors of stretches within a text that is read once.

        Args:
            texts: Words of each text, up to about 30.

        Returns:
            Of each text, sums over each word's tokens: float32, shape (n_words, 384).
        """
        read = [[self.tokenizer.encode(word, MAX_TOKENS)[1:-1] for word in words] for words in texts]
        first, last = self.tokenizer.encode("", 2)
        tokens = [[first, *(i for word in words for i in word), last] for words in read]
        found = [NOTHING] * len(texts)
        for rows in batches(tokens):
            states = self.network.states([tokens[row] for row in rows])
            start = 0
            for row in rows:
                counts = np.array([len(word) for word in read[row]], np.intp)
                own = np.concatenate(
                    [ZERO, np.cumsum(states[start + 1 : start + len(tokens[row]) - 1], axis=0)]
                )
                ends = np.cumsum(counts)
                found[row] = own[ends] - own[ends - counts]
                start += len(tokens[row])
        return found


def batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Rows of texts of like length, which are attended to together."""
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and len(tokens[order[end]]) * (end + 1 - start) <= BATCH_TOKENS:
            end += 1
        yield order[start:end]
        start = end


@cache
def load(layers: Path | None = None) -> Encoder:
    """The shipped encoder, read once a process (about 0.2 s).

    Args:
        layers: Other layers on its words and their vectors.

    Raises:
        ModelError: A weights file is missing or damaged.
    """
    fingerprint, arrays = read(layers or WEIGHTS)
    if layers is not None:
        base = load()
        return Encoder(fingerprint, base.tokenizer, base.network.with_layers(arrays))
    pieces = bytes(arrays.pop("vocabulary")).decode("utf-8").split("\n")
    return Encoder(fingerprint, WordPiece(pieces), Network.from_int8(arrays))
