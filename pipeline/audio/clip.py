"""``load`` decodes a recording to samples at 16 kHz, repairs faults in them and warns about the faults."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soxr

from pipeline.audio.decode import Block, OpenRecording, open_source
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, Doubt
from pipeline.errors import RecordingError

MAX_SAMPLES_IN_MEMORY = 2**24
"""64 MiB, nearly nine minutes of two channels; longer clips are kept in an unlinked temporary file."""
MAX_DURATION_S = 24 * 3600.0
"""A longer file is a decompression bomb or a line left open, and would fill the disk."""
SILENT_PEAK = 10 ** (-60 / 20)
"""-60 dBFS: even a whisper on a bad line is louder."""
CLIPPED_SHARE = 0.02
"""Share of samples at full scale from which a clip counts as clipped. Of 13 calls made too loud step by step,
with *base*: up to 0.012 the words stayed as right (word errors 0.030), with 0.023 to 0.073 (18 dB too loud)
0.049 were wrong, with 0.04 to 0.19 (24 dB) 0.121. Good recordings have 0.000."""
DC_OFFSET = 0.01
"""A channel whose mean lies further from zero than this (full scale is 1) has its mean subtracted."""
_FULL_SCALE = 0.98
"""The largest 8-bit telephony code decodes to 0.980 (µ-law) or 0.984 (A-law) of full scale."""
_CHUNK_SAMPLES = 2**20


def load(path: Path, *, min_duration_s: float = 0.0) -> AudioClip:
    """Decode a recording to float32 at 16 kHz, in bounded memory.

    Args:
        path: The file. Its format is recognised by its content, not by its name.
        min_duration_s: Shorter recordings are refused as ``too_short``.

    Returns:
        The clip, with warnings about NaN, clipping, DC offset, over-scaled samples and lost packets.

    Raises:
        RecordingError: ``missing``, ``unreadable``, ``empty``, ``not_audio``, ``truncated``, ``corrupt``,
            ``unsupported``, ``too_short``, ``too_long``, ``silent``.
    """
    with (
        open_source(path) as source,
        tempfile.SpooledTemporaryFile(4 * MAX_SAMPLES_IN_MEMORY, prefix="callqa-clip-") as spool,
    ):
        statistics, n_frames = _Statistics(source.n_channels), 0
        to_16k = soxr.ResampleStream(
            source.sample_rate_hz, SAMPLE_RATE_HZ, source.n_channels, dtype="float32"
        )
        for block in source.blocks:
            n_frames += len(block)
            if n_frames > MAX_DURATION_S * source.sample_rate_hz:
                raise _refused(path, "lasts more than a day", "too_long")
            spool.write(to_16k.resample_chunk(statistics.examine(block)).data)
        spool.write(to_16k.resample_chunk(np.zeros((0, source.n_channels), np.float32), last=True).data)
        _check_content(path, source, statistics, n_frames, min_duration_s)
        samples = _samples(spool, source.n_channels)
    statistics.repair(samples)
    return AudioClip(
        samples=samples,
        warnings=(*source.warnings, *statistics.warnings()),
        codec=source.codec,
        source_sample_rate_hz=source.sample_rate_hz,
        doubts=statistics.doubts(),
    )


def _refused(path: Path, what: str, reason: str, hint: str = "") -> RecordingError:
    return RecordingError(f"{path.name} {what}", hint=hint, reason=reason)


def _check_content(
    path: Path, source: OpenRecording, statistics: _Statistics, n_frames: int, min_duration_s: float
) -> None:
    duration_s = n_frames / source.sample_rate_hz
    if n_frames == 0:
        raise _refused(path, "holds no sound at all", "empty", "ask for it again")
    if source.duration_s and source.codec.startswith("flac") and duration_s < source.duration_s - 0.1:
        raise _refused(
            path, f"is cut off: {duration_s:.1f} of {source.duration_s:.1f} s are there", "truncated"
        )
    if statistics.n_not_finite > statistics.n_samples / 2:
        raise _refused(path, "holds mostly values that are not numbers", "corrupt", "its header may be wrong")
    if duration_s < min_duration_s:
        raise _refused(path, f"lasts {duration_s:.2f} s, less than {min_duration_s:g} s", "too_short")
    if statistics.peak() < SILENT_PEAK:
        raise _refused(path, "is silent on every channel", "silent", "check the recorder's line")


class _Statistics:
    """Statistics of the samples, collected block by block while decoding, and the faults they show."""

    def __init__(self, n_channels: int) -> None:
        self.n_channels = n_channels
        self.n_samples = self.n_not_finite = self.n_clipped = 0
        self.total = np.zeros(n_channels)
        self.low = np.full(n_channels, np.inf, np.float32)
        self.high = np.full(n_channels, -np.inf, np.float32)

    def examine(self, block: Block) -> Block:
        """Add a block (n_frames, n_channels) to the statistics; return it with NaN and infinity set to 0."""
        if not len(block):
            return block
        channels = np.ascontiguousarray(block.T)  # sums over contiguous memory are 40 times as fast
        finite = np.isfinite(channels)
        channels = np.where(finite, channels, np.float32(0))
        self.n_samples += channels.size
        self.n_not_finite += int(channels.size - finite.sum())
        self.n_clipped += int((np.abs(channels) >= _FULL_SCALE).sum())
        self.total += channels.sum(axis=1, dtype=np.float64)
        self.low = np.minimum(self.low, channels.min(axis=1))
        self.high = np.maximum(self.high, channels.max(axis=1))
        return np.ascontiguousarray(channels.T)

    def offset(self) -> npt.NDArray[np.float64]:
        """DC offset per channel; 0 where it is below ``DC_OFFSET``."""
        mean = self._mean()
        return np.where(np.abs(mean) > DC_OFFSET, mean, 0.0)

    def _mean(self) -> npt.NDArray[np.float64]:
        return self.total / max(1, self.n_samples / self.n_channels)

    def peak(self) -> float:
        """Largest distance of a sample from its channel's mean."""
        mean = self._mean()
        return float(np.maximum(self.high - mean, mean - self.low).max())

    def scale(self) -> float:
        """Divisor for over-scaled samples (e.g. 16-bit integers written to a float file); 1 when in range."""
        peak = self.peak()
        return peak if peak > 2.0 else 1.0

    def repair(self, samples: npt.NDArray[np.float32]) -> None:
        """Remove the DC offset and the over-scaling in place; ``samples`` is (n_channels, n_samples)."""
        offset, scale = self.offset(), self.scale()
        if scale == 1.0 and not offset.any():
            return
        for start in range(0, samples.shape[1], _CHUNK_SAMPLES):
            part = samples[:, start : start + _CHUNK_SAMPLES]
            part -= offset[:, None].astype(np.float32)
            part /= np.float32(scale)

    def doubts(self) -> tuple[Doubt, ...]:
        """The doubt ``clipped``, when the share of samples at full scale exceeds ``CLIPPED_SHARE``."""
        if self.scale() != 1.0 or self.n_clipped <= CLIPPED_SHARE * self.n_samples:
            return ()
        share = 100 * self.n_clipped / self.n_samples
        said = f"clipped: {share:.1f} % of samples are at full scale; expect more wrong words"
        return (Doubt("clipped", said),)

    def warnings(self) -> Iterator[str]:
        """One sentence for each fault."""
        if self.n_not_finite:
            yield f"{self.n_not_finite} samples were not numbers and were made silent"
        if self.scale() != 1.0:
            yield f"samples reach {self.scale():.0f} times full scale and were scaled down"
        yield from (doubt.said for doubt in self.doubts())
        if self.offset().any():
            yield "a constant offset (DC) was removed; the recorder's line may be faulty"


def _samples(spool: tempfile.SpooledTemporaryFile[bytes], n_channels: int) -> npt.NDArray[np.float32]:
    """The samples written to ``spool``, shape (n_channels, n_samples).

    For a long clip this is a memory map of the unlinked file, which is freed together with the map.
    """
    n_samples = spool.tell() // 4
    spool.seek(0)
    if n_samples > MAX_SAMPLES_IN_MEMORY:
        return np.memmap(spool, np.float32, "r+", shape=(n_samples // n_channels, n_channels)).T
    return np.array(np.frombuffer(spool.read(), np.float32).reshape(-1, n_channels).T, order="C")
