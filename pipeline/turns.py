"""Turns out of timed words: split at pauses and where the other side speaks.

Shared by ``transcribe``, which hears words channel by channel, and ``intake``, which reads other
recognisers' words. Roles are not known here: every turn is ``unknown`` until ``speakers`` says otherwise.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from pipeline.conversation import Turn, Word

TURN_PAUSE_S = 1.0  # a silence that ends a turn even when nobody else speaks
YIELD_PAUSE_S = 0.25  # a gap the other side can speak in; shorter gaps lie inside a phrase


Party = tuple[int, str]


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as decoded: ``text`` keeps its leading space, times are of the recording.

    ``channel`` and ``speaker`` together tell the parties apart; either may be unknown.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None
    channel: int | None
    language: str | None = None
    speaker: str | None = None


def build_turns(heard: Sequence[TimedWord]) -> tuple[Turn, ...]:
    """Group words into turns, ordered by start.

    Args:
        heard: Words of all parties of one call, in any order.
    """
    words: dict[Party, list[TimedWord]] = defaultdict(list)
    for word in heard:
        words[_party(word)].append(word)
    middles = sorted(((w.start_s + w.end_s) / 2, _party(w)) for w in heard)
    groups: list[list[TimedWord]] = []
    for party in sorted(words):
        own = sorted(words[party], key=lambda w: w.start_s)
        for n, word in enumerate(own):
            if n == 0 or _parts(own[n - 1], word, middles):
                groups.append([])
            groups[-1].append(word)
    groups.sort(key=lambda g: (g[0].start_s, _party(g[0])))
    return tuple(_turn(n, group) for n, group in enumerate(groups))


def _party(word: TimedWord) -> Party:
    return (-1 if word.channel is None else word.channel, word.speaker or "")


def _parts(before: TimedWord, after: TimedWord, middles: list[tuple[float, Party]]) -> bool:
    """Whether a turn ends between two neighbouring words of a party; ``middles`` are of everybody's words."""
    gap = after.start_s - before.end_s
    if gap >= TURN_PAUSE_S or before.language != after.language:
        return True
    if gap < YIELD_PAUSE_S:
        return False
    own = _party(before)
    for n in range(bisect_left(middles, before.end_s, key=itemgetter(0)), len(middles)):
        middle, party = middles[n]
        if middle >= after.start_s:
            return False
        if party != own:
            return True
    return False


def mean_confidence(words: Sequence[TimedWord | Word]) -> float | None:
    """The mean confidence of the words that have one, as turns state it."""
    sure = [word.confidence for word in words if word.confidence is not None]
    return round(sum(sure) / len(sure), 4) if sure else None


def _turn(number: int, group: Sequence[TimedWord]) -> Turn:
    return Turn(
        turn=number,
        role="unknown",
        text="".join(w.text for w in group).strip(),
        start_s=round(group[0].start_s, 3),
        end_s=round(max(w.end_s for w in group), 3),
        channel=group[0].channel,
        confidence=mean_confidence(group),
        words=tuple(
            Word(
                w.text.strip(),
                round(w.start_s, 3),
                round(w.end_s, 3),
                None if w.confidence is None else round(w.confidence, 4),
            )
            for w in group
        ),
        language=group[0].language,
        speaker=group[0].speaker,
    )
