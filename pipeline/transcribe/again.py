"""Parts of turns heard again by another engine, and its words put in the place of the first ones.

The parts of one channel are joined, with a pause between them, so that they fill few of the windows of 30 s
that cost the same full or not. A part in which nothing is heard the second time keeps its first words.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, Role, Transcript, Turn, Word
from pipeline.errors import RecordingError
from pipeline.privacy import PLACEHOLDER
from pipeline.transcribe.job import Job
from pipeline.turns import mean_confidence
from pipeline.word_times import TurnClock

MARGIN_S = 0.2
"""Heard before and after a part: the pauses by which voice activity finds its edges."""
PAUSE_S = 0.6
"""Between parts that are joined; voice activity then never takes two for one."""

AROUND_S = 2.0
"""Heard with the words that matter: what a recogniser makes of a word depends on those around it."""
PHRASE_GAP_S = 0.3
"""A pause in which a phrase ends: cut where nobody pauses, words at the edges are lost."""


@dataclass(frozen=True, slots=True, order=True)
class Part:
    """Words ``first`` to ``last`` (included) of a turn, by their places in it."""

    turn: int
    first: int
    last: int


Span = tuple[Role, float, float]
"""Whose speech, from second, to second."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """A part's sound, from ``start_s`` to ``end_s`` of the recording, at ``at_s`` of what is joined."""

    part: Part
    start_s: float
    end_s: float
    at_s: float


def parts_of(transcript: Transcript, spans: Iterable[Span], share: float) -> tuple[Part, ...]:
    """The parts of turns in which something was said, as far as they may be heard again.

    Turns from which privacy took something, and those beside them, may not: their numbers, heard in part,
    would no longer be found.

    Args:
        transcript: With roles, redacted.
        spans: Whose words, and when; those that matter most first.
        share: Of the time in which words are said that may be heard again; spans beyond it are left out.
    """
    left_s = share * sum(_seconds(turn, range(len(turn.words))) for turn in transcript.turns)
    private = {turn.turn for turn in transcript.turns if PLACEHOLDER.search(turn.text)}
    beside = {n + step for n in private for step in (-2, -1, 0, 1, 2)}
    chosen: dict[int, set[int]] = defaultdict(set)
    for role, start_s, end_s in spans:
        for turn in transcript.turns:
            if turn.role != role or turn.turn in beside or not turn.words or TurnClock(turn).places is None:
                continue
            if (turn.end_s or 0.0) < start_s or (turn.start_s or 0.0) > end_s:
                continue
            more = _around(turn, start_s, end_s) - chosen[turn.turn]
            if (length_s := _seconds(turn, more)) <= left_s:
                chosen[turn.turn] |= more
                left_s -= length_s
    return tuple(part for number in sorted(chosen) for part in _runs(number, chosen[number]))


def _seconds(turn: Turn, places: Iterable[int]) -> float:
    """How long words take; a hundred that were made up in no time take none."""
    return sum(turn.words[place].end_s - turn.words[place].start_s for place in places)


def _around(turn: Turn, start_s: float, end_s: float) -> set[int]:
    """The words of a turn said in a span or shortly before or after, by their places, in whole phrases."""
    near = [
        n
        for n, word in enumerate(turn.words)
        if word.end_s >= start_s - AROUND_S and word.start_s <= end_s + AROUND_S
    ]
    if not near:
        return set()
    ends = [n for n, (one, other) in enumerate(pairwise(turn.words)) if _ends_phrase(one, other)]
    first = max((n + 1 for n in ends if n < near[0]), default=0)
    last = min((n for n in ends if n >= near[-1]), default=len(turn.words) - 1)
    return set(range(first, last + 1))


def _ends_phrase(word: Word, following: Word) -> bool:
    return word.text.endswith((".", "?", "!")) or following.start_s - word.end_s >= PHRASE_GAP_S


