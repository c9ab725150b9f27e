"""Ordinary talk: how rare each word is in it, and how often a match would be found there by chance.

The sample is spontaneous speech from the AMI and ICSI meeting corpora (CC BY 4.0, see
``weights/NOTICE``); ``training/ordinary_talk.py`` makes it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights" / "ordinary.npz"
NAMES = WEIGHTS.parent / "names.txt"
SUFFIXES = ("ings", "ing", "ies", "ied", "ed", "es", "s", "d")
RARE, COMMON = 1.5, 0.3
"""Weights of a word never heard in ordinary talk, and of the commonest ("you")."""
CONTENT = 0.6
"""Weight from which a word carries meaning of its own: "help", "debt", a name; not "can" or "this"."""


@lru_cache(maxsize=65_536)
def stem(word: str) -> str:
    """A word without its inflection: "calls", "called" and "calling" are one."""
    if len(word) < 4 or not word.isascii() or word[0].isdigit():
        return word
    for suffix in SUFFIXES:
        if word.endswith(suffix) and len(word) - len(suffix) >= 3:
            return (
                word[: -len(suffix)] + "y" if suffix in ("ies", "ied") else word[: -len(suffix)].rstrip("e")
            )
    return word.rstrip("e")


@cache
def names() -> frozenset[str]:
    """First names that are no words of ordinary talk (``weights/NOTICE``)."""
    return frozenset(NAMES.read_text("utf-8").split())


@dataclass(frozen=True)
class OrdinaryTalk:
    """The sample.

    Attributes:
        vocabulary: Every word of the corpus in lower case.
        counts: How often each was said, of ``n_words``.
        sample: Words of the sample as rows of ``vocabulary``, int32; turns are parted by -1.
        dictionary: Words of the language, names among them.
        rivals: Vectors of phrases that are commonly said to customers, float32, shape (n, 384).
        rival_groups: Which of them do the same act, shape (n,).
        tail_cosines: Cosines, ascending, for which ``tail_rates`` says how many stretches a word lie as near
            a phrase on average over many phrases, as log10.
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
        """Words of the language: said at least twice, or in the dictionary."""
        said = (w for w, n in zip(self.vocabulary, self.counts.tolist(), strict=True) if n > 1)
        return frozenset((*said, *self.dictionary))

    @cached_property
    def known(self) -> frozenset[str]:
        """Words of the language but first names: a recogniser seldom writes one of these for another."""
        return self.language - names()

    @cached_property
    def _stems(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for word, count in zip(self.vocabulary, self.counts.tolist(), strict=True):
            found[stem(word)] = found.get(stem(word), 0) + count
        return found

    @cached_property
    def row(self) -> dict[str, int]:
        """Row of each word in the vocabulary."""
        return {word: row for row, word in enumerate(self.vocabulary)}

    @cached_property
    def sample_words(self) -> int:
        """Words of the sample."""
        return int((self.sample >= 0).sum())

    def texts(self, first: int, last: int) -> Iterator[str]:
        """What is said in a part of the sample, by turn."""
        rows = self.sample[first:last]
        for turn in np.split(rows, np.flatnonzero(rows < 0)):
            said = " ".join(self.vocabulary[row] for row in turn.tolist() if row >= 0)
            if said:
                yield said

    @cached_property
    def n_words(self) -> int:
        """Words of the whole corpus."""
        return int(self.counts.sum())

    def weight(self, word: str) -> float:
        """How much a word tells, from its rarity in ordinary talk: 0.3 ("you") to about 1.5 (never said)."""
        count = self._stems.get(stem(word), 0)
        return min(RARE, max(COMMON, (math.log(self.n_words / (count + 3)) - 3.5) / 6))


@cache
def load() -> OrdinaryTalk:
    """The shipped sample, read once a process.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(WEIGHTS, allow_pickle=False) as kept:
            arrays = {name: kept[name] for name in kept.files}
        return OrdinaryTalk(
            tuple(bytes(arrays["vocabulary"]).decode("utf-8").split("\n")),
            arrays["counts"].astype(np.int64),
            arrays["sample"].astype(np.int32) - 1,
            tuple(bytes(arrays["dictionary"]).decode("utf-8").split("\n")),
            arrays["rivals"] * arrays["rival_scale"][:, None].astype(np.float32),
            arrays["rival_groups"],
            arrays["tail_cosines"].astype(np.float32),
            arrays["tail_rates"].astype(np.float32),
        )
    except (OSError, ValueError, KeyError) as error:
        raise ModelError(
            f"the sample of ordinary talk at {WEIGHTS} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error
