"""Cuts parts of turns out for a second engine, and replaces their words by that engine's words.

The parts of a channel are joined with pauses between them, because a window costs the same whether it is
full or not. A part in which the second engine finds no words keeps its first words.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, RoleSpan, Transcript, Turn, Word
from pipeline.errors import RecordingError
from pipeline.privacy import PLACEHOLDER
from pipeline.text.words import words as normalised
from pipeline.transcribe import Job
from pipeline.turns import mean_confidence
from pipeline.word_times import TurnClock

MARGIN_S = 0.2
"""Audio kept before and after a part, so that the VAD finds where its speech begins and ends."""
PAUSE_S = 0.6
"""Silence between joined parts, long enough that the VAD never takes two parts for one."""

CONTEXT_S = 2.0
"""Speech included around the words that matter, because recognition needs context."""
PHRASE_GAP_S = 0.3
"""A pause that ends a phrase. Parts are cut at such pauses, since other cuts lose words at the edges."""

ALIKE = 0.6
"""Share of characters in common, in order, from which two texts may be of the same words."""


class Part(NamedTuple):
    """Words of a turn: number of the turn, indices of the first and the last word (inclusive)."""

    turn: int
    first: int
    last: int


class _AudioPiece(NamedTuple):
    """The audio of a part: ``start_s`` to ``end_s`` in the recording, from ``at_s`` on in the excerpt."""

    part: Part
    start_s: float
    end_s: float
    at_s: float

    @property
    def until_s(self) -> float:
        return self.at_s + self.end_s - self.start_s


@dataclass(frozen=True, slots=True)
class Excerpt:
    """Parts of one channel of a call joined to a short recording, as a job, with the place of each part."""

    job: Job
    pieces: tuple[_AudioPiece, ...]


def parts_of(transcript: Transcript, spans: Iterable[RoleSpan], share: float) -> tuple[Part, ...]:
    """The parts of turns to transcribe again for some spans of speech.

    Turns with redacted private data, and the two turns before and after each, are left out: if only a part
    of a number were transcribed again, it would no longer be recognised as private.

    Args:
        transcript: With roles, redacted.
        spans: The speech to transcribe again, most important first.
        share: Share of all speaking time to transcribe again at most; spans that do not fit in are left out.
    """
    budget_s = share * sum(_seconds(turn, range(len(turn.words))) for turn in transcript.turns)
    private = {turn.turn for turn in transcript.turns if PLACEHOLDER.search(turn.text)}
    near_private = {n + step for n in private for step in (-2, -1, 0, 1, 2)}
    chosen: dict[int, set[int]] = defaultdict(set)
    for role, start_s, end_s in spans:
        for turn in transcript.turns:
            if turn.role != role or turn.turn in near_private or not TurnClock(turn).places:
                continue
            if (turn.end_s or 0.0) < start_s or (turn.start_s or 0.0) > end_s:
                continue
            more = _words_near(turn, start_s, end_s) - chosen[turn.turn]
            length_s = _seconds(turn, more)
            if length_s <= budget_s:
                chosen[turn.turn] |= more
                budget_s -= length_s
    return tuple(part for number in sorted(chosen) for part in _runs(number, chosen[number]))


def _seconds(turn: Turn, indices: Iterable[int]) -> float:
    """Sum of the lengths of some words of a turn."""
    return sum(turn.words[n].end_s - turn.words[n].start_s for n in indices)


def _words_near(turn: Turn, start_s: float, end_s: float) -> set[int]:
    """Indices of the words said within ``CONTEXT_S`` of a span, extended to whole phrases."""
    near = [
        n
        for n, word in enumerate(turn.words)
        if word.end_s >= start_s - CONTEXT_S and word.start_s <= end_s + CONTEXT_S
    ]
    if not near:
        return set()
    ends = [
        n
        for n, (word, following) in enumerate(pairwise(turn.words))
        if word.text.endswith((".", "?", "!")) or following.start_s - word.end_s >= PHRASE_GAP_S
    ]
    first = max((n + 1 for n in ends if n < near[0]), default=0)
    last = min((n for n in ends if n >= near[-1]), default=len(turn.words) - 1)
    return set(range(first, last + 1))


def _runs(number: int, indices: Collection[int]) -> Iterator[Part]:
    """Words of turn ``number``, given by their indices, as parts of consecutive words."""
    for _, run in groupby(enumerate(sorted(indices)), lambda pair: pair[1] - pair[0]):
        consecutive = [index for _, index in run]
        yield Part(number, consecutive[0], consecutive[-1])


def excerpts(job: Job, transcript: Transcript, parts: Collection[Part]) -> tuple[Excerpt, ...]:
    """The audio of parts of a call, as one excerpt per channel.

    Args:
        job: The job of the first engine.
        transcript: The transcript the first engine made.
        parts: Parts of the transcript's turns.
    """
    languages = {turn.language for turn in transcript.turns}
    if job.language is None and len(languages) == 1:  # an excerpt may be too short to detect the language
        job = replace(job, language=languages.pop())
    found = []
    for channel, pieces in _by_channel(transcript, parts).items():
        clip = replace(job.clip, samples=_joined(job.clip, channel, pieces)[None])
        found.append(Excerpt(replace(job, clip=clip), tuple(pieces)))
    return tuple(found)


def spans_of(transcript: Transcript, parts: Collection[Part]) -> tuple[RoleSpan, ...]:
    """Role, start and end of each part."""
    by_number = {turn.turn: turn for turn in transcript.turns}
    return tuple(
        (by_number[piece.part.turn].role, piece.start_s, piece.end_s)
        for pieces in _by_channel(transcript, parts).values()
        for piece in pieces
    )


def _by_channel(transcript: Transcript, parts: Collection[Part]) -> dict[int, list[_AudioPiece]]:
    """The pieces of each channel's excerpt, in the order of the recording."""
    channels: dict[int, list[_AudioPiece]] = defaultdict(list)
    by_number = {turn.turn: turn for turn in transcript.turns}
    for part in sorted(set(parts)):
        turn = by_number[part.turn]
        pieces = channels[turn.channel or 0]
        start_s, end_s = _edges(transcript, turn, part)
        previous_end_s = pieces[-1].until_s if pieces else 0.0
        pieces.append(_AudioPiece(part, start_s, end_s, previous_end_s + PAUSE_S))
    return channels


