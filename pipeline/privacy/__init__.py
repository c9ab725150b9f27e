"""Private data in a transcript: found, named, and taken out of text, word times and audio.

``process`` redacts right after transcription, before anything is written, so that what policy
forbids is never at rest; the placeholder ("[CARD]") stays in the text with its times. ``annotate``
reports what else was said. Patterns and check digits only: no model, tens of thousands of words a
second, and the same answer on every machine.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from operator import itemgetter
from typing import get_args

from pipeline.conversation import Transcript, Turn, Word
from pipeline.privacy import cues, numbers, phrases, rules
from pipeline.settings import PrivacySettings, PrivateKind
from pipeline.text.words import count_words
from pipeline.word_times import TurnClock

KINDS = get_args(PrivateKind)  # strictest first
PLACEHOLDER = re.compile(r"\[(" + "|".join(kind.upper() for kind in KINDS) + r")\]")
MIN_ECHO_DIGITS = 3  # two digits of a number betray nothing, and are in many harmless ones
ECHO_TURNS = 4  # how many turns later a number may be read back
ASKED_TURNS = 4  # how many turns before its answer a question may stand
MIN_ASKED_WORDS = 1
CODE_CUE = re.compile(r"(?<!zip )(?<!post )(?<!promo )(?<!area )\bcode\b[^\n]*\n?[^\n]*$")
MARGIN_S = 0.15  # recognisers put word edges late or early by about this much


@dataclass(frozen=True, slots=True)
class PrivateSpan:
    """Something private, where it stands and when it was said.

    Attributes:
        kind: One of ``KINDS`` (``settings.PrivateKind``).
        turn: Position of the turn in the transcript.
        start, end: Characters in the turn's text.
        start_s, end_s: Seconds with a margin for audio; None where the turn has no times.
        channel: Audio channel it was heard on, None when unknown.
    """

    kind: str
    turn: int
    start: int
    end: int
    start_s: float | None
    end_s: float | None
    channel: int | None = None

    @property
    def placeholder(self) -> str:
        """What stands in its place."""
        return f"[{self.kind.upper()}]"


def find(transcript: Transcript) -> tuple[PrivateSpan, ...]:
    """All private data of a transcript in order, without overlaps; placeholders count too."""
    turns = transcript.turns
    found: list[tuple[int, int, int, str]] = []
    for position, turn in enumerate(turns):
        found += [(position, m.start(), m.end(), m[1].lower()) for m in PLACEHOLDER.finditer(turn.text)]
        asked = _asked(turns, position)
        found += [(position, start, end, kind) for kind, start, end in phrases.find(turn.text, asked)]
    runs = [told for run in numbers.runs(turns, transcript.language) for told in rules.kinds(run, turns)]
    told = _told(runs)
    for run, named in runs:
        for part, kind in _with_echoes(run, named, told, turns):
            found += [(turn, start, end, kind) for turn, start, end in _pieces(part, turns)]
    spans = _without_overlaps(found)
    clocks = {turn: TurnClock(turns[turn]) for turn in {span[0] for span in spans}}
    return tuple(
        PrivateSpan(kind, turn, start, end, *_times(clocks[turn], start, end), turns[turn].channel)
        for turn, start, end, kind in spans
    )


def _asked(turns: Sequence[Turn], position: int) -> str:
    """What the other side said last before a turn; "uh" and "yes?" in between do not hide it."""
    turn = turns[position]
    for earlier in reversed(turns[max(0, position - ASKED_TURNS) : position]):
        if count_words(earlier.text) > MIN_ASKED_WORDS:
            if earlier.role != turn.role or turn.role == "unknown":
                return earlier.text
            break
    before = turns[position - 1] if position else None
    return before.text if before is not None and before.role != turn.role else ""


@dataclass(frozen=True, slots=True)
class _Told:
    """A private number said: its digits, kind, and the turns from its first to its last."""

    digits: str
    kind: str
    first_turn: int
    last_turn: int


def _told(runs: Sequence[tuple[numbers.Run, str | None]]) -> dict[int, list[_Told]]:
    """By turn, the private numbers said there or shortly before."""
    told: dict[int, list[_Told]] = {}
    for run, kind in runs:
        if kind is not None:
            one = _Told(run.digits, kind, run.tokens[0].turn, run.tokens[-1].turn)
            for turn in range(one.first_turn, one.last_turn + ECHO_TURNS + 1):
                told.setdefault(turn, []).append(one)
    return told


def _with_echoes(
    run: numbers.Run, named: str | None, told: Mapping[int, Sequence[_Told]], turns: Sequence[Turn]
) -> Iterator[tuple[numbers.Run, str]]:
    """What of a run is private: all of it by itself, and the parts that repeat a private number.

    Both count: a PIN read back after talk of an account is still the PIN (the strictest kind wins).
    """
    kind = named or _code_of_card(run, told)
    if kind is not None:
        yield run, kind
    for part in (run, *(numbers.part(run, run.breaks, turns) if run.breaks else ())):
        echoed = _echoed(part, told)
        if echoed is not None:
            yield part, echoed


def _code_of_card(run: numbers.Run, told: Mapping[int, Sequence[_Told]]) -> str | None:
    """What "and the code?" asks for after a card's number or date: its security code."""
    if not cues.fits("cvv", len(run.digits)) or not CODE_CUE.search(run.before) or rules.is_cleared(run):
        return None
    near = told.get(run.tokens[0].turn, ())
    return "cvv" if any(one.kind in ("card", "expiry") for one in near) else None


