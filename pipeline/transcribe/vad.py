"""Voice activity detection (VAD): silero-vad on many channels at once.

The published model is called once for every 32 ms frame. Here the same weights, from the silero-vad wheel,
run on all frames of all channels together: the convolutions as one batch, then one LSTM call with a row per
channel. Probabilities are equal up to rounding, in a small fraction of the time.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from pipeline.conversation import SAMPLE_RATE_HZ
from pipeline.errors import ModelError

Samples = npt.NDArray[np.float32]
FRAME = 512  # samples a frame: 32 ms, what the 16 kHz model was trained on
CONTEXT = 64  # samples of the previous frame, prepended to each frame
BLOCK = 1024  # frames per pass, so that memory does not grow with the recording
STREAMS = 64  # channels per pass, for the same reason
SPECTRUM, CONVOLUTIONS = "stft.forward_basis_buffer", [f"encoder.{n}.reparam_conv" for n in range(4)]
LSTM, OUTPUT = "decoder.rnn.", "decoder.decoder.2"

# The thresholds of silero-vad's get_speech_timestamps. The padding is wider than there, because a word is
# lost if its first consonant is cut off, and because Whisper finds the ends of sentences by pauses of natural
# length (with 0.2 s: 8 % more word errors). Short pauses split speech, so that windows can be filled
# completely (with 0.3 s: 4 % more word errors).
ENTER, LEAVE = 0.5, 0.35
MIN_SPEECH_S, MIN_PAUSE_S, PAD_S = 0.1, 0.16, 0.4


class SpeechSpan(NamedTuple):
    """A stretch of speech, in samples from the start of its channel.

    Attributes:
        start: First sample, padding included.
        end: One past the last sample, padding included.
        voice_start: Where the voice itself begins.
        voice_end: Where the voice itself ends.
    """

    start: int
    end: int
    voice_start: int
    voice_end: int


class VoiceActivity:
    """The silero-vad network, loaded once."""

    def __init__(self) -> None:
        self._weights = _read_weights()
        self._lstm = torch.nn.LSTM(128, 128, batch_first=True).eval()
        self._lstm.load_state_dict(
            {f"{k.removeprefix(LSTM)}_l0": v for k, v in self._weights.items() if k.startswith(LSTM)}
        )

    def spans(self, channels: Sequence[Samples], longest: int) -> list[list[SpeechSpan]]:
        """Find speech in each channel.

        Args:
            channels: float32 (n_samples,) each, 16 kHz; lengths may differ.
            longest: Maximum length of a span in samples.

        Returns:
            Per channel, spans in order, padded, not overlapping.
        """
        spans: list[list[SpeechSpan]] = [[] for _ in channels]
        order = sorted(range(len(channels)), key=lambda n: -len(channels[n]))
        for first in range(0, len(order), STREAMS):
            group = order[first : first + STREAMS]
            probabilities = self.probabilities([channels[n] for n in group])
            for n, row in zip(group, probabilities, strict=True):
                spans[n] = _segment(row, len(channels[n]), longest)
        return spans

    @torch.inference_mode()
    def probabilities(self, channels: Sequence[Samples]) -> list[Samples]:
        """Speech probability of each 32 ms frame of each channel (longest channel first)."""
        frames = [-(-len(samples) // FRAME) for samples in channels]
        state: tuple[torch.Tensor, torch.Tensor] | None = None
        blocks: list[list[Samples]] = [[] for _ in channels]
        for start in range(0, max(frames, default=0), BLOCK):
            alive = sum(n > start for n in frames)
            if state is not None:
                state = (state[0][:, :alive].contiguous(), state[1][:, :alive].contiguous())
            length = min(BLOCK, frames[0] - start)
            audio = np.zeros((alive, CONTEXT + length * FRAME), np.float32)
            for row, samples in zip(audio, channels[:alive], strict=True):
                begin = start * FRAME - CONTEXT
                piece = samples[max(begin, 0) : begin + audio.shape[1]]
                offset = max(-begin, 0)
                row[offset : offset + len(piece)] = piece
            features = self._features(torch.from_numpy(audio), length)
            hidden, state = self._lstm(features, state)
            weight, bias = self._weights[f"{OUTPUT}.weight"], self._weights[f"{OUTPUT}.bias"]
            output = torch.sigmoid(F.linear(F.relu(hidden), weight[:, :, 0], bias))[..., 0].numpy()
            for n in range(alive):
                blocks[n].append(output[n, : frames[n] - start])
        return [np.concatenate(b) if b else np.zeros(0, np.float32) for b in blocks]

    def _features(self, audio: torch.Tensor, length: int) -> torch.Tensor:
        """The convolutional front end: (streams, samples) to (streams, frames, 128)."""
        w = self._weights
        framed = audio.unfold(1, CONTEXT + FRAME, FRAME).reshape(-1, CONTEXT + FRAME)
        rows = []
        for chunk in torch.split(framed, 4096):
            x = F.pad(chunk[:, None], (0, 64), mode="reflect")
            x = F.conv1d(x, w[SPECTRUM], stride=128)
            x = (x[:, :129].square() + x[:, 129:].square()).sqrt()
            for layer, stride in zip(CONVOLUTIONS, (1, 2, 2, 1), strict=True):
                x = F.relu(F.conv1d(x, w[f"{layer}.weight"], w[f"{layer}.bias"], stride=stride, padding=1))
            rows.append(x[..., 0])
        return torch.cat(rows).view(-1, length, 128)


def _segment(probability: Samples, n_samples: int, longest: int) -> list[SpeechSpan]:
    """Turn frame probabilities into padded spans: short pauses are bridged and long spans cut."""
    pad = int(PAD_S * SAMPLE_RATE_HZ)
    runs = [
        piece
        for run in _bridge(_hysteresis(probability.tolist()))
        if (run[1] - run[0]) * FRAME >= MIN_SPEECH_S * SAMPLE_RATE_HZ
        for piece in _cut(run, probability, (longest - 2 * pad) // FRAME)
    ]
    spans = []
    for n, (begin, end) in enumerate(runs):
        start, stop = begin * FRAME - pad, end * FRAME + pad
        if n:  # a pause too short for two paddings is divided equally
            start = max(start, (begin + runs[n - 1][1]) * FRAME // 2)
        if n + 1 < len(runs):
            stop = min(stop, (end + runs[n + 1][0]) * FRAME // 2)
        voice = begin * FRAME, min(end * FRAME, n_samples)
        spans.append(SpeechSpan(max(start, 0), min(stop, n_samples), *voice))
    return spans


def _hysteresis(probability: list[float]) -> list[tuple[int, int]]:
    """Runs of frames (begin, end) that begin at ``ENTER`` or above and end before one below ``LEAVE``."""
    runs, begin = [], -1
    for n, p in enumerate(probability):
        if begin < 0 and p >= ENTER:
            begin = n
        elif begin >= 0 and p < LEAVE:
            runs.append((begin, n))
            begin = -1
    if begin >= 0:
        runs.append((begin, len(probability)))
    return runs


def _bridge(runs: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Join runs with less than ``MIN_PAUSE_S`` between them."""
    joined: list[tuple[int, int]] = []
    for begin, end in runs:
        if joined and (begin - joined[-1][1]) * FRAME < MIN_PAUSE_S * SAMPLE_RATE_HZ:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((begin, end))
    return joined


