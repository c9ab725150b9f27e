"""Finds private data in a transcript and replaces it in the text and the words.

``process`` redacts right after transcription and before anything is written, so that data the policy forbids
is never stored; a placeholder ("[CARD]") with the same times remains. ``annotate`` reports private data of
the other kinds. Only patterns and check digits are used, no model: tens of thousands of words per second,
with the same result on every machine.
"""

from __future__ import annotations

import re
from collections import defaultdict
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
MIN_ECHO_DIGITS = 3  # two digits of a number reveal nothing, and occur in many harmless numbers
ECHO_TURNS = 4  # within this many turns, a private number may be read back
ASKED_TURNS = 4  # within this many turns before its answer, a question is looked for
MIN_ASKED_WORDS = 1  # a turn of no more words ("uh", "yes?") is skipped in looking for the question
CODE_CUE = re.compile(r"(?<!zip )(?<!post )(?<!promo )(?<!area )\b(?:code|c[oó]digo)\b[^\n]*\n?[^\n]*$")
MARGIN_S = 0.15  # about the error of recognised word times


@dataclass(frozen=True, slots=True)
class PrivateSpan:
    """Private data in a turn.

    Attributes:
        kind: One of ``KINDS`` (``settings.PrivateKind``).
        turn: Position of the turn in the transcript.
        start, end: Characters in the turn's text.
        start_s, end_s: Seconds with a margin for audio; None if the turn has no times.
        channel: Audio channel; None if unknown.
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
        """The text that replaces it."""
        return f"[{self.kind.upper()}]"


def find(transcript: Transcript) -> tuple[PrivateSpan, ...]:
    """All private data of a transcript in order, without overlaps; placeholders are included."""
    turns = transcript.turns
    found: list[tuple[int, int, int, str]] = []
    for position, turn in enumerate(turns):
        found += [(position, m.start(), m.end(), m[1].lower()) for m in PLACEHOLDER.finditer(turn.text)]
        question = _question_before(turns, position)
        found += [(position, start, end, kind) for kind, start, end in phrases.find(turn.text, question)]
    runs = [part for run in numbers.runs(turns, transcript.language) for part in rules.kinds(run, turns)]
    told = _private_numbers(runs)
    runs = [(run, _code_of_card(run, kind, told) or kind) for run, kind in runs]
    private_numbers = _private_numbers(runs)
    for run, kind_of_run in runs:
        for part, kind in _with_echoes(run, kind_of_run, private_numbers, turns):
            found += [(turn, start, end, kind) for turn, start, end in _places(part, turns)]
    spans = _without_overlaps(found)
    clocks = {turn: TurnClock(turns[turn]) for turn in {span[0] for span in spans}}
    return tuple(
        PrivateSpan(kind, turn, start, end, *_times(clocks[turn], start, end), turns[turn].channel)
        for turn, start, end, kind in spans
    )


def _question_before(turns: Sequence[Turn], position: int) -> str:
    """What the other side said before a turn; turns of one word ("uh", "yes?") in between are skipped."""
    turn = turns[position]
    for earlier in reversed(turns[max(0, position - ASKED_TURNS) : position]):
        if count_words(earlier.text) > MIN_ASKED_WORDS:
            if earlier.role != turn.role or turn.role == "unknown":
                return earlier.text
            break
    before = turns[position - 1] if position else None
    return before.text if before is not None and before.role != turn.role else ""


PrivateNumbers = Mapping[int, Sequence[tuple[numbers.Run, str]]]
"""For each turn, the private numbers said in it or at most ``ECHO_TURNS`` before, with their kinds."""


def _private_numbers(runs: Iterable[tuple[numbers.Run, str | None]]) -> PrivateNumbers:
    by_turn: dict[int, list[tuple[numbers.Run, str]]] = defaultdict(list)
    for run, kind in runs:
        if kind is not None:
            for turn in range(run.tokens[0].turn, run.tokens[-1].turn + ECHO_TURNS + 1):
                by_turn[turn].append((run, kind))
    return by_turn


def _with_echoes(
    run: numbers.Run, kind: str | None, private_numbers: PrivateNumbers, turns: Sequence[Turn]
) -> Iterator[tuple[numbers.Run, str]]:
    """A run if it is private itself, and its parts that repeat a private number, with their kinds.

    A part may get two kinds, of which the stricter counts: a PIN read back after talk of an account is a PIN.
    """
    if kind is not None:
        yield run, kind
    for part in (run, *(numbers.parts(run, run.breaks, turns) if run.breaks else ())):
        echoed = _echoed(part, private_numbers)
        if echoed is not None:
            yield part, echoed


def _code_of_card(run: numbers.Run, kind: str | None, private_numbers: PrivateNumbers) -> str | None:
    """``cvv`` if the run is "the code" told after a card's number or expiry date; else None.

    A number that the cue words make an expiry date is one if no other date was told before it.
    """
    if not cues.fits("cvv", len(run.digits)) or not CODE_CUE.search(run.before) or rules.is_cleared(run):
        return None
    near = private_numbers.get(run.tokens[0].turn, ())
    if kind == "expiry":
        begins = run.tokens[0].turn, run.tokens[0].start
        near = [
            (number, told)
            for number, told in near
            if told == "expiry"
            and number.digits != run.digits
            and (number.tokens[0].turn, number.tokens[0].start) < begins
        ]
    elif kind is not None:
        return None
    return "cvv" if any(told in ("card", "expiry") for _, told in near) else None


def _echoed(run: numbers.Run, private_numbers: PrivateNumbers) -> str | None:
    """The kind of the private number of which a run repeats a part, as agents do to confirm it.

    Between the first and the last turn of the private number, two digits are enough.
    """
    first, last = run.tokens[0].turn, run.tokens[-1].turn
    near = [number for turn in range(first, last + 1) for number in private_numbers.get(turn, ())]
    near = [(number, kind) for number, kind in near if run.digits in number.digits]
    is_quantity = len(run.digits) <= MIN_ECHO_DIGITS and rules.is_quantity(run)
    if len(run.digits) < MIN_ECHO_DIGITS or is_quantity:
        near = [(n, kind) for n, kind in near if n.tokens[0].turn < first and last < n.tokens[-1].turn]
    return min((kind for _, kind in near), key=KINDS.index, default=None)


def _places(run: numbers.Run, turns: Sequence[Turn]) -> Iterator[tuple[int, int, int]]:
    """Turn, start and end of the part of a run in each turn, from its first to its last digit there."""
    for turn in sorted({token.turn for token in run.tokens}):
        digits = [token for token in run.tokens if token.turn == turn and token.digits]
        if digits:
            start = digits[0].start
            while start and turns[turn].text[start - 1] in "(+":  # "(415) 555" includes its bracket
                start -= 1
            yield turn, start, digits[-1].end


def _without_overlaps(found: Sequence[tuple[int, int, int, str]]) -> list[tuple[int, int, int, str]]:
    """Finds (turn, start, end, kind), overlapping ones joined under the strictest kind."""
    merged: list[tuple[int, int, int, str]] = []
    for turn, start, end, kind in sorted(found):
        if merged and merged[-1][0] == turn and start < merged[-1][2]:
            _, first, last, other = merged[-1]
            merged[-1] = (turn, first, max(last, end), min(kind, other, key=KINDS.index))
        else:
            merged.append((turn, start, end, kind))
    return merged


def redact(transcript: Transcript, privacy: PrivacySettings) -> tuple[Transcript, tuple[PrivateSpan, ...]]:
    """Replace the private data that the policy forbids to keep: the kinds in ``privacy.redact``.

    Returns:
        The transcript with ``[KIND]`` in place of each find, in the text and as one word with the find's
        times; and the finds, with their offsets in the original text.
    """
    spans = tuple(span for span in find(transcript) if span.kind in privacy.redact)
    spans_of = by_turn(spans)
    turns = tuple(
        _redact_turn(turn, spans_of[position]) if position in spans_of else turn
        for position, turn in enumerate(transcript.turns)
    )
    return replace(transcript, turns=turns), spans


def redact_text(text: str, privacy: PrivacySettings) -> str:
    """A single text, redacted without its context."""
    turn = Turn(turn=0, role="unknown", text=text)
    redacted, _ = redact(Transcript(call_id="", turns=(turn,)), privacy)
    return redacted.turns[0].text


def by_turn(spans: Iterable[PrivateSpan]) -> dict[int, list[PrivateSpan]]:
    """The spans of each turn, by its position."""
    spans_of: dict[int, list[PrivateSpan]] = defaultdict(list)
    for span in spans:
        spans_of[span.turn].append(span)
    return spans_of


def masked(text: str, start: int, end: int, spans: Sequence[PrivateSpan]) -> str:
    """Characters ``start`` to ``end`` of a turn's text, with placeholders for the private spans in them."""
    quote, at = "", start
    for span in spans:
        if span.end > at and span.start < end:
            quote += f"{text[at : max(at, span.start)]}{span.placeholder}"
            at = span.end
    return quote + text[at:end]


