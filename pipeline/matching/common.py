"""How likely a phrase is in any call, whatever it is about: a warning for authors of rubrics."""

from __future__ import annotations

import math
from functools import cache

from pipeline.matching import chance, ordinary, slots, wording
from pipeline.text.words import words

WORDS_A_CALL = 600  # what one side says in a call of eight minutes
WORDS_A_SECOND = 2.5  # 150 words a minute
FILLED_IN = 50_000  # words of the sample in which filled slots are counted


def chance_in_call(phrase: str, method: str, seconds: float | None = None) -> float:
    """Probability, 0..1, that ordinary talk of the length of a call holds the words of a phrase.

    Matches in other words need not be considered: they count only where at most one ordinary call in a
    hundred comes as near (``chance.SURE``).

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
    enough = wording.FUZZY_COVERAGE if method == "fuzzy" else 1.0
    found = chance.places(wording.read(phrase, free=method == "meaning"), enough)
    return 1 - math.exp(-searched * found / ordinary.load().sample_words)


@cache
def _filled(slot: str) -> float:
    """Share of the words of ordinary talk that fill a slot."""
    if slot not in slots.KINDS:
        return 0.0
    talk = list(ordinary.load().texts(0, FILLED_IN))
    return sum(len(slots.places(slot, said)) for said in talk) / sum(len(words(said).words) for said in talk)