def _runs(number: int, words: Collection[int]) -> Iterator[Part]:
    """Words of a turn as parts of it, each without a gap."""
    for _, run in groupby(enumerate(sorted(words)), lambda at: at[1] - at[0]):
        places = [place for _, place in run]
        yield Part(number, places[0], places[-1])


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Parts of one channel of a call as one short recording: what an engine is asked, and where they lie."""

    job: Job
    pieces: tuple[_Piece, ...]


def excerpts(job: Job, transcript: Transcript, parts: Collection[Part]) -> tuple[Excerpt, ...]:
    """The sound of parts of a call, one excerpt a channel.

    Args:
        job: What the first engine was asked.
        transcript: What it heard.
        parts: Of the transcript's turns.
    """
    heard_as = {turn.language for turn in transcript.turns}
    if job.language is None and len(heard_as) == 1:  # an excerpt may be too short to tell it by
        job = replace(job, language=heard_as.pop())
    pieces = _by_channel(transcript, parts)
    clips = {c: replace(job.clip, samples=_joined(job.clip, c, own)[None]) for c, own in pieces.items()}
    return tuple(Excerpt(replace(job, clip=clips[channel]), tuple(own)) for channel, own in pieces.items())


def put_in(
    transcript: Transcript, asked: Sequence[Excerpt], heard: Sequence[Transcript | RecordingError]
) -> Transcript:
    """The transcript with what was heard in its excerpts; what could not be heard stays as it was.

    Args:
        transcript: As heard first.
        asked: Its excerpts.
        heard: What came of each, in the same order.
    """
    for excerpt, result in zip(asked, heard, strict=True):
        if isinstance(result, Transcript):
            transcript = _put_in(transcript, excerpt.pieces, result)
    return transcript


def spans_of(transcript: Transcript, parts: Collection[Part]) -> tuple[Span, ...]:
    """Whose words the parts are, and when they were said."""
    by_number = {turn.turn: turn for turn in transcript.turns}
    return tuple(
        (by_number[piece.part.turn].role, piece.start_s, piece.end_s)
        for pieces in _by_channel(transcript, parts).values()
        for piece in pieces
    )


def _by_channel(transcript: Transcript, parts: Collection[Part]) -> dict[int, list[_Piece]]:
    """The parts with their places in the joined sound of each channel."""
    pieces: dict[int, list[_Piece]] = defaultdict(list)
    by_number = {turn.turn: turn for turn in transcript.turns}
    for part in sorted(set(parts)):
        turn = by_number[part.turn]
        own = pieces[turn.channel or 0]
        start_s, end_s = _edges(transcript, turn, part)
        at_s = own[-1].at_s + own[-1].end_s - own[-1].start_s + PAUSE_S if own else PAUSE_S
        own.append(_Piece(part, start_s, end_s, at_s))
    return pieces


def _edges(transcript: Transcript, turn: Turn, part: Part) -> tuple[float, float]:
    """Start and end of a part with its margins, which hold no word of another part of its channel."""
    said = turn.words[part.first : part.last + 1]
    first_s, last_s = said[0].start_s, max(word.end_s for word in said)
    beside = [word for other in transcript.turns if other.channel == turn.channel for word in other.words]
    before_s = max((w.end_s for w in beside if w.start_s < first_s), default=0.0)
    after_s = min((w.start_s for w in beside if w.start_s >= last_s), default=math.inf)
    return max(first_s - MARGIN_S, min(before_s, first_s)), min(last_s + MARGIN_S, after_s)


def _joined(clip: AudioClip, channel: int, pieces: Sequence[_Piece]) -> npt.NDArray[np.float32]:
    """The sound of the pieces, each at its place, silence between: float32 (n_samples,)."""
    last = pieces[-1]
    length_s = last.at_s + last.end_s - last.start_s + PAUSE_S
    joined = np.zeros(int(length_s * SAMPLE_RATE_HZ) + 1, np.float32)
    for piece in pieces:
        begin = int(piece.start_s * SAMPLE_RATE_HZ)
        sound = clip.samples[channel, begin : int(piece.end_s * SAMPLE_RATE_HZ)]
        at = int(piece.at_s * SAMPLE_RATE_HZ)
        joined[at : at + len(sound)] = sound
    return joined


Spelt = tuple[str, Word]
"""A word as it stands in the text, with what stands before it there, and the word."""


def _spelt(turns: Sequence[Turn]) -> list[Spelt]:
    """The words of turns as they stand in the text."""
    spelt = []
    for turn in turns:
        places = TurnClock(turn).places
        if places is None:
            continue
        ends = [0, *(end for _, end in places)]
        for (before, end), word in zip(pairwise(ends), turn.words, strict=True):
            text = turn.text[before:end]
            spelt.append((text if before else f" {text}", word))
    return spelt


def _put_in(transcript: Transcript, pieces: Sequence[_Piece], heard: Transcript) -> Transcript:
    """The transcript with the words heard in each piece in the place of its own."""
    spelt = _spelt(heard.turns)
    turns = {turn.turn: turn for turn in transcript.turns}
    for piece in reversed(pieces):  # from the last on, so that words of a turn keep their places
        shift_s = piece.start_s - piece.at_s
        length_s = piece.end_s - piece.start_s
        own = [
            (text, _shifted(word, shift_s))
            for text, word in spelt
            if 0 <= (word.start_s + word.end_s) / 2 - piece.at_s < length_s
        ]
        turns[piece.part.turn] = _respelt(turns[piece.part.turn], piece.part, own)
    return replace(transcript, turns=tuple(turns[turn.turn] for turn in transcript.turns))


def _shifted(word: Word, by_s: float) -> Word:
    return replace(word, start_s=round(word.start_s + by_s, 3), end_s=round(word.end_s + by_s, 3))


def _respelt(turn: Turn, part: Part, own: Sequence[Spelt]) -> Turn:
    """A turn with other words in the place of a part of its own; without any, as it was."""
    places = TurnClock(turn).places
    if not own or places is None:
        return turn
    text = "".join(said for said, _ in own).strip()
    words = (*turn.words[: part.first], *(word for _, word in own), *turn.words[part.last + 1 :])
    return replace(
        turn,
        text=f"{turn.text[: places[part.first][0]]}{text}{turn.text[places[part.last][1] :]}",
        words=words,
        confidence=mean_confidence(words),
    )