def _redact_turn(turn: Turn, spans: Sequence[PrivateSpan]) -> Turn:
    places = TurnClock(turn).places
    words = () if places is None else tuple(_redact_words(turn.words, places, spans))
    return replace(turn, text=masked(turn.text, 0, len(turn.text), spans), words=words)


def _redact_words(
    words: Sequence[Word], places: Sequence[tuple[int, int]], spans: Sequence[PrivateSpan]
) -> Iterator[Word]:
    """The words, with the words of each private span replaced by one placeholder."""
    covered = [next((s for s in spans if a < s.end and s.start < b), None) for a, b in places]
    for span, group in groupby(zip(covered, words, strict=True), key=itemgetter(0)):
        said = [word for _, word in group]
        if span is None:
            yield from said
        else:
            yield replace(said[0], text=span.placeholder, end_s=max(word.end_s for word in said))


def _times(clock: TurnClock, start: int, end: int) -> tuple[float | None, float | None]:
    """When characters were said, with a margin: small if words have times, else a tenth of the turn."""
    start_s, end_s = clock.when(start, end)
    if start_s is None or end_s is None:
        return None, None
    if clock.places:
        return max(0.0, start_s - MARGIN_S), end_s + MARGIN_S
    first_s, last_s = clock.turn.start_s or 0.0, clock.turn.end_s or end_s
    slack_s = max(MARGIN_S, 0.1 * (last_s - first_s))
    return max(first_s, start_s - slack_s), min(last_s, end_s + slack_s)
