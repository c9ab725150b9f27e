"""The turns of a call on a timeline: the speech in a window, and when a match in it was said.

Places are in seconds in speech whose every turn has times; else (chat, e-mail, transcripts without times)
they are turn numbers, windows in seconds become numbers of turns, and the scorecard has a warning.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

from pipeline.conversation import Transcript, Turn
from pipeline.rubric.checks import Window
from pipeline.text.language import OTHER, language_of
from pipeline.word_times import TurnClock

JOIN_GAP_S = 1.0
"""Turns of one speaker with a shorter gap are searched as one text: recognisers cut sentences in two."""
STRETCH_WORDS = 80  # most words of turns searched as one text
SECONDS_PER_TURN = 5.0
"""Assumed length of a turn without times (about 12 words at 150 words a minute)."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Turns searched as one text; ``pieces`` has the offset of each turn's first character, and the turn."""

    text: str
    pieces: tuple[tuple[int, Turn], ...]

    def turn_at(self, offset: int) -> tuple[int, Turn]:
        """The offset of a character within its turn, and that turn."""
        index = bisect.bisect_right([start for start, _ in self.pieces], offset) - 1
        start, turn = self.pieces[index]
        return offset - start, turn


@dataclass(frozen=True, slots=True)
class Speech:
    """What a role says in a part of a call.

    Attributes:
        stretches: The speech in the languages known (as a rule the rubric's), in order.
        texts: The texts of the stretches; the same object for every check that searches this part.
        turns: Number of turns, including those in other languages.
        confidence: Mean confidence of the turns, weighted by letters; None where no turn has one.
        foreign: Share of the letters in other languages, which is not searched.
        languages: The other languages, for people to read.
    """

    stretches: tuple[Stretch, ...]
    texts: tuple[str, ...]
    turns: int
    confidence: float | None
    foreign: float
    languages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TimelineSpan:
    """A part of the timeline: in seconds, or turn numbers where there are no times."""

    low: float = -math.inf
    high: float = math.inf

    def cut(self, low: float = -math.inf, high: float = math.inf) -> TimelineSpan:
        """The part of this span within these limits."""
        return TimelineSpan(max(self.low, low), min(self.high, high))