def _echoed(run: numbers.Run, told: Mapping[int, Sequence[_Told]]) -> str | None:
    """The kind of a private number of which this run repeats a part, as agents do to confirm.

    Amid the turns of the number two digits are enough.
    """
    first, last = run.tokens[0].turn, run.tokens[-1].turn
    near = {one for turn in range(first, last + 1) for one in told.get(turn, ()) if run.digits in one.digits}
    is_quantity = len(run.digits) <= MIN_ECHO_DIGITS and rules.is_quantity(run)
    if len(run.digits) < MIN_ECHO_DIGITS or is_quantity:
        near = {one for one in near if one.first_turn < first and last < one.last_turn}
    return min((one.kind for one in near), key=KINDS.index, default=None)


def _pieces(run: numbers.Run, turns: Sequence[Turn]) -> Iterator[tuple[int, int, int]]:
    """The part of a run in each turn, from its first to its last digit there."""
    for turn in sorted({token.turn for token in run.tokens}):
        said = [token for token in run.tokens if token.turn == turn and token.digits]
        if said:
            start = said[0].start
            while start and turns[turn].text[start - 1] in "(+":  # "(415) 555" goes with its bracket
                start -= 1
            yield turn, start, said[-1].end


def _without_overlaps(found: Sequence[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    """Touching finds joined under the strictest kind (the first of ``KINDS``)."""
    merged: list[tuple[int, int, int, str]] = []
    for turn, start, end, kind in sorted(found):
        if merged and merged[-1][0] == turn and start < merged[-1][2]:
            _, first, last, other = merged[-1]
            merged[-1] = (turn, first, max(last, end), min(kind, other, key=KINDS.index))
        else:
            merged.append((turn, start, end, kind))
    return merged


def redact(transcript: Transcript, privacy: PrivacySettings) -> tuple[Transcript, tuple[PrivateSpan, ...]]:
    """Take out what policy forbids to keep.

    Args:
        transcript: As recognised.
        privacy: ``redact`` lists the kinds.

    Returns:
        The transcript with ``[KIND]`` in place of each find, in text and in words (one word from
        the first to the last moment of it), and the finds with the offsets of the text given.
    """
    spans = tuple(span for span in find(transcript) if span.kind in privacy.redact)
    found = by_turn(spans)
    turns = tuple(
        _redact_turn(turn, found[position]) if position in found else turn
        for position, turn in enumerate(transcript.turns)
    )
    return replace(transcript, turns=turns), spans


def by_turn(spans: Iterable[PrivateSpan]) -> dict[int, list[PrivateSpan]]:
    """Spans by the position of their turn, in their order."""
    found: dict[int, list[PrivateSpan]] = {}
    for span in spans:
        found.setdefault(span.turn, []).append(span)
    return found


def masked(text: str, start: int, end: int, spans: Sequence[PrivateSpan]) -> str:
    """Characters ``start`` to ``end`` of a turn's text, placeholders over anything private in them."""
    quote, at = "", start
    for span in spans:
        if span.end > at and span.start < end:
            quote += f"{text[at : max(at, span.start)]}{span.placeholder}"
            at = span.end
    return quote + text[at:end]


def _redact_turn(turn: Turn, spans: Sequence[PrivateSpan]) -> Turn:
    places = TurnClock(turn).places
    words: tuple[Word, ...] = ()
    if places is not None:
        words = tuple(_redact_words(turn.words, places, spans))
    return replace(turn, text=masked(turn.text, 0, len(turn.text), spans), words=words)


def _redact_words(
    words: Sequence[Word], places: Sequence[tuple[int, int]], spans: Sequence[PrivateSpan]
) -> Iterator[Word]:
    """The words with each span's words melted into its placeholder."""
    covered = [next((s for s in spans if a < s.end and s.start < b), None) for a, b in places]
    for span, group in groupby(zip(covered, words, strict=True), key=itemgetter(0)):
        said = [word for _, word in group]
        if span is None:
            yield from said
        else:
            yield replace(said[0], text=span.placeholder, end_s=max(word.end_s for word in said))


def _times(clock: TurnClock, start: int, end: int) -> tuple[float | None, float | None]:
    """When characters were said, with a margin: narrow by word times, wide by share of the turn."""
    start_s, end_s = clock.when(start, end)
    if start_s is None or end_s is None:
        return None, None
    if clock.places:
        return max(0.0, start_s - MARGIN_S), end_s + MARGIN_S
    first_s, last_s = clock.turn.start_s or 0.0, clock.turn.end_s or end_s
    slack_s = max(MARGIN_S, 0.1 * (last_s - first_s))
    return max(first_s, start_s - slack_s), min(last_s, end_s + slack_s)
