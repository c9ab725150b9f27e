"""Turns the closeness of a match into its strength: how unlikely is such a match by chance?

A closeness means little by itself: in a call of 2,000 words something is always near. What counts is how
many matches as close are expected by chance in the same amount of ordinary talk (an E-value, as in sequence
search: Altschul et al. 1990). The rates are measured in the shipped sample of ordinary talk.
"""

from __future__ import annotations

import math
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from pipeline.matching import ordinary, slots
from pipeline.matching.wording import (
    FUZZY_COVERAGE,
    LEAST_COVERAGE,
    MOST_GAP,
    SAME,
    Phrase,
    Wording,
    alike,
    read,
)
from pipeline.text.words import words

SURE = 0.01
"""Expected chance matches in what was searched, below which a match counts: 1 false yes in 100 calls."""
DECADE = 0.25
"""Strength added for each factor of ten: 0.25 at 10 x ``SURE``, 0.5 at ``SURE``, 1 at a hundredth of it."""
MOST = 0.99
WORDS_A_CALL = 600  # what one side says in a call of eight minutes
WORDS_A_SECOND = 2.5  # 150 words a minute
FILLED_IN = 50_000  # words of the sample in which filled slots are counted


def strength(expected: float) -> float:
    """Strength, 0..0.99, of a match as close as ``expected`` chance matches; 0.5 at ``SURE``."""
    return min(MOST, max(0.0, 0.5 + DECADE * math.log10(SURE / max(expected, 1e-12))))


def in_words(expected: float) -> str:
    """The number of expected chance matches as a phrase for people."""
    if expected >= 1:
        return "as near as ordinary talk comes in every call"
    times = 1 / max(expected, 1e-6)
    rounded = int(float(f"{times:.1g}"))
    return f"ordinary talk comes as near in 1 of {rounded:,} calls of this length"


def of_wording(phrase: Phrase, coverage: float) -> float:
    """Rate of chance matches by words: places with this coverage per word of ordinary talk."""
    return (places(phrase, coverage) + 1) / ordinary.load().sample_words


def places(phrase: Phrase, coverage: float) -> int:
    """In how many places of the sample at least this share of a phrase is said."""
    found = _coverages(phrase)
    return len(found) - int(np.searchsorted(found, coverage - 1e-3))


@lru_cache(maxsize=2048)
def _coverages(phrase: Phrase) -> NDArray[np.float32]:
    """Coverage of every place in the sample that holds most of a phrase: float32, shape (n,), ascending."""
    talk = ordinary.load()
    weights = np.zeros(len(talk.vocabulary) + 1, np.float32)  # the last is of the mark between turns
    for at in phrase.plain:
        for row, likeness in _likes(phrase.words[at], at in phrase.names):
            weights[row] = max(weights[row], phrase.weights[at] * likeness)
    size = len(phrase.words) + MOST_GAP + 1
    total = np.concatenate([[0.0], np.cumsum(weights[talk.sample], dtype=np.float64)])
    near = np.flatnonzero(total[size:] - total[:-size] >= LEAST_COVERAGE * phrase.total - 1e-6)
    if not len(near):
        return np.zeros(0, np.float32)
    finder = Wording(free=True)
    finder.learn([phrase])
    coverages = [
        found.coverage
        for group in np.split(near, np.flatnonzero(np.diff(near) > size) + 1)
        for text in talk.texts(max(0, int(group[0]) - 2), int(group[-1]) + size + 2)
        for found in finder.find([phrase.text], text).values()
        if not found.denied
    ]
    return np.sort(np.array(coverages, np.float32))


@lru_cache(maxsize=8192)
def _likes(word: str, is_name: bool) -> tuple[tuple[int, float], ...]:
    """Rows of the vocabulary that count as a word of a phrase, and how much (``alike``)."""
    talk = ordinary.load()
    letters = process.cdist([word], talk.vocabulary, scorer=fuzz.ratio, score_cutoff=45)[0]
    rows = set(np.flatnonzero(letters).tolist())
    if word in SAME:
        rows |= {row for row, other in enumerate(talk.vocabulary) if SAME.get(other) == SAME[word]}
    compared = ((row, alike(word, talk.vocabulary[row], is_name=is_name, free=True)) for row in sorted(rows))
    return tuple((row, likeness) for row, likeness in compared if likeness)


def of_meaning(n_phrases: int, cosine: float) -> float:
    """Rate of chance matches by meaning: stretches per word of ordinary talk this near any of some phrases.

    The rate is an average over many phrases. Rates of the very phrases would say little, since the sample is
    of meetings, which do not speak of what calls are about; using them too made more answers wrong.
    """
    talk = ordinary.load()
    return n_phrases * 10 ** float(np.interp(cosine, talk.tail_cosines, talk.tail_rates))


def chance_in_call(phrase: str, method: str, seconds: float | None = None) -> float:
    """Probability, 0..1, that ordinary talk of the length of a call holds the words of a phrase.

    Matches in other words need not be considered: they count only where at most one ordinary call in a
    hundred comes as near (``SURE``).

    Args:
        phrase: A phrase of a rubric.
        method: ``exact``, ``fuzzy``, ``lemma`` or ``meaning``.
        seconds: Length of the window that is searched; None for the whole call.
    """
    if not words(phrase.replace("{", "").replace("}", "")).words:
        return 0.0
    searched = WORDS_A_CALL if seconds is None else min(WORDS_A_CALL, WORDS_A_SECOND * seconds)
    if slots.SLOT.fullmatch(phrase.strip()):
        return 1 - math.exp(-searched * _filled(phrase.strip()[1:-1]))
    enough = FUZZY_COVERAGE if method == "fuzzy" else 1.0
    found = places(read(phrase, free=method == "meaning"), enough)
    return 1 - math.exp(-searched * found / ordinary.load().sample_words)


@cache
def _filled(slot: str) -> float:
    """Share of the words of ordinary talk that fill a slot."""
    talk = list(ordinary.load().texts(0, FILLED_IN))
    return sum(len(slots.places(slot, said)) for said in talk) / sum(len(words(said).words) for said in talk)
