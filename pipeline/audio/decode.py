"""Open a recording by its content and read it block by block as float32.

libsndfile reads the plain formats (WAV, FLAC, AIFF, AU...). FFmpeg, through PyAV, reads the compressed
formats and the WAV files that libsndfile cannot decode (with MP3, G.726 or TrueSpeech inside). Both get an
open file and not a name, because they guess formats from names and treat some names as network addresses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from pipeline.audio.container import (
    HEAD_BYTES,
    MISSING_BYTES_TOLERATED,
    Signature,
    identify,
    missing_bytes,
    unread_bytes,
)
from pipeline.errors import RecordingError

Block = npt.NDArray[np.float32]
BLOCK_FRAMES = 262_144
MAX_CHANNELS = 16
"""A recording with more channels is from a studio or a conference, not a call, and is refused."""
SAMPLE_RATES_HZ = range(4_000, 384_001)
"""Below 4 kHz speech cannot be understood; a header that states more than 384 kHz is damaged."""
MAX_UNREAD = 0.1
"""Largest share of a WAV file after its sound that is passed over; a tag or padding is less."""
MAX_BAD_PACKETS = 0.05
"""Largest share of undecodable packets that is accepted: about one word in twenty."""


@dataclass(slots=True)
class OpenRecording:
    """An open recording.

    Attributes:
        blocks: Arrays of float32, shape (n_frames, n_channels). Can be iterated once.
        codec: Container and codec, e.g. ``wav/ulaw``; one name where both have the same, e.g. ``mp3``.
        duration_s: Duration stated by the header; None when it states none.
        warnings: Sentences about skipped bytes and packets left silent; complete after the last block.
    """

    blocks: Iterator[Block]
    codec: str
    n_channels: int
    sample_rate_hz: int
    duration_s: float | None
    warnings: list[str]


@contextmanager
def open_source(path: Path) -> Iterator[OpenRecording]:
    """Open a recording, recognising its format by its content.

    Raises:
        RecordingError: ``missing``, ``unreadable``, ``empty``, ``not_audio``, ``truncated``, ``corrupt``,
            ``unsupported``.
    """
    with _open_file(path) as file:
        file.seek(0, 2)
        size_bytes = file.tell()
        if size_bytes == 0:
            raise RecordingError(f"{path.name} is empty (0 bytes)", hint="ask for it again", reason="empty")
        file.seek(0)
        signature = identify(path, file.read(HEAD_BYTES), size_bytes)
        sound: Any = _FileFromOffset(file, signature.offset)
        missing = missing_bytes(sound, signature, size_bytes - signature.offset)
        if missing > MISSING_BYTES_TOLERATED:
            raise RecordingError(
                f"{path.name} is cut off: its header promises {missing} bytes more than the "
                f"{size_bytes} that are there",
                hint="copy it again; was it still being written?",
                reason="truncated",
            )
        unread = unread_bytes(sound, signature, size_bytes - signature.offset)
        if unread > MAX_UNREAD * size_bytes:
            raise RecordingError(
                f"{path.name} holds {unread} bytes after the sound that its header states",
                hint="they may be more of the call: `ffmpeg -ignore_length 1 -i FILE NEW.wav` reads all",
                reason="corrupt",
            )
        plain = _try_soundfile(file) if signature.soundfile else None
        opened = _open_av(path, sound, signature) if plain is None else _open_plain(path, plain, signature)
        with opened as source:
            _check_layout(path, source)
            if signature.offset:
                source.warnings.append(f"{signature.offset} bytes ahead of the sound were passed over")
            if unread > MISSING_BYTES_TOLERATED:
                source.warnings.append(f"{unread} bytes after the sound were not read")
            yield source


def _open_file(path: Path) -> BinaryIO:
    if not path.is_file():
        what = "does not exist" if not path.exists() else "is not a file"
        raise RecordingError(f"{path} {what}", reason="missing")
    try:
        return path.open("rb", buffering=0)  # libsndfile and FFmpeg read on one descriptor: one position
    except OSError as error:
        raise RecordingError(
            f"{path} cannot be read: {error.strerror}", hint="check its permissions", reason="unreadable"
        ) from error


def _try_soundfile(file: BinaryIO) -> Any | None:
    """Open the file with libsndfile; None when libsndfile cannot decode it."""
    import soundfile

    file.seek(0)
    try:
        return soundfile.SoundFile(file.fileno(), closefd=False)
    except (soundfile.SoundFileError, TypeError, ValueError):
        return None


@contextmanager
def _open_plain(path: Path, sound: Any, signature: Signature) -> Iterator[OpenRecording]:
    import soundfile

    def blocks() -> Iterator[Block]:
        try:
            while len(block := sound.read(BLOCK_FRAMES, dtype="float32", always_2d=True)):
                yield block
        except soundfile.SoundFileError as error:
            raise _corrupt(path, signature, str(error)) from error

    stated = sound.frames if 0 < sound.frames < 2**62 else 0
    container, coding = signature.container, sound.subtype.lower()
    with sound:
        yield OpenRecording(
            blocks(),
            codec=container if coding.startswith(container) else f"{container}/{coding}",
            n_channels=sound.channels,
            sample_rate_hz=sound.samplerate,
            duration_s=stated / sound.samplerate if stated and sound.samplerate else None,
            warnings=[],
        )


class _FileFromOffset:
    """An open file from ``offset`` on; a seek to an impossible position returns -1, as in C."""

    def __init__(self, file: BinaryIO, offset: int) -> None:
        self.read, self._file, self._offset = file.read, file, offset

    def tell(self) -> int:
        return self._file.tell() - self._offset

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        if whence == os.SEEK_SET:
            if offset < 0:
                return -1
            offset += self._offset
        try:
            return self._file.seek(offset, whence) - self._offset
        except (OSError, ValueError, OverflowError):
            return -1


@contextmanager
def _open_av(path: Path, sound: Any, signature: Signature) -> Iterator[OpenRecording]:
    import av

    sound.seek(0)
    try:
        # The demuxer is named, so that FFmpeg cannot choose one that opens further files or addresses.
        container = av.open(sound, mode="r", format=signature.av_format, metadata_errors="ignore")
    except (av.FFmpegError, ValueError, OSError, EOFError) as error:
        raise _corrupt(path, signature, str(error)) from error
    with container:
        stream = next(iter(container.streams.audio), None)
        if stream is None:
            raise RecordingError(f"{path.name} holds no sound track", reason="not_audio")
        context = stream.codec_context
        if context is None:
            raise RecordingError(
                f"{path.name}: its sound coding has no decoder here",
                hint="convert it to WAV, FLAC or MP3",
                reason="unsupported",
            )
        length, tick_s = stream.duration, stream.time_base
        name = context.codec.canonical_name
        warnings: list[str] = []
        yield OpenRecording(
            _av_blocks(path, container, stream, signature, warnings),
            codec=signature.container if name == signature.container else f"{signature.container}/{name}",
            n_channels=context.channels,
            sample_rate_hz=context.sample_rate,
            duration_s=float(length * tick_s) if length and tick_s else None,
            warnings=warnings,
        )


def _av_blocks(
    path: Path, container: Any, stream: Any, signature: Signature, warnings: list[str]
) -> Iterator[Block]:
    """Decode frames; an undecodable packet becomes silence of the same length, so that times stay correct."""
    import av

    context = stream.codec_context
    rate_hz, n_channels = context.sample_rate, context.channels
    to_float = av.AudioResampler(format="flt", layout=context.layout.name, rate=rate_hz)
    n_packets = n_bad = 0

    def interleaved(frame: Any) -> Iterator[Block]:
        for out in to_float.resample(frame):
            yield out.to_ndarray().reshape(-1, n_channels).astype(np.float32, copy=False)

    try:
        for packet in container.demux(stream):
            n_packets += packet.size > 0
            try:
                frames = packet.decode()
            except av.FFmpegError:
                n_bad += 1
                lost_s = float(packet.duration * packet.time_base) if packet.duration else 0.0
                yield np.zeros((min(int(lost_s * rate_hz), rate_hz), n_channels), np.float32)
                continue
            for frame in frames:
                yield from interleaved(frame)
        yield from interleaved(None)
    except (av.FFmpegError, ValueError, EOFError) as error:
        raise _corrupt(path, signature, str(error)) from error
    if n_bad > MAX_BAD_PACKETS * n_packets:
        raise _corrupt(path, signature, f"{n_bad} of {n_packets} packets cannot be decoded")
    if n_bad:
        warnings.append(f"{n_bad} of {n_packets} packets could not be decoded and were left silent")


def _check_layout(path: Path, source: OpenRecording) -> None:
    n_channels, rate_hz = source.n_channels, source.sample_rate_hz
    if n_channels < 1 or rate_hz not in SAMPLE_RATES_HZ:
        raise RecordingError(
            f"{path.name}: its header says {n_channels} channels at {rate_hz} Hz",
            hint="the header is damaged, or this is no call",
            reason="corrupt" if n_channels < 1 or rate_hz < 1 else "unsupported",
        )
    if n_channels > MAX_CHANNELS:
        raise RecordingError(
            f"{path.name} has {n_channels} channels; a call has one or two, {MAX_CHANNELS} at most",
            hint="mix it down to one channel a party",
            reason="unsupported",
        )


def _corrupt(path: Path, signature: Signature, why: str) -> RecordingError:
    return RecordingError(
        f"{path.name} looks like {signature.container} but cannot be decoded: {why or 'unknown layout'}",
        hint="play it in another player; if that works, convert it to WAV or FLAC",
        reason="corrupt",
    )
