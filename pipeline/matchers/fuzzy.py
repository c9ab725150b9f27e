"""Words as said, or as a recogniser may have misheard them: exact, inflected, fuzzy and phonetic.

Needs no model. ``fuzzy`` compares stretches of about the phrase's length, letter by letter and
sound by sound, so "harper belly national bank" is still "Harper Valley National Bank".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate

from jellyfish import metaphone
from rapidfuzz import fuzz

from pipeline.matchers.text import Words, words
from pipeline.rubric.queries import Found, Query

CERTAIN, NOTHING = 100.0, 64.0
"""Similarity (rapidfuzz ratio, 0..100) that gives strength 1 and 0; the middle, 82, gives 0.5."""
SHORT = 12
SOUND_WORTH = 0.97
"""Sounding alike counts a little less than being spelt alike."""


@dataclass(frozen=True, slots=True)
class Near:
    """The stretch of a text nearest to a phrase; character offsets, similarity 0..100."""

    similarity: float
    start: int
    end: int


def strength(similarity: float) -> float:
    """Similarity as strength 0..1."""
    return min(1.0, max(0.0, (similarity - NOTHING) / (CERTAIN - NOTHING)))


def find_exact(query: Query, texts: Sequence[str]) -> list[Found]:
    """Every place where the words of a phrase stand in order."""
    found = []
    for phrase in query.phrases:
        wanted = words(phrase).words
        if not wanted:
            continue
        for at, text in enumerate(texts):
            have = words(text)
            for i in _places(wanted, have.words):
                end = have.ends[i + len(wanted) - 1]
                found.append(Found(at, have.starts[i], end, 1.0, f"exact: {phrase}"))
    return _disjoint(found)


def best_of(phrases: Sequence[str], text: str) -> tuple[Near, str] | None:
    """The phrase nearest to anything in a text, or None when nothing is near at all."""
    best: tuple[Near, str] | None = None
    for phrase in phrases:
        near = nearest(phrase, text)
        if near is not None and (best is None or near.similarity > best[0].similarity):
            best = near, phrase
    return best


@lru_cache(maxsize=16_384)
def nearest(phrase: str, text: str) -> Near | None:
    """The stretch of a text most like a phrase; None below ``NOTHING``."""
    wanted, have = words(phrase), words(text)
    if not wanted.words or not have.words:
        return None
    target, whole = wanted.joined, have.joined
    sound = sounds(wanted)
    if max(
        fuzz.partial_ratio(target, whole, score_cutoff=NOTHING - 8),
        fuzz.partial_ratio(sound, sounds(have), score_cutoff=NOTHING - 8) if sound else 0.0,
    ) == 0.0:  # fmt: skip
        return None
    return _slide(target, sound, len(wanted.words), text)


@lru_cache(maxsize=16_384)
def _marks(text: str) -> tuple[str, list[int], list[int], str, list[int]]:
    """A text's words joined, where each begins and ends there; its sounds, where each word's begin there."""
    have = words(text)
    ends = list(accumulate((len(word) + 1 for word in have.words), initial=0))
    heard = list(map(_sound, have.words))
    return have.joined, ends[:-1], [e - 1 for e in ends[1:]], "".join(heard), [
        0, *accumulate(map(len, heard))
    ]  # fmt: skip


def _slide(target: str, sound: str, size: int, text: str) -> Near | None:
    """Compare every stretch of about ``size`` words; up to ±2 words, as recognisers split and join."""
    best: Near | None = None
    floor = NOTHING
    have = words(text)
    joined, starts, ends, sounded, marks = _marks(text)
    count = len(have.words)
    slack = min(2, size // 2)
    for length in range(max(1, size - slack), min(count, size + slack) + 1):
        for i in range(count - length + 1):
            score = fuzz.ratio(target, joined[starts[i] : ends[i + length - 1]], score_cutoff=floor)
            if sound:
                piece = sounded[marks[i] : marks[i + length]]
                score = max(score, SOUND_WORTH * fuzz.ratio(sound, piece, score_cutoff=floor))
            if score > floor:
                floor = score
                best = Near(score, have.starts[i], have.ends[i + length - 1])
    if best is None or len(target) >= SHORT:
        return best
    # One wrong letter weighs more in a short phrase: "think" is not "thank you".
    weighed = CERTAIN - (CERTAIN - best.similarity) * (2 - len(target) / SHORT)
    return Near(weighed, best.start, best.end) if weighed > NOTHING else None


def sounds(text: Words) -> str:
    """How words sound (Metaphone of each), or "" where the script is not Latin."""
    return sound_of(text.words)


def sound_of(pieces: Sequence[str]) -> str:
    """How some words sound, run together: recognisers put word boundaries where they like."""
    return "".join(map(_sound, pieces))


@lru_cache(maxsize=65_536)
def _sound(word: str) -> str:
    return metaphone(word).replace(" ", "") if word.isascii() else ""


def _places(wanted: Sequence[str], have: Sequence[str]) -> list[int]:
    n = len(wanted)
    return [i for i in range(len(have) - n + 1) if have[i] == wanted[0] and have[i : i + n] == wanted]


def _disjoint(found: list[Found]) -> list[Found]:
    """One match a place, the longest where they overlap."""
    kept: list[Found] = []
    for item in sorted(found, key=lambda f: (f.at, f.start, -f.end)):
        if not kept or kept[-1].at != item.at or item.start >= kept[-1].end:
            kept.append(item)
    return kept
