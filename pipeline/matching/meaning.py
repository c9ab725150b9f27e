"""Finds phrases said in other words, by the cosine similarity of sentence vectors.

A text is embedded once, in overlapping passages that end with their sentence. From the token vectors of a
passage, a vector is made for every stretch (a run of 4 to 18 words): the mean over its words, each seen in
the context of the passage. The encoder (three layers, ``training/train_matcher.py``) is trained to place a
stretch near the phrases that do the same act, not near those that share its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.matching import ordinary
from pipeline.matching.slots import SLOT
from pipeline.text.words import words

ENCODER = Path(__file__).parent / "weights" / "encoder.npz"
LENGTHS = (4, 6, 8, 11, 14, 18)
"""Numbers of words that a stretch may have; stretches of one length overlap by half."""
PASSAGE, STEP = 24, 16
"""Words of a passage, and words from the start of one passage to the start of the next."""
ALIKE = 0.6
"""Cosine from which a common phrase counts as doing what a query asks; so then do all phrases of its act."""
MARGIN = 0.03
"""How much nearer a stretch must be to the query than to any other common phrase; chosen on the operator
calls."""
TELLING = 0.55
"""A stretch is compared only if a word of it weighs this much: "on now is it" is near the question whether
it works now, "a look for you what's the" near one for an account number; seen on the operator calls."""
CANDIDATES, WORTH_COMPARING = 4, 0.45
"""Stretches of a passage that are compared with other common phrases, and the cosine from which they are."""
BATCH = 64  # passages embedded at once: a few thousand stretches
STAND_INS = {
    "name": "john",
    "amount": "20 dollars",
    "date": "monday",
    "number": "5",
    "company": "the company",
}
"""What replaces a slot before a phrase is embedded."""
Array = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Near:
    """Where a text comes nearest to a query.

    Attributes:
        closeness: Cosine similarity, reduced where another common phrase is nearer (``_beside_rivals``).
        phrase: Number of the query's nearest phrase.
        first: Number of the stretch's first word in the text; ``last`` is the one after its last.
    """

    closeness: float
    phrase: int
    first: int
    last: int


@lru_cache(maxsize=64)
def spans(count: int) -> NDArray[np.intp]:
    """Bounds of the stretches of ``count`` words, shape (n, 2): first word, and the one after the last."""
    found = {(start, min(start + n, count)) for n in LENGTHS for start in range(0, count, n // 2)}
    return np.array(sorted((a, b) for a, b in found if b - a >= min(count, LENGTHS[0])), np.intp)


def phrases(texts: Sequence[str]) -> Array:
    """Vectors of a rubric's phrases; float32, shape (n, 384)."""
    plain = [SLOT.sub(lambda slot: STAND_INS.get(slot[1], slot[1]), text) for text in texts]
    return encoder.load(ENCODER).embed([" ".join(words(text).words) for text in plain])


def passages(text: str) -> Iterator[tuple[int, Sequence[str]]]:
    """The passages of a text: the number of the first word, and the words.

    They do not cross the end of a sentence, since the words of the next one change the vectors of this one.
    """
    said = words(text)
    count = len(said.words)
    ends = [at for at in range(1, count) if said.parted(text, at - 1, at)]
    for first, last in pairwise([0, *ends, count]):
        for start in range(first, max(first + 1, last - (PASSAGE - STEP)), STEP):
            yield start, said.words[start : min(last, start + PASSAGE)]


def stretches(parts: Sequence[Sequence[str]]) -> Iterator[tuple[int, NDArray[np.intp], Array]]:
    """For each passage that has stretches: its number, their bounds (n, 2) and their vectors (n, 384)."""
    for number, sums in enumerate(encoder.load(ENCODER).by_word(parts)):
        bounds = spans(len(sums))
        if len(bounds):
            yield number, bounds, stretch_vectors(sums, bounds)


def stretch_vectors(sums: Array, bounds: NDArray[np.intp]) -> Array:
    """Vectors of stretches, (n, 384), each of length 1, from token vectors summed by word, (n_words, 384)."""
    before = np.concatenate([encoder.ZERO, np.cumsum(sums, axis=0)])
    vectors: Array = before[bounds[:, 1]] - before[bounds[:, 0]]
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)
    return vectors


