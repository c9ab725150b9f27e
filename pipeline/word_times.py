"""Finds the seconds in which characters of a turn's text were said."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

from pipeline.conversation import Turn


class TurnClock:
    """Maps characters of one turn's text to times.

    Attributes:
        places: Start and end of each word in the text, in characters; None when the words do not match the
            text, so that their times cannot be used.
    """

    def __init__(self, turn: Turn) -> None:
        self.turn = turn
        self.places = _places(turn)
        self._starts = [start for start, _ in self.places or ()]
        self._ends = [end for _, end in self.places or ()]

    def when(self, start: int, end: int) -> tuple[float | None, float | None]:
        """Start and end in seconds of characters, from word times or interpolated; None without times."""
        if self.places:
            first = bisect_right(self._ends, start)
            last = bisect_left(self._starts, end)
            words = self.turn.words[first : max(last, first + 1)]
            if words:
                return words[0].start_s, max(word.end_s for word in words)
        start_s, end_s = self.turn.start_s, self.turn.end_s
        if start_s is None:
            return None, None
        if end_s is None or end_s < start_s:
            return start_s, start_s
        length = max(1, len(self.turn.text))
        return start_s + (end_s - start_s) * start / length, start_s + (end_s - start_s) * end / length


def _places(turn: Turn) -> list[tuple[int, int]] | None:
    """Start and end of each word in the text; None when words and text differ in more than punctuation."""
    places, at = [], 0
    for word in turn.words:
        text = word.text.strip()
        start = turn.text.find(text, at)
        if start < 0 or _has_words(turn.text[at:start]):
            return None
        at = start + len(text)
        places.append((start, at))
    return places if not _has_words(turn.text[at:]) else None


def _has_words(text: str) -> bool:
    return any(letter.isalnum() for letter in text)
