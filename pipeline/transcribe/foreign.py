"""Detects windows of speech in another language than the one they were transcribed in.

Whisper turns speech in another language into words of the language it was given, often with high confidence.
But before it is given a language it estimates one from the sound, and every decoding returns that estimate.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

IMPROBABLE = 0.1
"""Speech is in another language if the probability of the declared one is below this. With *base*, the
probability of English in English speech is 0.86 or more in windows of three telephone calls (also 30 dB
fainter, clipped, as loud as noise or cut at 1.5 kHz), 0.73 or more in ten calls of synthetic voices, 0.27 or
more in eSpeak's accents, and 0.14 or more in its English with the sounds of Hindi, Spanish, German, Arabic,
French or Polish. In eSpeak's Spanish, French, German, Arabic, Italian and Polish it is 0.00 to 0.10 (German
in noise 0.23), in its Urdu and Hindi 0.08 to 0.20. Dutch and Portuguese, with up to 0.56, go undetected."""
SURE = 0.5
"""Probability from which the other language is named."""
SHORTEST_S, ENOUGH_S = 3.0, 8.0
"""Shortest window to judge, and least foreign speech in a call: 5 s of accented English can have 0.06."""
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
"""Languages that Whisper confuses with each other; their probabilities are added up."""


def likelier(probabilities: torch.Tensor | None, codes: Sequence[str], heard_as: str, seconds: float) -> str:
    """The language of a window if it is surely not the one it was transcribed in; else "".

    Args:
        probabilities: Of each language; None for an English-only model, which cannot estimate them.
        codes: The languages, in the order of the probabilities.
        heard_as: The language the window was transcribed in.
        seconds: Length of the window.
    """
    if probabilities is None or seconds < SHORTEST_S:
        return ""
    probability = dict(zip(codes, probabilities.tolist(), strict=True))
    alike = next((group for group in ALIKE if heard_as in group), {heard_as})
    if sum(probability.get(code, 0.0) for code in alike) >= IMPROBABLE:
        return ""
    best = max(probability, key=lambda code: probability[code])
    if probability[best] >= SURE:
        return best
    return OTHER if heard_as == "en" else ""  # Whisper knows English well enough to exclude it