@dataclass(frozen=True)
class QueryVectors:
    """What the stretches of a text are compared with for one query.

    Attributes:
        vectors: The query's phrases: float32, shape (n_phrases, 384).
        rivals: Common phrases of other acts: float32, shape (n, 384).
    """

    vectors: Array
    rivals: Array


def query_vectors(texts: Sequence[str]) -> QueryVectors:
    """Embed a query's phrases; common phrases that do the same act as one of them are not its rivals."""
    talk, vectors = ordinary.load(), phrases(texts)
    alike = (talk.rivals @ vectors.T).max(axis=1) >= ALIKE
    same_act = np.isin(talk.rival_groups, talk.rival_groups[alike])
    return QueryVectors(vectors, talk.rivals[~same_act])


def nearest(texts: Sequence[str], asked: Sequence[QueryVectors]) -> list[list[Near | None]]:
    """Where each text comes nearest to each query.

    Returns:
        For each text a list with an item for each query; None where no stretch is worth comparing.
    """
    found: list[list[Near | None]] = [[None] * len(asked) for _ in texts]
    all_vectors = np.concatenate([one.vectors for one in asked])
    starts = np.cumsum([0, *(len(one.vectors) for one in asked)])[:-1]
    parts = [(at, start, part) for at, text in enumerate(texts) for start, part in passages(text) if part]
    for low in range(0, len(parts), BATCH):
        batch = parts[low : low + BATCH]
        for number, bounds, vectors in stretches([part for _, _, part in batch]):
            at, start, part = batch[number]
            telling = _telling(part, bounds)
            if not telling.any():
                continue
            bounds, vectors = bounds[telling], vectors[telling]
            cosines = vectors @ all_vectors.T
            by_query = np.maximum.reduceat(cosines, starts, axis=1)  # of each stretch to each query
            nearest_rows = by_query.argmax(axis=0)
            for query, one in enumerate(asked):
                row = int(nearest_rows[query])
                closeness = float(by_query[row, query])
                best = found[at][query]
                if best is not None and closeness <= best.closeness:
                    continue
                if closeness >= WORTH_COMPARING and len(one.rivals):
                    row, closeness = _beside_rivals(by_query[:, query], vectors, one)
                if best is None or closeness > best.closeness:
                    by_phrase = cosines[row, starts[query] : starts[query] + len(one.vectors)]
                    first, last = (bounds[row] + start).tolist()
                    found[at][query] = Near(round(closeness, 4), int(by_phrase.argmax()), first, last)
    return found


def _telling(said: Sequence[str], bounds: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Which stretches hold a word of the weight ``TELLING``."""
    talk = ordinary.load()
    count = np.cumsum([0, *(talk.weight(word) >= TELLING for word in said)])
    telling: NDArray[np.bool_] = count[bounds[:, 1]] > count[bounds[:, 0]]
    return telling


def _beside_rivals(cosines: Array, vectors: Array, one: QueryVectors) -> tuple[int, float]:
    """The nearest stretch and its closeness, which is less where a rival is nearer or within ``MARGIN``."""
    rows = np.argsort(-cosines)[:CANDIDATES]
    to_query = cosines[rows]
    to_rival = (vectors[rows] @ one.rivals.T).max(axis=1)
    closeness = to_query - np.maximum(0.0, to_rival - to_query + MARGIN)
    best = int(closeness.argmax())
    return int(rows[best]), float(closeness[best])


def beside(text: str, first: int, last: int, before: int, after: int) -> tuple[int, str]:
    """The words ``first`` to before ``last`` of a text, with words before and after in the same sentence.

    Returns:
        The number of the first of all these words, and the text from there to the last of them.
    """
    said = words(text)
    low, high = max(0, first - before), min(len(said.words), last + after)
    for at in range(low, first):
        if said.parted(text, at, at + 1):
            low = at + 1
    for at in range(last, high):
        if said.parted(text, at - 1, at):
            high = at
            break
    return low, text[said.starts[low] : said.ends[high - 1]]
