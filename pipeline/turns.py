"""Groups timed words into turns, which end at pauses and where the other side speaks.

``transcribe`` uses it for the words of each channel, and ``intake`` for words of other recognisers. Roles are
not known here: every turn has the role ``unknown`` until ``speakers`` assigns roles.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter

from pipeline.conversation import Turn, Word

TURN_PAUSE_S = 1.0  # a pause this long ends a turn even when nobody else speaks
YIELD_PAUSE_S = 0.25  # a pause this long ends a turn when another party speaks in it
Party = tuple[int, str]
"""The channel (-1 when unknown) and the speaker ("" when unknown)."""


@dataclass(frozen=True, slots=True)
class TimedWord:
    """A word as decoded: ``text`` keeps its leading space, and times count from the start of the recording.

    ``channel`` and ``speaker`` together identify the party; either may be unknown.
    """

    text: str
    start_s: float
    end_s: float
    confidence: float | None
    channel: int | None
    language: str | None = None
    speaker: str | None = None


def build_turns(words: Sequence[TimedWord]) -> tuple[Turn, ...]:
    """Group words into turns, ordered by start.

    Args:
        words: Words of all parties of one call, in any order.
    """
    by_party: dict[Party, list[TimedWord]] = defaultdict(list)
    for word in words:
        by_party[_party(word)].append(word)
    middles = sorted(((w.start_s + w.end_s) / 2, _party(w)) for w in words)
    groups: list[list[TimedWord]] = []
    for party in sorted(by_party):
        in_order = sorted(by_party[party], key=lambda w: w.start_s)
        for n, word in enumerate(in_order):
            if n == 0 or _turn_ends_between(in_order[n - 1], word, middles):
                groups.append([])
            groups[-1].append(word)
    groups.sort(key=lambda g: (g[0].start_s, _party(g[0])))
    return tuple(_turn(n, group) for n, group in enumerate(groups))


def _party(word: TimedWord) -> Party:
    return (-1 if word.channel is None else word.channel, word.speaker or "")


def _turn_ends_between(before: TimedWord, after: TimedWord, middles: list[tuple[float, Party]]) -> bool:
    """Whether a turn ends between two successive words of a party; ``middles`` are of all parties' words."""
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
    """The confidence of a turn: the mean of its words' confidences, None where no word has one."""
    known = [word.confidence for word in words if word.confidence is not None]
    return round(sum(known) / len(known), 4) if known else None


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
