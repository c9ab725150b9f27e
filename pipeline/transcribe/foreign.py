"""Whether a window of speech sounds like another language than it was heard as.

Part of ``transcribe``. Other speech than declared is made into words of the declared language, often with
confidence. What the network takes the language for, before it is told, comes with every decoding.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

SURE = 0.5
UNHEARD = 0.05
SHORTEST_S = 3.0
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


def likelier(sounds: torch.Tensor | None, codes: Sequence[str], heard_as: str, seconds: float) -> str:
    """The language a window surely sounds like where that is not the one it was heard as; else "".

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
    best = max(probability, key=lambda code: probability[code])
    unheard = sum(probability.get(code, 0.0) for code in alike) < UNHEARD
    return best if unheard and probability[best] >= SURE else ""
