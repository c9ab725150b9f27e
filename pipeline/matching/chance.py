"""Strength as evidence against chance: how often ordinary talk comes as near as what was found.

A closeness means little by itself: in a call of 2,000 words something always lies near. What counts is how
many stretches as near would be expected by chance in as much ordinary talk as was searched (an E-value, as
in sequence search: Altschul et al. 1990). Rates are measured in the shipped sample of ordinary talk.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from pipeline.matching import ordinary
from pipeline.matching.wording import (
    LEAST_CONTENT,
    LEAST_COVERAGE,
    MOST_GAP,
    SAME,
    Phrase,
    Wording,
    alike,
)

SURE = 0.01
"""Stretches expected by chance in what was searched, below which a match counts: 1 false yes in 100 calls."""
DECADE = 0.25
"""What ten times rarer adds to the strength: 0.5 at ``SURE``, 0.25 at ten times as many, 1 at a hundredth."""
MOST = 0.99


def strength(expected: float) -> float:
    """Expected chance matches as strength 0..0.99; 0.5 at ``SURE``."""
    return min(MOST, max(0.0, 0.5 + DECADE * math.log10(SURE / max(expected, 1e-12))))


def told(expected: float) -> str:
    """Expected chance matches in words."""
    if expected >= 1:
        return "as near as ordinary talk comes in every call"
    times = 1 / max(expected, 1e-6)
    rounded = int(float(f"{times:.1g}"))
    return f"ordinary talk comes as near in 1 of {rounded:,} calls of this length"


def of_wording(phrase: Phrase, coverage: float) -> float:
    """How many stretches a word of ordinary talk hold as much of a phrase, its words in order."""
    return (places(phrase, coverage) + 1) / ordinary.load().sample_words


def places(phrase: Phrase, coverage: float) -> int:
    """In how many places of the sample so much of a phrase is said, its words in order."""
    found = _coverages(phrase)
    return len(found) - int(np.searchsorted(found, coverage - 1e-3))


@lru_cache(maxsize=2048)
def _coverages(phrase: Phrase) -> NDArray[np.float32]:
    """Every place in the sample that holds most of a phrase, by how much, ascending."""
    talk = ordinary.load()
    weights = np.zeros(
        (2, len(talk.vocabulary) + 1), np.float32
    )  # of all, of content; the last: between turns
    for at, word in enumerate(phrase.words):
        for row, likeness in _likes(word, at in phrase.names):
            weight = phrase.weights[at] * likeness
            weights[0, row] = max(weights[0, row], weight)
            weights[1, row] = max(weights[1, row], weight * (at in phrase.content))
    size = len(phrase.words) + MOST_GAP + 1
    content = sum(phrase.weights[at] for at in phrase.content)
    enough = np.ones(len(talk.sample) - size + 1, bool)
    for kind, least in enumerate((LEAST_COVERAGE * phrase.total, LEAST_CONTENT * content)):
        total = np.concatenate([[0.0], np.cumsum(weights[kind][talk.sample], dtype=np.float64)])
        enough &= total[size:] - total[:-size] >= least - 1e-6
    near = np.flatnonzero(enough)
    if not len(near):
        return np.zeros(0, np.float32)
    finder = Wording([phrase], free=True)
    coverages = [
        found.coverage
        for group in np.split(near, np.flatnonzero(np.diff(near) > size) + 1)
        for text in talk.texts(max(0, int(group[0]) - 2), int(group[-1]) + size + 2)
        for found in finder.find(text).values()
        if not found.denied
    ]
    return np.sort(np.array(coverages, np.float32))


@lru_cache(maxsize=8192)
def _likes(word: str, is_name: bool) -> tuple[tuple[int, float], ...]:
    """Rows of the vocabulary that count as a word, and how much."""
    talk = ordinary.load()
    if word.startswith("{"):
        return ()
    letters = process.cdist([word], talk.vocabulary, scorer=fuzz.ratio, score_cutoff=45)[0]
    rows = set(np.flatnonzero(letters).tolist())
    rows |= {talk.row[w] for w in SAME if SAME.get(w) == SAME.get(word, "") and w in talk.row}
    compared = ((row, alike(word, talk.vocabulary[row], is_name=is_name, free=True)) for row in sorted(rows))
    return tuple((row, likeness) for row, likeness in compared if likeness)


def of_meaning(n_phrases: int, cosine: float) -> float:
    """How many stretches a word of ordinary talk lie as near any of some phrases in meaning.

    What is usual for a phrase, not what the sample shows for these: it is of meetings, and what they never
    speak of says nothing of calls (so measured: own rates beside it made more answers wrong, not fewer).

    Args:
        n_phrases: How many phrases there are.
        cosine: Of the nearest stretch.
    """
    talk = ordinary.load()
    return n_phrases * 10 ** float(np.interp(cosine, talk.tail_cosines, talk.tail_rates))
