"""A sample of ordinary talk, which tells how rare words are and how often phrases match by chance.

It is spontaneous speech from the AMI and ICSI meeting corpora (CC BY 4.0, see ``weights/NOTICE``);
``training/ordinary_talk.py`` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.encoder.network import read
from pipeline.text.first_names import first_names

WEIGHTS = Path(__file__).parent / "weights" / "ordinary.npz"
SUFFIXES = ("ings", "ing", "ies", "ied", "ed", "es", "s", "d")
RARE, COMMON = 1.5, 0.3
"""Weight of a word that ordinary talk never has, and of its commonest words ("you")."""
CONTENT = 0.6
"""Weight from which a word is a content word: "help", "debt" or a name, but not "can" or "this"."""


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its ending, so that "calls", "called" and "calling" are the same."""
    if len(word) < 4 or not word.isascii() or word[0].isdigit():
        return word
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            root = word[: -len(suffix)]
            return root + "y" if suffix in ("ies", "ied") else _without_e(root)
    return _without_e(word)


def _without_e(word: str) -> str:
    return word.rstrip("e") if len(word) > 3 else word  # "fees" and "fee", "uses" and "use"


@dataclass(frozen=True)
class OrdinaryTalk:
    """Word counts of the whole corpus, and the sample in which chance matches are counted.

    Attributes:
        vocabulary: Every word of the corpus in lower case.
        counts: How often each of them was said, shape (n_vocabulary,).
        sample: Words of the sample as rows of ``vocabulary``, int32, shape (n,); -1 separates turns.
        dictionary: Words of the language, including names.
        rivals: Vectors of phrases that are commonly said to customers, float32, shape (n, 384).
        rival_groups: Number of the act that each of them does, shape (n,).
        tail_cosines: Cosines, ascending.
        tail_rates: log10 of how many stretches per word lie at least as near a phrase, for each of
            ``tail_cosines``; averaged over many phrases.
    """

    vocabulary: tuple[str, ...]
    counts: NDArray[np.int64]
    sample: NDArray[np.int32]
    dictionary: tuple[str, ...]
    rivals: NDArray[np.float32]
    rival_groups: NDArray[np.int16]
    tail_cosines: NDArray[np.float32]
    tail_rates: NDArray[np.float32]

    @cached_property
    def language(self) -> frozenset[str]:
        """Words that were said at least twice or are in the dictionary."""
        said = (w for w, n in zip(self.vocabulary, self.counts.tolist(), strict=True) if n > 1)
        return frozenset((*said, *self.dictionary))

    @cached_property
    def known(self) -> frozenset[str]:
        """The language without first names: a recogniser seldom confuses these words with one another."""
        return self.language - first_names()

    @cached_property
    def _stems(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for word, count in zip(self.vocabulary, self.counts.tolist(), strict=True):
            found[stem(word)] = found.get(stem(word), 0) + count
        return found

    @cached_property
    def sample_words(self) -> int:
        """How many words the sample has."""
        return int((self.sample >= 0).sum())

    def texts(self, first: int, last: int) -> Iterator[str]:
        """The turns, or parts of turns, in rows ``first`` to before ``last`` of the sample."""
        rows = self.sample[first:last]
        for turn in np.split(rows, np.flatnonzero(rows < 0)):
            said = " ".join(self.vocabulary[row] for row in turn.tolist() if row >= 0)
            if said:
                yield said

    @cached_property
    def n_words(self) -> int:
        """How many words the whole corpus has."""
        return int(self.counts.sum())

    def weight(self, word: str) -> float:
        """Weight of a word by its rarity in ordinary talk, from 0.3 ("you") to 1.5 (never said)."""
        count = self._stems.get(stem(word), 0)
        return min(RARE, max(COMMON, (math.log(self.n_words / (count + 3)) - 3.5) / 6))


@cache
def load() -> OrdinaryTalk:
    """The shipped sample, read once a process.

    Raises:
        ModelError: The file is missing or damaged.
    """
    arrays = read(WEIGHTS)
    scale = arrays["rival_scale"].astype(np.float32)
    return OrdinaryTalk(
        tuple(bytes(arrays["vocabulary"]).decode("utf-8").split("\n")),
        arrays["counts"].astype(np.int64),
        arrays["sample"].astype(np.int32) - 1,
        tuple(bytes(arrays["dictionary"]).decode("utf-8").split("\n")),
        arrays["rivals"].astype(np.float32) * scale[:, None],
        arrays["rival_groups"].astype(np.int16),
        arrays["tail_cosines"].astype(np.float32),
        arrays["tail_rates"].astype(np.float32),
    )
