"""Waveform peaks of a clip, for the strip above a transcript, and a small audio file of it to play."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip
from pipeline.errors import MachineError

Spans = Sequence[tuple[float, float]]
BEEP_HZ = 1000.0
BEEP_LEVEL = 0.1
"""-20 dBFS: clearly audible, but not painful in headphones after quiet speech."""
BIT_RATE_PER_CHANNEL = 32_000
"""Bits per second: speech stays fully intelligible, and an hour of two channels stays below 30 MB."""


def peaks(clip: AudioClip, n: int) -> npt.NDArray[np.float32]:
    """Largest absolute sample in each of ``n`` equal sections of the recording.

    Returns:
        float32, shape (n_channels, n), 0..1; samples of a clip shorter than ``n`` samples are repeated,
        and an empty clip gives zeros.
    """
    if not clip.samples.size:
        return np.zeros((clip.n_channels, n), np.float32)
    edges = np.linspace(0, clip.samples.shape[1], n + 1).astype(int)
    sections = (clip.samples[:, a : max(b, a + 1)] for a, b in pairwise(edges))
    strip: npt.NDArray[np.float32] = np.stack([np.abs(section).max(axis=1) for section in sections], axis=1)
    return np.minimum(strip, np.float32(1))


def encode(clip: AudioClip, path: Path, *, mute_spans: Spans = (), beep_spans: Spans = ()) -> None:
    """Write a clip as MP3; more than two channels are mixed to one, and an existing file is replaced.

    Before the clip is mixed and encoded, ``mute_spans`` (start, end in seconds) become silence and
    ``beep_spans`` a tone, on every channel.

    Raises:
        MachineError: The file cannot be written.
    """
    import av

    n_channels = clip.n_channels if clip.n_channels <= 2 else 1
    try:
        with av.open(str(path), "w", format="mp3") as container:
            stream = container.add_stream("libmp3lame", rate=SAMPLE_RATE_HZ)
            layout = "mono" if n_channels == 1 else "stereo"
            stream.codec_context.layout = layout
            stream.bit_rate = BIT_RATE_PER_CHANNEL * n_channels
            start = 0
            for block in _covered_blocks(clip, n_channels, mute_spans, beep_spans):
                pcm = (np.clip(block, -1, 1) * 32767).astype(np.int16)
                frame = av.AudioFrame.from_ndarray(
                    np.ascontiguousarray(pcm.T).reshape(1, -1), format="s16", layout=layout
                )
                frame.sample_rate = SAMPLE_RATE_HZ
                frame.pts, frame.time_base = start, Fraction(1, SAMPLE_RATE_HZ)
                start += pcm.shape[1]
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    except (av.FFmpegError, OSError) as error:
        path.unlink(missing_ok=True)
        raise MachineError(
            f"{path} cannot be written: {error}", hint="check the folder and free space"
        ) from error


def _covered_blocks(
    clip: AudioClip, n_channels: int, mute_spans: Spans, beep_spans: Spans
) -> Iterator[npt.NDArray[np.float32]]:
    """Blocks of ten seconds, shape (n_channels, n), with the spans already muted or replaced by the tone."""
    step = 10 * SAMPLE_RATE_HZ
    for start in range(0, clip.samples.shape[1], step):
        block = np.array(clip.samples[:, start : start + step], dtype=np.float32)
        if n_channels != clip.n_channels:
            block = block.mean(axis=0, keepdims=True)
        for spans, is_beep in ((mute_spans, False), (beep_spans, True)):
            for begin_s, end_s in spans:
                first = max(0, int(begin_s * SAMPLE_RATE_HZ) - start)
                last = min(block.shape[1], int(np.ceil(end_s * SAMPLE_RATE_HZ)) - start)
                if first < last:
                    times_s = (start + np.arange(first, last)) / SAMPLE_RATE_HZ
                    tone = BEEP_LEVEL * np.sin(2 * np.pi * BEEP_HZ * times_s)
                    block[:, first:last] = tone if is_beep else 0.0
        yield block
