"""Read SubRip and WebVTT subtitles as transcripts.

https://www.w3.org/TR/webvtt1/ (cues, voices ``<v Agent>``, notes and styles) and
https://www.matroska.org/technical/subtitles.html (SubRip).
"""

from __future__ import annotations

import html
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from pipeline.conversation import Turn
from pipeline.errors import RecordingError
from pipeline.intake import pieces
from pipeline.turns import TURN_PAUSE_S, TimedWord

SUFFIXES = (".vtt", ".srt")
MAX_BYTES = 32 * 2**20
"""Far more than the subtitles of any call: an hour of talk has about 60 kB."""
_STAMP = r"(?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{1,3}"
_TIMING = re.compile(rf"\s*({_STAMP})\s*-->\s*({_STAMP})(?:\s|$)", re.A)
_VOICE = re.compile(r"<v(?:\.[^\s>]{1,64})?[ \t]+([^>]{1,200})>", re.I)
_TAG = re.compile(r"<[^>]{0,200}>|\{\\[^}]{0,200}\}")


def are_captions(head: str) -> bool:
    """Whether a text begins like WebVTT or SubRip."""
    head = head.lstrip("\ufeff\r\n \t")
    return head.startswith("WEBVTT") or any(map(_TIMING.match, head.splitlines()[:2]))


def turns(path: Path) -> tuple[Turn, ...]:
    """The turns of a subtitle file, in order of time.

    Raises:
        RecordingError: The file is too large, cannot be read or has no cue.
    """
    cues = _with_speakers(list(_cues(text(path))))
    if not cues:
        raise RecordingError(
            f"{path.name} is named as subtitles, but has no cue with a time and words",
            hint="a cue is a line such as 00:00:01.000 --> 00:00:02.500 and the words below it",
            reason="not_transcript",
        )
    return pieces.ordered(_merged(cues))


def text(path: Path) -> str:
    """The content of a text file.

    Raises:
        RecordingError: The file is too large or cannot be read.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise RecordingError(
                f"{path.name} is larger than {MAX_BYTES >> 20} MB", hint="is it one call?", reason="too_large"
            )
        return decoded(path.read_bytes())
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read: {error.strerror}", reason="unreadable") from error


def decoded(content: bytes) -> str:
    """Decode UTF-8, UTF-16 with a byte order mark, or else Windows-1252, which older tools write."""
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        is_utf_16 = content.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
        return content.decode("utf-16" if is_utf_16 else "cp1252", "replace")


def _cues(content: str) -> Iterator[TimedWord]:
    """Each block with a timing line as one timed word; notes, styles and numbers have no timing line."""
    timing, lines = None, list[str]()
    for line in [*content.splitlines(), ""]:
        next_timing = _TIMING.match(line)
        if next_timing is None and line.strip():
            lines.append(line)
            continue
        if timing is not None:
            if next_timing is not None and lines and lines[-1].strip().isdecimal():
                lines.pop()  # the number of the next cue, which no empty line separates from this one
            if cue := _cue(timing, " ".join(lines)):
                yield cue
            timing = None
        lines = []
        if next_timing is not None:
            timing = (next_timing[1], next_timing[2])


def _cue(timing: tuple[str, str], content: str) -> TimedWord | None:
    start_s, end_s = map(pieces.clock, timing)
    voice = _VOICE.search(content)
    words = " ".join(html.unescape(_TAG.sub("", content)).split())
    return pieces.word(words, start_s, end_s, speaker=html.unescape(voice[1]) if voice else None)


def _with_speakers(cues: list[TimedWord]) -> list[TimedWord]:
    """Take speakers from labels in the text, unless voice tags give them."""
    if any(cue.speaker for cue in cues):
        return cues
    labelled = pieces.labelled([cue.text for cue in cues])
    return [replace(cue, speaker=who, text=text) for cue, (who, text) in zip(cues, labelled, strict=True)]


def _merged(cues: list[TimedWord]) -> Iterator[Turn]:
    """Merge consecutive cues of a known speaker into one turn, so that phrases are not cut apart."""
    groups: list[list[TimedWord]] = []
    for cue in cues:
        before = groups[-1][-1] if groups else None
        if (
            before is not None
            and before.speaker == cue.speaker is not None
            and before.start_s <= cue.start_s
            and cue.start_s - before.end_s < TURN_PAUSE_S
        ):
            groups[-1].append(cue)
        else:
            groups.append([cue])
    for group in groups:
        text = " ".join(cue.text.strip() for cue in group)
        end_s = max(cue.end_s for cue in group)
        yield pieces.turn(text, group[0].start_s, end_s, speaker=group[0].speaker)
