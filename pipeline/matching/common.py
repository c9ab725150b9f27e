"""How often a phrase is said in calls that are about nothing it asks, for its author to know beforehand."""

from __future__ import annotations

import math

from pipeline.matching import chance, ordinary, wording
from pipeline.text.words import words

WORDS_A_CALL = 600
"""Words of one side of a call of eight minutes."""
WORDS_A_SECOND = 2.5
"""150 words a minute."""


def chance_in_call(phrase: str, method: str, seconds: float | None = None) -> float:
    """Chance that ordinary talk as long as a call holds a phrase as it is, 0..1.

    By meaning, what is not said in the phrase's own words counts only where at most one ordinary call in a
    hundred comes as near (``chance.SURE``), whatever the phrase; so its own words are what can be too common.

    Args:
        phrase: Of a rubric.
        method: ``exact``, ``fuzzy``, ``lemma`` or ``meaning``.
        seconds: Length of the window it is searched in; None: the whole call.
    """
    if not words(phrase.replace("{", "").replace("}", "")).words:
        return 0.0
    enough = wording.FUZZY_COVERAGE if method == "fuzzy" else 1.0
    found = chance.places(wording.read(phrase, free=method == "meaning"), enough)
    searched = WORDS_A_CALL if seconds is None else min(WORDS_A_CALL, WORDS_A_SECOND * seconds)
    return 1 - math.exp(-searched * found / ordinary.load().sample_words)
