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
from rapidfuzz import fuzz, process

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
        near = nearest(phrase, text, best[0].similarity if best else NOTHING)
        if near is not None:
            best = near, phrase
    return best


def nearest(phrase: str, text: str, floor: float = NOTHING) -> Near | None:
    """The stretch of a text most like a phrase; None where nothing is above ``floor``."""
    target, said = _spoken(phrase), _spoken(text)
    if not target.words.words or not said.words.words:
        return None
    if not fuzz.partial_ratio(target.joined, said.joined, score_cutoff=NOTHING - 8) and not (
        target.sound and fuzz.partial_ratio(target.sound, said.sound, score_cutoff=NOTHING - 8)
    ):
        return None
    return _slide(target, said, floor)


@dataclass(frozen=True, slots=True)
class _Spoken:
    """A text's words joined, and their sounds run together: recognisers put word boundaries where they like.

    ``starts`` and ``ends`` are where each word lies in ``joined``; ``marks`` where its sounds begin.
    """

    words: Words
    joined: str
    starts: list[int]
    ends: list[int]
    sound: str
    marks: list[int]


@lru_cache(maxsize=16_384)
def _spoken(text: str) -> _Spoken:
    said = words(text)
    ends = list(accumulate((len(word) + 1 for word in said.words), initial=0))
    heard = list(map(_sound, said.words))
    marks = list(accumulate(map(len, heard), initial=0))
    return _Spoken(said, said.joined, ends[:-1], [e - 1 for e in ends[1:]], "".join(heard), marks)


def _slide(target: _Spoken, said: _Spoken, floor: float) -> Near | None:
    """Compare every stretch of about the phrase's length; up to ±2 words, as recognisers split and join."""
    size, count = len(target.words.words), len(said.words.words)
    slack = min(2, size // 2)
    stretches = [
        (first, first + length)
        for length in range(max(1, size - slack), min(count, size + slack) + 1)
        for first in range(count - length + 1)
    ]
    spelt = [said.joined[said.starts[first] : said.ends[end - 1]] for first, end in stretches]
    score, at = _first_best(target.joined, spelt, floor)
    if target.sound:
        heard = [said.sound[said.marks[first] : said.marks[end]] for first, end in stretches]
        alike, where = _first_best(target.sound, heard, max(floor, score))
        if SOUND_WORTH * alike > score or (SOUND_WORTH * alike == score and where < at):
            score, at = SOUND_WORTH * alike, where
    if score <= floor:
        return None
    if len(target.joined) < SHORT:  # one wrong letter weighs more: "think" is not "thank you"
        score = CERTAIN - (CERTAIN - score) * (2 - len(target.joined) / SHORT)
    first, end = stretches[at]
    return Near(score, said.words.starts[first], said.words.ends[end - 1]) if score > floor else None


def _first_best(target: str, pieces: Sequence[str], floor: float) -> tuple[float, int]:
    """Similarity and position of the first of the pieces most like a target; 0 where all are below."""
    best = process.extractOne(target, pieces, scorer=fuzz.ratio, score_cutoff=floor)
    return (best[1], best[2]) if best else (0.0, 0)


@lru_cache(maxsize=65_536)
def _sound(word: str) -> str:
    """How a word sounds (Metaphone), or "" where the script is not Latin."""
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
