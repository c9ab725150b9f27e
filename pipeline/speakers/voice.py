"""Compute speaker embeddings of short stretches of speech with the GE2E encoder, in plain torch.

The network is Resemblyzer's (Corentin Jemine, Apache-2.0), an implementation of Wan et al. 2018,
"Generalized end-to-end loss for speaker verification": mel energies, three LSTM layers, one linear
layer. Installing its package needs a C compiler and a module that Python no longer has, so
``training/voice_weights.py`` extracts its weights as float16 tensors into an npz without pickles.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pipeline.conversation import SAMPLE_RATE_HZ
from pipeline.errors import ModelError

if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]

WEIGHTS = Path(__file__).parent / "weights" / "ge2e.npz"
DIMENSIONS = 256
N_MELS, N_FFT, HOP = 40, 400, 160
"""Windows of 25 ms every 10 ms (in samples), as in training."""
LEVEL_DBFS = -30.0
"""Quieter audio is amplified to this level first, as in training."""
BATCH = 64


def embed(samples: Floats, spans_s: npt.NDArray[np.float64]) -> Floats:
    """Speaker embeddings of stretches of one recording.

    Args:
        samples: float32, shape (n_samples,), 16 kHz, mono.
        spans_s: float64, shape (n_spans, 2): start and end in seconds; spans of 0.6 to 2 s work best.

    Returns:
        float32, shape (n_spans, 256), unit rows; their cosine similarity says how alike two voices are.

    Raises:
        ModelError: The shipped weights are missing or damaged.
    """
    import torch

    network = _load()
    vectors = np.zeros((len(spans_s), DIMENSIONS), np.float32)
    gain = _gain(samples, spans_s)
    lengths = np.maximum(((spans_s[:, 1] - spans_s[:, 0]) * SAMPLE_RATE_HZ / HOP).astype(int), 1)
    with torch.inference_mode():
        for n_frames in np.unique(lengths):
            rows = np.flatnonzero(lengths == n_frames)
            for start in range(0, len(rows), BATCH):
                batch = rows[start : start + BATCH]
                mels = np.stack([_mel(samples, float(spans_s[r, 0]), int(n_frames), gain) for r in batch])
                vectors[batch] = network(torch.from_numpy(mels)).numpy()
    return vectors


def _gain(samples: Floats, spans_s: npt.NDArray[np.float64]) -> float:
    """Factor that amplifies quiet speech to ``LEVEL_DBFS``; 1 for louder speech."""
    power = [
        float(np.mean(np.square(samples[int(a * SAMPLE_RATE_HZ) : max(int(b * SAMPLE_RATE_HZ), 1)]) + 1e-12))
        for a, b in spans_s[:: max(1, len(spans_s) // 200)]
    ]
    level_dbfs = 10 * np.log10(np.mean(power)) if power else 0.0
    return float(10 ** (max(0.0, LEVEL_DBFS - level_dbfs) / 20))


def _mel(samples: Floats, start_s: float, n_frames: int, gain: float) -> Floats:
    """Mel energies, float32, shape (n_frames, 40), of frames whose first is centred at ``start_s``."""
    first = int(start_s * SAMPLE_RATE_HZ) - N_FFT // 2
    last = first + (n_frames - 1) * HOP + N_FFT
    part = samples[max(first, 0) : last]
    part = np.pad(part, (max(-first, 0), last - max(first, 0) - len(part)))
    frames = np.lib.stride_tricks.sliding_window_view(part * gain, N_FFT)[::HOP]
    window = np.hanning(N_FFT + 1)[:-1].astype(np.float32)
    power = np.square(np.abs(np.fft.rfft(frames * window, axis=1)))
    return (power @ _mel_filters().T).astype(np.float32)


@cache
def _mel_filters() -> Floats:
    """Slaney's mel filters (linear below 1 kHz, area-normalised), shape (40, 201), as librosa makes them."""

    def to_hz(mel: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp((mel - 15) * np.log(6.4) / 27))

    top = 15 + 27 * np.log(SAMPLE_RATE_HZ / 2 / 1000) / np.log(6.4)
    edges = to_hz(np.linspace(0, top, N_MELS + 2))
    bins = np.linspace(0, SAMPLE_RATE_HZ / 2, N_FFT // 2 + 1)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    triangles = np.maximum(0, np.minimum(rising, falling))
    return (triangles * (2 / (edges[2:] - edges[:-2]))[:, None]).astype(np.float32)


@cache
def _load() -> torch.nn.Module:
    import torch

    class SpeakerEncoder(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.lstm = torch.nn.LSTM(N_MELS, DIMENSIONS, num_layers=3, batch_first=True)
            self.linear = torch.nn.Linear(DIMENSIONS, DIMENSIONS)

        def forward(self, mels: torch.Tensor) -> torch.Tensor:
            _, (hidden, _) = self.lstm(mels)
            return torch.nn.functional.normalize(torch.relu(self.linear(hidden[-1])), dim=1)

    network = SpeakerEncoder()
    try:
        with np.load(WEIGHTS, allow_pickle=False) as stored:
            state = {name: torch.from_numpy(stored[name].astype(np.float32)) for name in stored.files}
        network.load_state_dict(state)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise ModelError(
            f"{WEIGHTS} cannot be read: {error}", hint="install callqa again; the file is part of it"
        ) from error
    return network.eval()
