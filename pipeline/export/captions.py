"""Transcripts for players and diarisation tools: SubRip, WebVTT with voices, RTTM."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass, replace

from pipeline.conversation import Transcript, Turn, Word
from pipeline.csv_safety import clean
from pipeline.export.names import FileNames
from pipeline.text.words import spaced

LONGEST_CUE_S = 7.0
LONGEST_CUE_CHARS = 84
"""Two lines of 42 characters for seven seconds: the usual limits of subtitling guides (BBC, Netflix)."""
VOICES = {"agent": "Agent", "customer": "Customer", "system": "System", "unknown": "Speaker"}


@dataclass(frozen=True, slots=True)
class Cue:
    """A part of one turn that is short enough for a caption; times in seconds."""

    role: str
    start_s: float
    end_s: float
    text: str


def cues(transcript: Transcript) -> Iterator[Cue]:
    """The cues of every turn with times, in order of time; turns without times are left out."""
    timed = [t for t in transcript.turns if t.start_s is not None and t.end_s is not None and t.text.strip()]
    for turn in sorted(timed, key=lambda t: (t.start_s, t.turn)):
        words: list[Word] = []
        for word in _timed_words(turn):
            chars = sum(len(earlier.text) + 1 for earlier in words) + len(word.text)
            if words and (chars > LONGEST_CUE_CHARS or word.end_s - words[0].start_s > LONGEST_CUE_S):
                yield _cue(turn.role, words)
                words = []
            words.append(word)
        if words:
            yield _cue(turn.role, words)


def _timed_words(turn: Turn) -> Iterator[Word]:
    """Each word of the turn, ending no sooner than it starts; without word times, shares of the turn's."""
    if turn.words:
        yield from (replace(word, end_s=max(word.start_s, word.end_s)) for word in turn.words)
        return
    pieces = spaced(turn.text)
    at, end_s = turn.start_s or 0.0, turn.end_s or 0.0
    per_letter = (end_s - at) / max(sum(map(len, pieces)), 1)
    for piece in pieces:
        yield Word(piece, at, at + len(piece) * per_letter)
        at += len(piece) * per_letter


def _cue(role: str, words: list[Word]) -> Cue:
    start_s, end_s = words[0].start_s, max(word.end_s for word in words)
    text = clean(" ".join(word.text for word in words))
    return Cue(role, start_s, max(end_s, start_s + 0.001), " ".join(text.split()))


def srt(transcript: Transcript) -> str:
    """The transcript as SubRip; the speaker is named where the speaker changes."""
    blocks, last = [], ""
    for number, cue in enumerate(cues(transcript), start=1):
        speaker = f"{VOICES[cue.role]}: " if cue.role != last else ""
        last = cue.role
        text = cue.text.replace("-->", "->").replace("<", "‹").replace(">", "›")  # SubRip cannot escape these
        blocks.append(f"{number}\n{_stamp(cue.start_s, ',')} --> {_stamp(cue.end_s, ',')}\n{speaker}{text}\n")
    return "\n".join(blocks)


def vtt(transcript: Transcript) -> str:
    """The transcript as WebVTT with a voice tag in each cue (W3C WebVTT, section 3.3)."""
    blocks = ["WEBVTT\n"]
    for cue in cues(transcript):
        text = html.escape(cue.text, quote=False)
        voice = VOICES[cue.role]
        blocks.append(f"{_stamp(cue.start_s, '.')} --> {_stamp(cue.end_s, '.')}\n<v {voice}>{text}\n")
    return "\n".join(blocks)


def rttm(transcript: Transcript) -> str:
    """NIST Rich Transcription Time Marked: a SPEAKER line of ten columns per turn; channels count from 1."""
    name = FileNames().of(transcript.call_id)
    lines = []
    for turn in transcript.turns:
        if turn.start_s is None or turn.end_s is None:
            continue
        channel = 1 if turn.channel is None else turn.channel + 1
        length = max(turn.end_s - turn.start_s, 0.0)
        lines.append(
            f"SPEAKER {name} {channel} {turn.start_s:.3f} {length:.3f} <NA> <NA> {turn.role} <NA> <NA>\n"
        )
    return "".join(lines)


def _stamp(seconds: float, decimal: str) -> str:
    ms = max(0, round(seconds * 1000))
    return f"{ms // 3_600_000:02d}:{ms // 60_000 % 60:02d}:{ms // 1000 % 60:02d}{decimal}{ms % 1000:03d}"
