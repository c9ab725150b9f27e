"""Recordings on their way into a packet: compressed, private stretches silenced, drawn as peaks."""

from __future__ import annotations

import base64
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import audio
from pipeline.errors import RecordingError
from pipeline.export.names import FileNames
from pipeline.export.private import Redactor
from pipeline.export.selection import Call

if TYPE_CHECKING:
    from pipeline.conversation import AudioClip

PEAKS = 900
MOST_EMBEDDED_BYTES = 48 * 1024 * 1024
"""A page carries at most this much sound inside itself; browsers open larger pages too slowly."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What the page shows and plays of one recording.

    Attributes:
        peaks: Per channel (at most two), loudness 0..255 in ``PEAKS`` equal steps.
        url: Relative or ``data:`` URL; None where there is nothing to play, and ``note`` says why.
        path: The file written, when it is one beside the page.
        redacted: Seconds (start, end) silenced.
    """

    peaks: Sequence[Sequence[int]] = ()
    url: str | None = None
    path: Path | None = None
    redacted: Sequence[tuple[float, float]] = ()
    note: str = ""


class Sounds:
    """Makes the recordings of one packet: MP3, which every browser plays.

    Args:
        folder: Where to put them, beside the page; None embeds them in the page.
        redactor: Knows which stretches must not be heard.
    """

    def __init__(self, folder: Path | None, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor
        self._names = FileNames()
        self._embedded_bytes = 0

    def of(self, call: Call) -> Sound:
        """The recording of one call, as far as there is one and it may be heard."""
        if call.recording is None or call.metadata.medium != "voice":
            return Sound(note="no recording")
        try:
            clip = audio.load(call.recording)
        except RecordingError:
            return Sound(note="the recording is no longer where it was")
        spans = self._redactor.spans(call.conversation.transcript)
        if spans is None:
            return Sound(note="left out: private data in it has no times, so it cannot be silenced")
        strip = audio.peaks(clip, PEAKS)[:2]
        peaks = [[int(255 * level) for level in lane] for lane in strip.tolist()]
        url, path = self._written(call.metadata.call_id, clip, spans)
        note = (
            "" if url else "left out to keep the page small; callqa review packet writes it beside the page"
        )
        return Sound(peaks, url, path, spans, note)

    def _written(
        self, call_id: str, clip: AudioClip, spans: Sequence[tuple[float, float]]
    ) -> tuple[str | None, Path | None]:
        name = self._names.of(call_id, ".mp3")
        if self._folder is not None:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._encode(clip, self._folder / name, spans)
            return f"{self._folder.name}/{name}", self._folder / name
        if self._embedded_bytes >= MOST_EMBEDDED_BYTES:
            return None, None
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / name
            self._encode(clip, path, spans)
            data = path.read_bytes()
        self._embedded_bytes += len(data)
        return "data:audio/mpeg;base64," + base64.b64encode(data).decode("ascii"), None

    def _encode(self, clip: AudioClip, path: Path, spans: Sequence[tuple[float, float]]) -> None:
        silenced, beeped = (spans, ()) if self._redactor.covers_with == "silence" else ((), spans)
        audio.encode(clip, path, "mp3", mute_spans=silenced, beep_spans=beeped)