def _edges(transcript: Transcript, turn: Turn, part: Part) -> tuple[float, float]:
    """Start and end of a part with its margins, which are cut off at the next words of the channel."""
    said = turn.words[part.first : part.last + 1]
    first_s, last_s = said[0].start_s, max(word.end_s for word in said)
    words = [word for other in transcript.turns if other.channel == turn.channel for word in other.words]
    before_s = max((w.end_s for w in words if w.start_s < first_s), default=0.0)
    after_s = min((w.start_s for w in words if w.start_s >= last_s), default=math.inf)
    return max(first_s - MARGIN_S, min(before_s, first_s)), min(last_s + MARGIN_S, after_s)


def _joined(clip: AudioClip, channel: int, pieces: Sequence[_AudioPiece]) -> npt.NDArray[np.float32]:
    """The audio of the pieces, each at its place, with silence between: float32 (n_samples,)."""
    joined = np.zeros(int((pieces[-1].until_s + PAUSE_S) * SAMPLE_RATE_HZ) + 1, np.float32)
    for piece in pieces:
        begin = int(piece.start_s * SAMPLE_RATE_HZ)
        sound = clip.samples[channel, begin : int(piece.end_s * SAMPLE_RATE_HZ)]
        at = int(piece.at_s * SAMPLE_RATE_HZ)
        joined[at : at + len(sound)] = sound
    return joined


def put_in(
    transcript: Transcript, asked: Sequence[Excerpt], heard: Sequence[Transcript | RecordingError]
) -> Transcript:
    """The transcript with the second engine's words in its excerpts; an excerpt that failed changes nothing.

    Args:
        transcript: The transcript of the first engine.
        asked: The transcript's excerpts.
        heard: What the second engine returned for each excerpt, in the same order.
    """
    turns = {turn.turn: turn for turn in transcript.turns}
    for excerpt, result in zip(asked, heard, strict=True):
        if isinstance(result, Transcript):
            spelled = [pair for turn in result.turns for pair in _spelled(turn)]
            for piece in reversed(excerpt.pieces):  # last first: the word indices of earlier parts stay valid
                turns[piece.part.turn] = _respelled(turns[piece.part.turn], piece, spelled)
    return replace(transcript, turns=tuple(turns.values()))


def _spelled(turn: Turn) -> Iterator[tuple[str, Word]]:
    """Each word after its spelling in the text, with the spaces and punctuation before it."""
    before = 0
    for (_, end), word in zip(TurnClock(turn).places or (), turn.words, strict=False):
        yield turn.text[before:end] if before else f" {turn.text[:end]}", word
        before = end


def _respelled(turn: Turn, piece: _AudioPiece, spelled: Sequence[tuple[str, Word]]) -> Turn:
    """A turn with a piece's words replaced by the second engine's, unless those are missing or invented."""
    by_s, length_s = piece.start_s - piece.at_s, piece.end_s - piece.start_s
    heard = [
        (text, replace(word, start_s=round(word.start_s + by_s, 3), end_s=round(word.end_s + by_s, 3)))
        for text, word in spelled
        if 0 <= (word.start_s + word.end_s) / 2 - piece.at_s < length_s
    ]
    places = TurnClock(turn).places
    if not heard or not places:
        return turn
    _, first, last = piece.part
    begin, end = places[first][0], places[last][1]
    text, new = "".join(spelling for spelling, _ in heard).strip(), [word for _, word in heard]
    if _is_made_up(turn.text[begin:end], turn.words[first : last + 1], text, new):
        return turn
    words = (*turn.words[:first], *new, *turn.words[last + 1 :])
    text = f"{turn.text[:begin]}{text}{turn.text[end:]}"
    return replace(turn, text=text, words=words, confidence=mean_confidence(words))


def _is_made_up(old_text: str, old_words: Sequence[Word], new_text: str, new_words: Sequence[Word]) -> bool:
    """Whether new words have little in common with the first ones, and less confidence.

    Both are of the same sound, so one of the two transcripts is invented. That may be the larger model's: it
    may repeat one part of an excerpt in the place of the next.
    """
    old_plain, new_plain = (" ".join(normalised(text).words) for text in (old_text, new_text))
    alike = SequenceMatcher(None, old_plain, new_plain, autojunk=False).ratio()
    old, new = mean_confidence(old_words), mean_confidence(new_words)
    return alike < ALIKE and old is not None and new is not None and new < old