class Timeline:
    """The turns of a call, to look them up by time.

    Attributes:
        turns: In the order of the transcript.
        timed: Whether it is speech and every turn has a start and an end.
        warnings: What is degraded, in sentences.
        first: Start of the agent's first turn, or of the first turn if the agent has none.
        last: End of the last turn.
    """

    def __init__(self, transcript: Transcript, languages: frozenset[str]) -> None:
        self.turns = transcript.turns
        self._language = {t.turn: language_of(t, transcript.language) for t in transcript.turns}
        self._named = {
            t.turn: _named(self._language[t.turn], t.language or transcript.language) for t in self.turns
        }
        self._known = languages
        is_speech = transcript.medium == "voice"  # the times of messages tell when they were sent
        self.timed = is_speech and all(t.start_s is not None and t.end_s is not None for t in self.turns)
        self.warnings: list[str] = []
        if not self.timed:
            why = "turns without times" if is_speech else "written, not spoken"
            self.warnings.append(f"{why}: windows in seconds were taken as counts of turns")
        elif any((b.start_s or 0) < (a.start_s or 0) for a, b in pairwise(self.turns)):
            self.warnings.append("turns are not in the order of their times: each was placed by its own time")
        self.roles = {t.role for t in self.turns}
        agents = [t for t in self.turns if t.role == "agent"] or list(self.turns)
        self.first = min((self._start(t) for t in agents), default=0.0)
        self.last = max((self._end(t) for t in self.turns), default=0.0)
        self._speech: dict[tuple[str, TimelineSpan, frozenset[str]], Speech] = {}
        self._clocks: dict[int, TurnClock] = {}

    def _start(self, turn: Turn) -> float:
        return float(turn.start_s) if self.timed and turn.start_s is not None else float(turn.turn)

    def _end(self, turn: Turn) -> float:
        if self.timed and turn.start_s is not None and turn.end_s is not None:
            return max(float(turn.end_s), float(turn.start_s))
        return float(turn.turn)

    def length(self, seconds: float) -> float:
        """A length in seconds, converted to the unit of the timeline (seconds or turns)."""
        return seconds if self.timed else max(1, math.ceil(seconds / SECONDS_PER_TURN))

    def span(self, window: Window | None) -> TimelineSpan:
        """The part of the call that a window selects, without regard to its anchors."""
        span = TimelineSpan()
        if window is None or not self.turns:
            return span
        inclusive = 0.0 if self.timed else 1.0  # n turns from turn 0 end at turn n - 1
        if window.first_s is not None:
            span = span.cut(high=self.first + self.length(window.first_s) - inclusive)
        if window.last_s is not None:
            span = span.cut(low=self.last - self.length(window.last_s) + inclusive)
        whole = self.last - self.first
        if window.from_pct is not None:
            span = span.cut(low=self.first + whole * window.from_pct / 100)
        if window.to_pct is not None:
            span = span.cut(high=self.first + whole * window.to_pct / 100)
        if window.first_turns is not None:
            opening = next((i for i, t in enumerate(self.turns) if t.role == "agent"), 0)
            span = span.cut(high=self._end(self.turns[opening:][: window.first_turns][-1]))
        if window.last_turns is not None:
            span = span.cut(low=self._start(self.turns[-window.last_turns :][0]))
        return span

    def speech(self, role: str, span: TimelineSpan, only: frozenset[str] | None = None) -> Speech:
        """What a role says in a part of the call; turns that follow each other closely are joined.

        Where the rule knows ``only`` some languages, the others count as foreign too.
        """
        languages = self._known if only is None else only
        key = (role, span, languages)
        if key not in self._speech:
            heard = [t for t in self.within(span) if role in ("any", t.role)]
            known = [t for t in heard if self._language[t.turn] in languages]
            other = [t for t in heard if self._language[t.turn] not in languages]
            letters = sum(len(t.text) for t in heard)
            stretches = tuple(map(_stretch, self._grouped(known)))
            self._speech[key] = Speech(
                stretches,
                tuple(stretch.text for stretch in stretches),
                len(heard),
                _confidence(heard),
                sum(len(t.text) for t in other) / letters if letters else 0.0,
                tuple(sorted({self._named[t.turn] for t in other})),
            )
        return self._speech[key]

    def within(self, span: TimelineSpan) -> tuple[Turn, ...]:
        """The turns with words that overlap a part of the call."""
        spoken = (t for t in self.turns if t.text.strip())
        return tuple(t for t in spoken if self._end(t) >= span.low and self._start(t) <= span.high)

    def _grouped(self, turns: Sequence[Turn]) -> list[list[Turn]]:
        groups: list[list[Turn]] = []
        words = 0
        for turn in turns:
            length = turn.text.count(" ") + 1
            if groups and self._continues(groups[-1][-1], turn) and words + length <= STRETCH_WORDS:
                groups[-1].append(turn)
                words += length
            else:
                groups.append([turn])
                words = length
        return groups

    def _continues(self, before: Turn, turn: Turn) -> bool:
        return (
            self.timed
            and turn.turn == before.turn + 1
            and turn.role == before.role
            and 0 <= self._start(turn) - self._end(before) <= JOIN_GAP_S
        )

    def moment(self, turn: Turn, offset: int) -> float:
        """Place of a character of a turn: by word times, else in proportion to the turn's length."""
        start_s = self._when(turn, offset, offset + 1)[0] if self.timed else None
        return self._start(turn) if start_s is None else start_s

    def when(self, stretch: Stretch, start: int, end: int) -> tuple[float | None, float | None]:
        """Start and end, in seconds, of characters ``start`` to ``end`` of a stretch; None without times.

        They come from word times, else from the share of the turn's characters, and are within the turn.
        """
        first_offset, first = stretch.turn_at(start)
        last_offset, last = stretch.turn_at(max(start, end - 1))
        if last is first:
            return self._when(first, first_offset, last_offset + 1)
        start_s, _ = self._when(first, first_offset, first_offset + 1)
        return start_s, self._when(last, last_offset, last_offset + 1)[1]

    def _when(self, turn: Turn, start: int, end: int) -> tuple[float | None, float | None]:
        clock = self._clocks.get(turn.turn)
        if clock is None:
            clock = self._clocks[turn.turn] = TurnClock(turn)
        start_s, end_s = clock.when(start, end)
        if start_s is None or end_s is None or turn.start_s is None:
            return turn.start_s, turn.end_s
        latest_s = max(turn.start_s, end_s if turn.end_s is None else turn.end_s)
        start_s, end_s = (min(max(time_s, turn.start_s), latest_s) for time_s in (start_s, end_s))
        return round(start_s, 3), round(max(start_s, end_s), 3)


def _named(language: str, stated: str | None) -> str:
    """A language for people to read, who may have to state it."""
    if language == OTHER:
        return "an unknown language" if stated else "an unknown language (none is stated)"
    return language if stated else f"{language} (guessed: no language is stated)"


def _stretch(turns: list[Turn]) -> Stretch:
    offsets = accumulate((len(turn.text) + 1 for turn in turns), initial=0)
    return Stretch(" ".join(t.text for t in turns), tuple(zip(offsets, turns, strict=False)))


def _confidence(turns: Sequence[Turn]) -> float | None:
    known = [(turn.confidence, len(turn.text)) for turn in turns if turn.confidence is not None]
    total = sum(letters for _, letters in known)
    return sum(confidence * letters for confidence, letters in known) / total if total else None
