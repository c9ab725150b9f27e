"""Short texts to sentence vectors: all-MiniLM-L6-v2, shipped as int8, run with plain torch.

Used by ``annotate`` (sentiment on top of it) and by the paraphrase matcher. The weights are
tensors in an npz without pickles (``make_weights.py`` makes the file); nothing is downloaded.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder.wordpiece import WordPiece
from pipeline.errors import ModelError

if TYPE_CHECKING:
    from pipeline.encoder.network import Network

WEIGHTS = Path(__file__).parent / "weights" / "all-minilm-l6-v2-int8.npz"
DIMENSIONS = 384
MAX_TOKENS = 256  # what the model was trained to read; the rest of a longer text is not seen
BATCH_TOKENS = 512  # padded tokens a batch: measured fastest on one core (states stay in the cache)


@dataclass(frozen=True)
class Encoder:
    """A loaded sentence encoder.

    Attributes:
        fingerprint: Changes when the vectors could.
        tokenizer: Text to token ids.
        network: Token ids to hidden states.
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
        import torch

        vectors = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
        tokens = [self.tokenizer.encode(text, MAX_TOKENS) for text in texts]
        with torch.inference_mode():
            for rows, ids, mask in batches(tokens):
                mean = self.network.pooled(torch.from_numpy(ids), torch.from_numpy(mask))
                vectors[rows] = torch.nn.functional.normalize(mean).numpy()
        return vectors


def batches(
    tokens: Sequence[Sequence[int]],
) -> Iterator[tuple[list[int], NDArray[np.int64], NDArray[np.bool_]]]:
    """Group texts of like length, so that little is padded.

    Yields:
        Row numbers; ids, int64, shape (n_rows, n_tokens); mask, bool, True where there is a token.
    """
    order = sorted(range(len(tokens)), key=lambda row: len(tokens[row]))
    start = 0
    while start < len(order):
        end = start + 1
        while end < len(order) and len(tokens[order[end]]) * (end + 1 - start) <= BATCH_TOKENS:
            end += 1
        rows = order[start:end]
        width = len(tokens[rows[-1]])
        ids = np.zeros((len(rows), width), dtype=np.int64)
        mask = np.zeros((len(rows), width), dtype=np.bool_)
        for position, row in enumerate(rows):
            ids[position, : len(tokens[row])] = tokens[row]
            mask[position, : len(tokens[row])] = True
        yield rows, ids, mask
        start = end


@cache
def load(changes: Path | None = None) -> Encoder:
    """The shipped encoder, read once a process (about 0.2 s).

    Args:
        changes: Low-rank changes to it (see ``adapters``).

    Raises:
        ModelError: A weights file is missing or damaged.
    """
    from pipeline.encoder import adapters
    from pipeline.encoder.network import Network

    if changes is not None:
        base = load()
        fingerprint, thin = adapters.read(changes)
        return Encoder(fingerprint, base.tokenizer, adapters.merge(base.network, thin))
    try:
        with np.load(WEIGHTS, allow_pickle=False) as arrays:
            tensors = {name: arrays[name] for name in arrays.files}
    except (OSError, ValueError) as error:
        raise ModelError(
            f"the sentence encoder's weights at {WEIGHTS} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error
    pieces = bytes(tensors.pop("vocabulary")).decode("utf-8").split("\n")
    fingerprint = bytes(tensors.pop("fingerprint")).decode("ascii")
    return Encoder(fingerprint, WordPiece(pieces), Network.from_int8(tensors))
