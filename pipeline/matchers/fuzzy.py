"""Words as said, or as a recogniser may have misheard them: exact, inflected, fuzzy and phonetic.

Needs no model. ``fuzzy`` compares stretches of about the phrase's length, letter by letter and
sound by sound, so "harper belly national bank" is still "Harper Valley National Bank".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jellyfish import metaphone
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from pipeline.matchers.stretches import most_alike
from pipeline.matchers.text import Remembered, joined, words
from pipeline.rubric.queries import Found, Query

CERTAIN, NOTHING = 100.0, 64.0
"""Similarity (rapidfuzz ratio, 0..100) that gives strength 1 and 0; the middle, 82, gives 0.5."""
SHORT = 12
SOUND_WORTH = 0.97
"""Sounding alike counts a little less than being spelt alike."""


@dataclass(frozen=True, slots=True)
class Near:
    """The stretch of a text nearest to a phrase; its first and last word, similarity 0..100."""

    similarity: float
    first: int
    last: int


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


def near(phrase: str, texts: Sequence[str]) -> list[int]:
    """Which of many texts, normalised, hold something like a phrase in letters or sounds at all."""
    spelt, heard = joined(phrase), _run_together(joined(phrase))
    if not spelt or not texts:
        return []
    alike = _partly(spelt, texts)
    if heard:
        rest = np.flatnonzero(alike == 0)
        alike[rest] = _partly(heard, [_run_together(texts[i]) for i in rest.tolist()])
    return np.flatnonzero(alike).tolist()


def _partly(phrase: str, texts: Sequence[str]) -> NDArray[np.float32]:
    return process.cdist([phrase], texts, scorer=fuzz.partial_ratio, score_cutoff=NOTHING - 8)[0]  # type: ignore[no-any-return]


def nearest(phrases: Sequence[str], texts: Sequence[str]) -> list[Near | None]:
    """The stretch of a text most like a phrase, of many pairs of them; None where none is over ``NOTHING``.

    Stretches are of about the phrase's length, up to ±2 words, as recognisers split and join.

    Args:
        phrases: Of each pair.
        texts: Of each pair, normalised.
    """
    spelling = {phrase: joined(phrase) for phrase in set(phrases)}
    spelt_so = [spelling[phrase] for phrase in phrases]
    heard_so = list(map(_run_together, spelt_so))
    sizes = [(size - min(2, size // 2), size + min(2, size // 2)) for size in map(_length, spelt_so)]
    spelt = most_alike(spelt_so, texts, sizes, gap=1)
    heard = most_alike(heard_so, list(map(sounds, texts)), sizes, gap=0)
    found: list[Near | None] = []
    for phrase, sound, by_letters, by_sounds in zip(spelt_so, heard_so, spelt, heard, strict=True):
        score, length, first = by_letters
        alike = SOUND_WORTH * by_sounds[0] if sound and by_sounds[0] >= NOTHING else 0.0
        if alike > score or (alike == score and by_sounds[1:] < (length, first)):
            score, length, first = alike, *by_sounds[1:]
        if len(phrase) < SHORT:  # one wrong letter weighs more: "think" is not "thank you"
            score = CERTAIN - (CERTAIN - score) * (2 - len(phrase) / SHORT)
        found.append(Near(score, first, first + length - 1) if score > NOTHING else None)
    return found


def _length(text: str) -> int:
    return text.count(" ") + 1


@lru_cache(maxsize=16_384)
def sounds(text: str) -> str:
    """How each word of a normalised text sounds, with spaces between."""
    return " ".join(map(_sounds.__getitem__, text.split(" ")))


@lru_cache(maxsize=16_384)
def _run_together(text: str) -> str:
    """How a normalised text sounds: recognisers put word boundaries where they like."""
    return "".join(map(_sounds.__getitem__, text.split(" ")))


def _sound(word: str) -> str:
    """How a word sounds (Metaphone), or "" where the script is not Latin."""
    return metaphone(word).replace(" ", "") if word.isascii() else ""


_sounds = Remembered(_sound)


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
