"""Prepare recordings for a packet: compress them, silence private data, compute peaks for the waveform."""

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
"""Recordings are embedded in a page up to this size; browsers open larger pages too slowly."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What a page needs to show and play one recording.

    Attributes:
        peaks: For each channel (at most two), loudness 0..255 in ``PEAKS`` equal steps.
        url: Relative or ``data:`` URL; None where there is nothing to play, and ``note`` says why.
        path: The file written beside the page, if any.
        redacted: Spans (start, end) in seconds that are silenced.
    """

    peaks: Sequence[Sequence[int]] = ()
    url: str | None = None
    path: Path | None = None
    redacted: Sequence[tuple[float, float]] = ()
    note: str = ""


class Sounds:
    """Makes the recordings of one packet, as MP3 because every browser plays it.

    Args:
        folder: Folder for the files, beside the page; None embeds them in the page.
        redactor: Says which spans must be silenced.
    """

    def __init__(self, folder: Path | None, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor
        self._names = FileNames()
        self._embedded_bytes = 0

    def of(self, call: Call) -> Sound:
        """The recording of one call; without a URL if there is none, or it must not be heard."""
        if call.recording is None or call.metadata.medium != "voice":
            return Sound(note="no recording")
        try:
            clip = audio.load(call.recording)
        except RecordingError:
            return Sound(note="the recording is no longer where it was")
        spans = self._redactor.spans(call.conversation.transcript)
        if spans is None:
            return Sound(note="left out: private data in it has no times, so it cannot be silenced")
        channels = audio.peaks(clip, PEAKS)[:2].tolist()
        peaks = [[int(255 * level) for level in channel] for channel in channels]
        url, path = self._write(call.metadata.call_id, clip, spans)
        too_large = "left out to keep the page small; callqa review packet writes it beside the page"
        return Sound(peaks, url, path, spans, "" if url else too_large)

    def _write(
        self, call_id: str, clip: AudioClip, spans: Sequence[tuple[float, float]]
    ) -> tuple[str | None, Path | None]:
        """Write or embed the recording; returns its URL and file, both None if there is no room left."""
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
