"""Whether a window of speech sounds like another language than it was heard as.

Part of ``transcribe``. Other speech than declared is made into words of the declared language, often with
confidence. What the network takes the language for, before it is told, comes with every decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

UNHEARD = 0.1
"""Probability of the declared language below which it is another. English has 0.86 or more in windows of
three telephone calls, also 30 dB fainter, clipped, as loud as noise or cut at 1.5 kHz, and 0.73 or more in
ten calls of synthetic voices; eSpeak's accents of it have 0.27 or more, its English in the sounds of Hindi,
Spanish, German, Arabic, French or Polish 0.14 or more. Its Spanish, French, German, Arabic, Italian and
Polish have 0.00 to 0.10 (German in noise 0.23), its Urdu and Hindi 0.08 to 0.20; Dutch and Portuguese, up
to 0.56, pass for English. All with *base*."""
SURE = 0.5
"""Probability from which the other language is named."""
SHORTEST_S = 3.0
ENOUGH_S = 8.0
"""Less in all tells nothing: a window of 5 s of accented English has 0.06 at times."""
OTHER = "another language"
ALIKE = (
    {"hi", "ur", "pa", "ne", "sd"},
    {"da", "nn", "no", "sv"},
    {"bs", "hr", "mk", "sl", "sr"},
    {"be", "ru", "uk"},
    {"cs", "sk"},
    {"ca", "es", "gl", "oc", "pt"},
    {"id", "jw", "ms", "su"},
    {"yue", "zh"},
    {"az", "tr"},
    {"af", "nl"},
)
"""Languages that the network takes for one another: speech of one is not foreign to the others."""


def likelier(sounds: torch.Tensor | None, codes: Sequence[str], heard_as: str, seconds: float) -> str:
    """The language a window sounds like where that is surely not the one it was heard as; else "".

    Args:
        sounds: Probability of each language; None for a model of English only, which cannot tell.
        codes: The languages, in the order of the probabilities.
        heard_as: The language it was heard as.
        seconds: Length of the window.
    """
    if sounds is None or seconds < SHORTEST_S:
        return ""
    probability = dict(zip(codes, sounds.tolist(), strict=True))
    alike = next((group for group in ALIKE if heard_as in group), {heard_as})
    if sum(probability.get(code, 0.0) for code in alike) >= UNHEARD:
        return ""
    best = max(probability, key=lambda code: probability[code])
    if probability[best] >= SURE:
        return best
    return OTHER if heard_as == "en" else ""  # known best: what is unlike it is not it, whatever it is
