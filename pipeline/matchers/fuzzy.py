"""Words as said, or as a recogniser may have misheard them: exact, inflected, fuzzy and phonetic.

Needs no model. ``fuzzy`` compares stretches of about the phrase's length, letter by letter and
sound by sound, so "harper belly national bank" is still "Harper Valley National Bank".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jellyfish import metaphone
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from pipeline.matchers.stretches import Best, most_alike
from pipeline.matchers.text import Remembered, words
from pipeline.rubric.queries import Found, Query

CERTAIN, NOTHING = 100.0, 64.0
"""Similarity (rapidfuzz ratio, 0..100) that gives strength 1 and 0; the middle, 82, gives 0.5."""
PARTLY = 60.0
"""Part of a text must be this like a phrase (rapidfuzz partial_ratio) before its stretches are compared."""
NOWHERE: Best = (0.0, 0, 0)
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


def nearest(
    phrases: Sequence[str], texts: Sequence[str], may: NDArray[np.bool_]
) -> Iterator[tuple[int, int, Near]]:
    """The stretch of a text most like a phrase, of every pair in which one is over ``NOTHING``.

    Stretches are of about the phrase's length, up to ±2 words, as recognisers split and join.

    Args:
        phrases: Normalised.
        texts: Normalised.
        may: Which pairs to look at; shape (n_phrases, n_texts).

    Yields:
        Phrase, text, and what is nearest; in the order of the phrases, then of the texts.
    """
    asked = set(np.flatnonzero(may.any(axis=0)).tolist())
    heard = [sounds(text) if at in asked else "" for at, text in enumerate(texts)]
    voiced = [sounds(phrase).replace(" ", "") for phrase in phrases]
    sizes = [(size - min(2, size // 2), size + min(2, size // 2)) for size in map(_length, phrases)]
    by_letters = _stretches(phrases, texts, may, sizes, gap=1)
    by_sounds = _stretches(voiced, heard, may, sizes, gap=0)
    for pair in sorted(by_letters.keys() | by_sounds.keys()):
        score, length, first = by_letters.get(pair, NOWHERE)
        alike, *place = by_sounds.get(pair, NOWHERE)
        alike = SOUND_WORTH * alike if alike >= NOTHING else 0.0
        if alike > score or (alike == score and place < [length, first]):
            score, (length, first) = alike, place
        letters = len(phrases[pair[0]])
        if letters < SHORT:  # one wrong letter weighs more: "think" is not "thank you"
            score = CERTAIN - (CERTAIN - score) * (2 - letters / SHORT)
        if score > NOTHING:
            yield *pair, Near(score, first, first + length - 1)


def _stretches(
    phrases: Sequence[str],
    texts: Sequence[str],
    may: NDArray[np.bool_],
    sizes: Sequence[tuple[int, int]],
    *,
    gap: int,
) -> dict[tuple[int, int], Best]:
    """The best stretch of the pairs that hold something alike at all; ``gap`` as in ``most_alike``."""
    solid = texts if gap else [text.replace(" ", "") for text in texts]  # recognisers join and split words
    pairs: list[tuple[int, int]] = []
    for which, phrase in enumerate(phrases):
        at = np.flatnonzero(may[which])
        if phrase and len(at):
            said = [solid[i] for i in at.tolist()]
            (alike,) = process.cdist([phrase], said, scorer=fuzz.partial_ratio, score_cutoff=PARTLY)
            pairs += [(which, i) for i in at[alike > 0].tolist()]
    which_phrases, which_texts = [phrases[p] for p, _ in pairs], [texts[t] for _, t in pairs]
    best = most_alike(which_phrases, which_texts, [sizes[p] for p, _ in pairs], gap=gap)
    return dict(zip(pairs, best, strict=True))


def _length(text: str) -> int:
    return text.count(" ") + 1


def sounds(text: str) -> str:
    """How each word of a normalised text sounds, with spaces between."""
    return " ".join(map(_sounds.__getitem__, text.split(" ")))


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
