"""Prepare recordings for a packet: compress them, silence private data, compute peaks for the waveform."""

from __future__ import annotations

import base64
import tempfile
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import audio
from pipeline.child_processes import cores
from pipeline.errors import RecordingError
from pipeline.export.names import FileNames
from pipeline.export.private import Redactor
from pipeline.export.selection import ExportedCall

if TYPE_CHECKING:
    from pipeline.conversation import AudioClip

PEAKS = 900
MOST_EMBEDDED_BYTES = 48 * 1024 * 1024
"""Recordings are embedded in a page up to this size; browsers open larger pages too slowly."""
TOO_LARGE = "left out to keep the page small; callqa review packet writes it beside the page"


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

    ``folder`` is for files beside the page; None embeds them in the page.
    """

    def __init__(self, folder: Path | None, redactor: Redactor) -> None:
        self._folder = folder
        self._redactor = redactor
        self._names = FileNames()
        self._embedded_bytes = 0

    def of(self, calls: Iterable[ExportedCall]) -> Iterator[tuple[ExportedCall, Sound]]:
        """Each call with its recording, in order; without a URL if there is none, or it must not be heard.

        Every core makes one recording at a time (FFmpeg releases the interpreter's lock), and no more than
        that many are begun before they are used, as a decoded call takes up to 64 MiB.
        """
        begun: deque[tuple[ExportedCall, Future[Sound]]] = deque()
        most = cores()
        pool = ThreadPoolExecutor(most, "sound")
        try:
            for call in calls:
                name = self._names.of(call.metadata.call_id, ".mp3")
                begun.append((call, pool.submit(self._make, call, name)))
                if len(begun) >= most:
                    yield self._counted(*begun.popleft())
            while begun:
                yield self._counted(*begun.popleft())
        finally:
            pool.shutdown(cancel_futures=True)

    def _counted(self, call: ExportedCall, made: Future[Sound]) -> tuple[ExportedCall, Sound]:
        """The call with its recording; not embedded if those of the calls before it fill the page."""
        sound = made.result()
        if self._folder is None and sound.url:
            if self._embedded_bytes >= MOST_EMBEDDED_BYTES:
                return call, replace(sound, url=None, note=TOO_LARGE)
            self._embedded_bytes += len(sound.url)
        return call, sound

    def _make(self, call: ExportedCall, name: str) -> Sound:
        if call.recording is None or call.metadata.medium != "voice":
            return Sound(note="no recording")
        try:
            clip = audio.load(call.recording)
        except RecordingError:
            if call.recording.exists():  # a transcript, or damaged by now
                return Sound(note="the file has no sound to play")
            return Sound(note="the recording is no longer where it was")
        spans = self._redactor.spans(call.conversation.transcript)
        if spans is None:
            return Sound(note="left out: private data in it has no times, so it cannot be silenced")
        channels = audio.peaks(clip, PEAKS)[:2].tolist()
        peaks = [[int(255 * level) for level in channel] for channel in channels]
        url, path = self._write(clip, name, spans)
        return Sound(peaks, url, path, spans, "" if url else TOO_LARGE)

    def _write(
        self, clip: AudioClip, name: str, spans: Sequence[tuple[float, float]]
    ) -> tuple[str | None, Path | None]:
        """Write or embed the recording; returns its URL and file, both None if there is no room left."""
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
        return "data:audio/mpeg;base64," + base64.b64encode(data).decode("ascii"), None

    def _encode(self, clip: AudioClip, path: Path, spans: Sequence[tuple[float, float]]) -> None:
        silenced, beeped = (spans, ()) if self._redactor.covers_with == "silence" else ((), spans)
        audio.encode(clip, path, mute_spans=silenced, beep_spans=beeped)
