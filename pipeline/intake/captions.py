"""Subtitles as transcripts: SubRip and WebVTT.

https://www.w3.org/TR/webvtt1/ (cues, voices ``<v Agent>``, notes and styles) and
https://www.matroska.org/technical/subtitles.html (SubRip). Who speaks is told by a voice, or stands before
the text (``Agent: hello``); cues that follow in the same voice are one turn.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.conversation import Turn
from pipeline.errors import RecordingError
from pipeline.intake import pieces
from pipeline.intake.formats import labels
from pipeline.turns import TURN_PAUSE_S, TimedWord

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 32 * 2**20
"""Larger than any call's subtitles by far: an hour of talk has about 60 kB."""
_STAMP = r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*({_STAMP})\s*-->\s*({_STAMP})(?:\s|$)", re.A)
_VOICE = re.compile(r"<v(?:\.[^\s>]{1,64})?[ \t]+([^>]{1,200})>", re.I)
_TAG = re.compile(r"<[^>]{0,200}>|\{\\[^}]{0,200}\}")


def are_captions(head: str) -> bool:
    """Whether a text begins as WebVTT or SubRip does."""
    begun = head.lstrip("\ufeff\r\n \t")
    if begun.startswith("WEBVTT"):
        return True
    lines = begun.splitlines()[:2]
    return any(_TIMING.match(line) for line in lines)


def turns(path: Path) -> tuple[Turn, ...]:
    """What a subtitle file says, in order of time.

    Raises:
        RecordingError: It is too large, cannot be read or has no cue.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecordingError(
                f"{path.name} is larger than {MAX_BYTES >> 20} MB", hint="is it one call?", reason="too_large"
            )
        cues = _named(list(_cues(_decoded(path.read_bytes()))))
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read: {error.strerror}", reason="unreadable") from error
    if not cues:
        raise RecordingError(
            f"{path.name} is named as subtitles, but has no cue with a time and words",
            hint="a cue is a line such as 00:00:01.000 --> 00:00:02.500 and the words below it",
            reason="not_transcript",
        )
    return pieces.ordered(
        pieces.turn(cue.text, cue.start_s, cue.end_s, speaker=cue.speaker) for cue in _joined(cues)
    )


def _decoded(content: bytes) -> str:
    """UTF-8, UTF-16 with its mark, else Windows' Latin letters, in which older tools write."""
    for encoding in ("utf-8-sig", "utf-16" if content[:2] in {b"\xff\xfe", b"\xfe\xff"} else "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _cues(content: str) -> Iterator[TimedWord]:
    """Every block with a timing line, as if it were one word; notes, styles and numbers have none."""
    timing, said = None, list[str]()
    for line in [*content.splitlines(), ""]:
        found = _TIMING.match(line)
        if found is None and line.strip():
            said.append(line)
            continue
        if timing is not None:
            if found is not None and said and said[-1].strip().isdecimal():
                said.pop()  # the next cue's number, where no empty line stands before it
            if cue := _cue(timing, " ".join(said)):
                yield cue
            timing = None
        said = []
        if found is not None:
            timing = (found[1], found[2])


def _cue(timing: tuple[str, str], said: str) -> TimedWord | None:
    start_s, end_s = map(pieces.clock, timing)
    voice = _VOICE.search(said)
    words = " ".join(html.unescape(_TAG.sub("", said)).split())
    return pieces.word(words, start_s, end_s, speaker=html.unescape(voice[1]) if voice else None)


def _named(cues: list[TimedWord]) -> list[TimedWord]:
    """Speakers from the text, where no voice tells them."""
    if any(cue.speaker for cue in cues):
        return cues
    named = labels.carried(labels.split([cue.text for cue in cues]))
    return [replace(cue, speaker=who, text=said) for cue, (who, said) in zip(cues, named, strict=True)]


def _joined(cues: list[TimedWord]) -> Iterator[TimedWord]:
    """Cues of a known speaker that follow one another are one turn, so that phrases are not cut."""
    parts: list[TimedWord] = []
    for cue in cues:
        if parts and not (
            cue.speaker
            and cue.speaker == parts[-1].speaker
            and cue.start_s - parts[-1].start_s >= 0
            and cue.start_s - parts[-1].end_s < TURN_PAUSE_S
        ):
            yield _whole(parts)
            parts = []
        parts.append(cue)
    if parts:
        yield _whole(parts)


def _whole(parts: list[TimedWord]) -> TimedWord:
    end_s = max(part.end_s for part in parts)
    return replace(parts[0], end_s=end_s, text=" ".join(part.text.strip() for part in parts))