def _cut(run: tuple[int, int], probability: Samples, longest: int) -> list[tuple[int, int]]:
    """Cut a run into pieces of at most ``longest`` frames, where speech is least probable."""
    begin, end = run
    pieces = []
    while end - begin > longest:
        half = begin + longest // 2
        smooth = np.convolve(probability[half : begin + longest], np.ones(3) / 3, mode="same")
        smooth[[0, -1]] = np.inf  # the edges of a "same" convolution see zeros
        at = half + int(np.argmin(smooth))
        pieces.append((begin, at))
        begin = at
    return [*pieces, (begin, end)]


def _read_weights() -> dict[str, torch.Tensor]:
    """The 16 kHz network's tensors from the silero-vad wheel, by name.

    The package itself is not imported, as that would set torch to one thread for the whole process.

    Raises:
        ModelError: The wheel is missing, or its version has another layout.
    """
    spec = importlib.util.find_spec("silero_vad")
    file = Path(spec.origin).parent / "data" / "silero_vad.jit" if spec and spec.origin else None
    if file and file.is_file():
        state = torch.jit.load(str(file)).state_dict()  # type: ignore[no-untyped-call]
        weights = {
            name.removeprefix("_model."): tensor.clone()
            for name, tensor in state.items()
            if name.startswith("_model.")
        }
        if {SPECTRUM, f"{CONVOLUTIONS[-1]}.bias", f"{LSTM}weight_hh", f"{OUTPUT}.weight"} <= set(weights):
            return weights
    raise ModelError("silero-vad's weights are not installed", hint="pip install 'silero-vad>=6.2.3'")
