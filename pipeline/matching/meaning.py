"""Finds phrases said in other words, by the cosine similarity of sentence vectors.

A text is embedded once, in overlapping passages that end with their sentence. From the token vectors of a
passage, a vector is made for every stretch (a run of 4 to 18 words): the mean over its words, each seen in
the context of the passage. A stretch counts as nearer where the content words of a phrase, or words like
them, are said in it or beside it: sentence vectors hardly tell "your account number" from "your telephone
number". The encoder (three layers, ``training/train_matcher.py``) is trained to place a
stretch near the phrases that do the same act, not near those that share its words.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipeline import encoder
from pipeline.matching import ordinary, slots
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
CONTENT_WORTH, USUAL_SHARE = 0.15, 0.35
"""Closeness that a stretch with all content words of a phrase gains over one with none, and the share at
which it neither gains nor loses. Chosen on 52 real calls that two readers answered (``bench.answers``,
customer service and bank: wrong yes 33 -> 18, right yes 92 -> 93) and on the development paraphrases, which
avoid the words of their phrases (F1 0.89)."""
BESIDE_STRETCH = 4
"""Words on each side of a stretch in which content words are looked for."""
SAME_WORD = 0.85
"""Cosine of two words' vectors up to which they are as unlike as any; most words have 0.6 to 0.8."""
COURTESY = frozenset({"please"})
"""Words that are rare in meetings but tell nothing about what is asked."""
MAX_CACHED_WORDS = 8192
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
        closeness: Cosine similarity, reduced where another common phrase is nearer (``_beside_rivals``) and
            changed by how much of a phrase's content words is said (``CONTENT_WORTH``).
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
class Content:
    """The content words and slots of all phrases of a query, one after the other.

    Attributes:
        vectors: Of the words, float32, shape (n, 384); zeros for a slot.
        slots: Kind of slot by its row.
        shares: Of each word or slot in the weight of its phrase; a slot weighs as much as a rare word.
        starts: First row of each phrase.
    """

    vectors: Array
    slots: dict[int, str]
    shares: Array
    starts: NDArray[np.intp]

    def likeness(self, text: str, said: Array) -> Array:
        """How like each word of a text, with vectors ``said``, is to each of these, 0..1, (n, n_words)."""
        found: Array = np.clip(self.vectors @ said.T - SAME_WORD, 0.0, None) / (1 - SAME_WORD)
        for row, kind in self.slots.items():
            found[row, list(slots.places(kind, text))] = 1.0
        return found

    def most_said(self, likeness: Array) -> float:
        """The largest share of a phrase that is said in some words, from the likeness to those words."""
        if not len(self.shares) or not likeness.shape[1]:
            return USUAL_SHARE
        return float(np.add.reduceat(likeness.max(axis=1) * self.shares, self.starts).max())


def _content(texts: Sequence[str]) -> Content:
    """The content of a query's phrases."""
    weight = ordinary.load().weight
    rows: list[str] = []
    shares: list[float] = []
    starts: list[int] = []
    for text in texts:
        plain = words(SLOT.sub(" ", text)).words
        said = [word for word in plain if weight(word) >= ordinary.CONTENT and word not in COURTESY]
        kinds = [kind for kind in SLOT.findall(text) if kind in slots.MARKED]
        weights = [*map(weight, said), *(ordinary.RARE for _ in kinds)]
        if weights:
            starts.append(len(rows))
            rows += said + [f"{{{kind}}}" for kind in kinds]
            shares += [one / sum(weights) for one in weights]
    kind_of = {row: text[1:-1] for row, text in enumerate(rows) if text[0] == "{"}
    vectors = word_vectors(["" if row in kind_of else word for row, word in enumerate(rows)])
    return Content(vectors, kind_of, np.array(shares, np.float32), np.array(starts, np.intp))


@dataclass(frozen=True)
class QueryVectors:
    """What the stretches of a text are compared with for one query.

    Attributes:
        vectors: The query's phrases: float32, shape (n_phrases, 384).
        rivals: Common phrases of other acts: float32, shape (n, 384).
        content: The content words of the query's phrases.
    """

    vectors: Array
    rivals: Array
    content: Content


def query_vectors(texts: Sequence[str]) -> QueryVectors:
    """Embed a query's phrases; common phrases that do the same act as one of them are not its rivals."""
    talk, vectors = ordinary.load(), phrases(texts)
    alike = (talk.rivals @ vectors.T).max(axis=1) >= ALIKE
    same_act = np.isin(talk.rival_groups, talk.rival_groups[alike])
    return QueryVectors(vectors, talk.rivals[~same_act], _content(texts))


_word_vectors: dict[str, Array] = {}
"""Vectors of single words, by word."""


def word_vectors(said: Sequence[str]) -> Array:
    """Vectors of single words without their context, zeros for ""; float32, shape (n, 384)."""
    if len(_word_vectors) > MAX_CACHED_WORDS:
        _word_vectors.clear()
    missing = [word for word in dict.fromkeys(said) if word and word not in _word_vectors]
    if missing:
        _word_vectors.update(zip(missing, encoder.load(ENCODER).embed(missing), strict=True))
    zero = encoder.ZERO[0]
    return np.array([_word_vectors.get(word, zero) for word in said], np.float32).reshape(-1, len(zero))


def nearest(texts: Sequence[str], asked: Sequence[QueryVectors]) -> list[list[Near | None]]:
    """Where each text comes nearest to each query.

    Returns:
        For each text a list with an item for each query; None where no stretch is worth comparing.
    """
    found: list[list[Near | None]] = [[None] * len(asked) for _ in texts]

    @cache
    def vectors_of(at: int) -> Array:
        return word_vectors(words(texts[at]).words)

    @cache
    def likeness(at: int, query: int) -> Array:
        return asked[query].content.likeness(texts[at], vectors_of(at))

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
                if best is not None and closeness + CONTENT_WORTH * (1 - USUAL_SHARE) <= best.closeness:
                    continue
                if closeness >= WORTH_COMPARING:
                    rows = np.argsort(-by_query[:, query])[:CANDIDATES]
                    compared = _beside_rivals(by_query[rows, query], vectors[rows], one)
                    compared += _content_said(likeness(at, query), bounds[rows] + start, one.content)
                    row, closeness = int(rows[compared.argmax()]), float(compared.max())
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


def _beside_rivals(to_query: Array, vectors: Array, one: QueryVectors) -> Array:
    """Closeness of some stretches, which is less where a rival is nearer or within ``MARGIN``."""
    if not len(one.rivals):
        return to_query.copy()
    to_rival = (vectors @ one.rivals.T).max(axis=1)
    closeness: Array = to_query - np.maximum(0.0, to_rival - to_query + MARGIN)
    return closeness


def _content_said(likeness: Array, bounds: NDArray[np.intp], content: Content) -> Array:
    """Closeness that stretches gain by the content words said in or beside them, or lose."""
    room = BESIDE_STRETCH
    most = [content.most_said(likeness[:, max(0, low - room) : high + room]) for low, high in bounds.tolist()]
    return np.array([CONTENT_WORTH * (one - USUAL_SHARE) for one in most], np.float32)


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
