"""Sentence vectors of short texts: all-MiniLM-L6-v2, shipped as int8 and run with NumPy.

``annotate`` uses it for sentiment (``classifier``), ``matching`` to find phrases said in other words. The
weights ship with callqa, as an npz file without pickles that ``training/encoder_weights.py`` makes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path

import numpy as np

from pipeline.encoder.network import Array, Network, read
from pipeline.encoder.wordpiece import WordPiece

WEIGHTS = Path(__file__).parent / "weights" / "all-minilm-l6-v2-int8.npz"
DIMENSIONS = 384
MAX_TOKENS = 256  # the length the model was trained with; longer texts are cut
ZERO = np.zeros((1, DIMENSIONS), np.float32)
NOTHING = ZERO[:0]
BATCH_TOKENS = 512  # longest text times texts of a batch; measured fastest on one core (fits its cache)


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder."""

    tokenizer: WordPiece
    network: Network

    def embed(self, texts: Sequence[str]) -> Array:
        """Sentence vectors of texts.

        Args:
            texts: Phrases or sentences; all but the first 256 tokens of each are ignored.

        Returns:
            float32, shape (n_texts, 384), each row of length 1.
        """
        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        for rows, means in self.means(texts, MAX_TOKENS):
            vectors[rows] = means / np.linalg.norm(means, axis=1, keepdims=True)
        return vectors

    def means(self, texts: Sequence[str], max_tokens: int) -> Iterator[tuple[list[int], Array]]:
        """By batch: its texts' numbers, and means of their last hidden states, float32 (n_in_batch, 384)."""
        tokens = [self.tokenizer.encode(text, max_tokens) for text in texts]
        for rows in batches(tokens):
            yield rows, self.network.pooled([tokens[row] for row in rows])

    def by_word(self, texts: Sequence[Sequence[str]]) -> list[Array]:
        """Last hidden states of each text summed by word, float32 (n_words, 384); texts of up to 30 words.

        Sums of these are vectors of any run of words.
        """
        word_ids = [[self.tokenizer.encode(word, MAX_TOKENS)[1:-1] for word in words] for words in texts]
        first, last = self.tokenizer.encode("", 2)
        tokens = [[first, *chain.from_iterable(text), last] for text in word_ids]
        sums = [NOTHING] * len(texts)
        for rows in batches(tokens):
            states = self.network.states([tokens[row] for row in rows])
            bounds = np.cumsum([len(tokens[row]) for row in rows])[:-1]
            for row, state in zip(rows, np.split(states, bounds), strict=True):
                inner = state[1:-1]  # without [CLS] and [SEP]
                running = np.concatenate([ZERO, np.cumsum(inner, axis=0)])
                ends = np.cumsum([0, *map(len, word_ids[row])])
                sums[row] = np.diff(running[ends], axis=0)
        return sums


def batches(tokens: Sequence[Sequence[int]]) -> Iterator[list[int]]:
    """Row numbers in batches of texts of similar length, at most ``BATCH_TOKENS`` a batch."""
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
    """Load the shipped encoder, once a process (about 0.2 s).

    Args:
        layers: A file of other layers to put on the shipped embeddings; None for the shipped layers.

    Raises:
        ModelError: A weights file is missing or damaged.
    """
    arrays = read(layers or WEIGHTS)
    if layers is not None:
        base = load()
        return Encoder(base.tokenizer, base.network.with_layers(arrays))
    pieces = bytes(arrays.pop("vocabulary")).decode("utf-8").split("\n")
    return Encoder(WordPiece(pieces), Network.from_int8(arrays))
