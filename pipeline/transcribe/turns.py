"""Turns out of timed words: split at pauses and where the other side speaks.

Last step of ``transcribe``. Roles are not known here: every turn is ``unknown`` until
``speakers`` says otherwise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.conversation import Turn, Word

TURN_PAUSE_S = 1.0  # a silence that ends a turn even when nobody else speaks
YIELD_PAUSE_S = 0.25  # a gap the other side can speak in; shorter gaps lie inside a phrase


@dataclass(frozen=True, slots=True)
class HeardWord:
    """A word as decoded: ``text`` keeps its leading space, times are of the recording."""

    text: str
    start_s: float
    end_s: float
    confidence: float
    channel: int
    language: str | None


def build_turns(heard: Sequence[HeardWord]) -> tuple[Turn, ...]:
    """Group words into turns, ordered by start.

    Args:
        heard: Words of all channels of one call, in any order.
    """
    channels = sorted({w.channel for w in heard})
    words = {c: sorted((w for w in heard if w.channel == c), key=lambda w: w.start_s) for c in channels}
    groups: list[list[HeardWord]] = []
    for channel in channels:
        others = sorted((w.start_s + w.end_s) / 2 for w in heard if w.channel != channel)
        for n, word in enumerate(words[channel]):
            if n == 0 or _parts(words[channel][n - 1], word, others):
                groups.append([])
            groups[-1].append(word)
    groups.sort(key=lambda g: (g[0].start_s, g[0].channel))
    return tuple(_turn(n, group) for n, group in enumerate(groups))


def _parts(before: HeardWord, after: HeardWord, others: list[float]) -> bool:
    """Whether a turn ends between two neighbouring words of a channel."""
    gap = after.start_s - before.end_s
    if gap >= TURN_PAUSE_S or before.language != after.language:
        return True
    if gap < YIELD_PAUSE_S:
        return False
    n = bisect_left(others, before.end_s)
    return n < len(others) and others[n] < after.start_s


def _turn(number: int, group: Sequence[HeardWord]) -> Turn:
    return Turn(
        turn=number,
        role="unknown",
        text="".join(w.text for w in group).strip(),
        start_s=round(group[0].start_s, 3),
        end_s=round(max(w.end_s for w in group), 3),
        channel=group[0].channel,
        confidence=round(sum(w.confidence for w in group) / len(group), 4),
        words=tuple(
            Word(w.text.strip(), round(w.start_s, 3), round(w.end_s, 3), round(w.confidence, 4))
            for w in group
        ),
        language=group[0].language,
    )
