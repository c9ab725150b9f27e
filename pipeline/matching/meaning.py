"""Phrases said in other words: stretches of speech as sentence vectors, near a phrase or not.

A turn is read once, in passages; the vector of every stretch in it is the mean over its words, each word
read within the speech around it. The encoder (three layers, ``training/train_matcher.py``) brings a
stretch near the phrases whose act it does, not those whose words it shares.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.matching import ordinary
from pipeline.matching.slots import SLOT
from pipeline.text.words import words

ENCODER = Path(__file__).parent / "weights" / "encoder.npz"
LENGTHS = (4, 6, 8, 11, 14, 18)
"""Words a stretch has; each is taken every half of its length."""
PASSAGE, STEP = 24, 16
"""Words read together, and from the start of one passage to the next."""
ALIKE = 0.6
"""Cosine from which a common phrase does what a query asks, and all phrases of its act with it."""
MARGIN = 0.03
"""How much nearer a stretch must lie to the query than to anything else commonly said; chosen on the
operator calls."""
TELLING = 0.55
"""Weight of a word without which a stretch says nothing by itself: "on now is it" is near a question whether
it works now, "a look for you what's the" near one for an account number; read on the operator calls."""
CANDIDATES, WORTH_COMPARING = 4, 0.45
BATCH = 64  # passages at once: a few thousand stretches
STAND_INS = {
    "name": "john",
    "amount": "20 dollars",
    "date": "monday",
    "number": "5",
    "company": "the company",
}
"""What the encoder reads in the place of a slot."""
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Near:
    """Where a text comes nearest to a query: closeness, phrase number, first word and the one after the last.

    Closeness is the cosine, less by how much something else that is commonly said lies nearer.
    """

    closeness: float
    phrase: int
    first: int
    last: int


@lru_cache(maxsize=64)
def spans(count: int) -> NDArray[np.intp]:
    """Bounds of the stretches of so many words, shape (n, 2)."""
    found = {(start, min(start + n, count)) for n in LENGTHS for start in range(0, count, max(1, n // 2))}
    return np.array(sorted((a, b) for a, b in found if b - a >= min(count, LENGTHS[0])), np.intp)


def phrases(texts: Sequence[str]) -> Array:
    """Vectors of a rubric's phrases; float32, shape (n, 384)."""
    plain = [SLOT.sub(lambda slot: STAND_INS.get(slot[1], slot[1]), text) for text in texts]
    return encoder.load(ENCODER).embed([" ".join(words(text).words) for text in plain])


def passages(said: Sequence[str]) -> Iterator[tuple[int, Sequence[str]]]:
    """The passages of a text: number of the first word, and the words."""
    for start in range(0, max(1, len(said) - (PASSAGE - STEP)), STEP):
        yield start, said[start : start + PASSAGE]


def stretches(read: Sequence[Sequence[str]]) -> Iterator[tuple[int, NDArray[np.intp], Array]]:
    """The stretches of passages: passage number, bounds of each stretch, vectors of length 1."""
    for number, sums in enumerate(encoder.load(ENCODER).by_word(read)):
        bounds = spans(len(sums))
        if len(bounds):
            yield number, bounds, stretch_vectors(sums, bounds)


def stretch_vectors(sums: Array, bounds: NDArray[np.intp]) -> Array:
    """Of the sums over each word of a text, vectors of its stretches: float32, (n, 384), each of length 1."""
    before = np.concatenate([encoder.ZERO, np.cumsum(sums, axis=0)])
    vectors: Array = before[bounds[:, 1]] - before[bounds[:, 0]]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors


@dataclass(frozen=True)
class Wanted:
    """A query's phrases, ready to compare.

    Attributes:
        vectors: float32, shape (n_phrases, 384).
        others: Vectors of what else is commonly said to customers, float32, shape (n, 384).
    """

    vectors: Array
    others: Array


def wanted(texts: Sequence[str]) -> Wanted:
    """Read a query's phrases; what does the same act as one of them is no rival."""
    talk, vectors = ordinary.load(), phrases(texts)
    alike = (talk.rivals @ vectors.T).max(axis=1) >= ALIKE
    others = talk.rivals[~np.isin(talk.rival_groups, talk.rival_groups[alike])]
    return Wanted(vectors, others if len(others) else talk.rivals[:0])


def nearest(texts: Sequence[str], asked: Sequence[Wanted]) -> list[list[Near | None]]:
    """Where each text comes nearest to each query.

    Returns:
        By text, then by query; None where a text has no words that tell something.
    """
    found: list[list[Near | None]] = [[None] * len(asked) for _ in texts]
    if not asked:
        return found
    every = np.concatenate([one.vectors for one in asked])
    starts = np.cumsum([0, *(len(one.vectors) for one in asked)])[:-1]
    parts = [
        (at, start, part)
        for at, text in enumerate(texts)
        for start, part in passages(words(text).words)
        if part
    ]
    for low in range(0, len(parts), BATCH):
        batch = parts[low : low + BATCH]
        for number, bounds, vectors in stretches([part for _, _, part in batch]):
            at, start, part = batch[number]
            tell = _tell(part, bounds)
            if not tell.any():
                continue
            bounds, vectors = bounds[tell], vectors[tell]
            cosines = vectors @ every.T
            best = np.maximum.reduceat(cosines, starts, axis=1)
            nearest_rows = best.argmax(axis=0)
            for query, one in enumerate(asked):
                row = int(nearest_rows[query])
                closeness = float(best[row, query])
                have = found[at][query]
                if have is not None and closeness <= have.closeness:
                    continue
                if closeness >= WORTH_COMPARING and len(one.others):
                    row, closeness = _beside_rivals(best[:, query], vectors, one)
                if have is None or closeness > have.closeness:
                    own = cosines[row, starts[query] : starts[query] + len(one.vectors)]
                    first, last = (bounds[row] + start).tolist()
                    found[at][query] = Near(round(closeness, 4), int(own.argmax()), first, last)
    return found


def _tell(said: Sequence[str], bounds: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which stretches hold a word that tells something."""
    talk = ordinary.load()
    count = np.cumsum([0, *(talk.weight(word) >= TELLING for word in said)])
    tell: NDArray[np.bool_] = count[bounds[:, 1]] > count[bounds[:, 0]]
    return tell


def _beside_rivals(cosines: Array, vectors: Array, one: Wanted) -> tuple[int, float]:
    """The stretch nearest to a query when what lies nearer to something else is set back."""
    rows = (
        np.argpartition(-cosines, CANDIDATES - 1)[:CANDIDATES]
        if len(cosines) > CANDIDATES
        else np.arange(len(cosines))
    )
    own = cosines[rows]
    rival = (vectors[rows] @ one.others.T).max(axis=1)
    closeness = own - np.maximum(0.0, rival - own + MARGIN)
    best = int(closeness.argmax())
    return int(rows[best]), float(closeness[best])


def around(text: str, first: int, last: int, before: int, after: int) -> str:
    """A stretch up to before its word ``last``, with so many words around it of the same sentence."""
    said = words(text)
    low, high = max(0, first - before), min(len(said.words), last + after)
    for at in range(low, first):
        if said.parted(text, at, at + 1):
            low = at + 1
    for at in range(last, high):
        if said.parted(text, at - 1, at):
            high = at
            break
    return text[said.starts[low] : said.ends[high - 1]]
