"""Keys and values of the audio, which every step of decoding reads: as floats, or as 8-bit integers.

Part of ``transcribe``. Reading them is most of a step. As float32 a window of *base* has 37 MB, as
integers 9 MB, which fbgemm multiplies as it reads: a step takes a third of the time.
Shapes: B windows, H heads, T frames, S queries, D = 64 H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipeline.transcribe.kernels import EPSILON, PROBABILITIES, SIGNED, multiply, prepack

HEAD = 64  # width of a head in every Whisper
SEVEN_BITS = 64  # two products of these and 255 fit into 16 bits, whatever their signs


@dataclass(frozen=True, slots=True)
class Floats:
    """One layer's keys and values of a batch of windows, as they are: (B, H, T, 64) each."""

    keys: torch.Tensor
    values: torch.Tensor

    def __len__(self) -> int:
        """Windows."""
        return len(self.keys)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries (B, H, S, 64), scaled already, to what they find, likewise, and weights (B, H, S, T)."""
        weights = (queries @ self.keys.transpose(-1, -2)).softmax(-1)
        return weights @ self.values, weights

    def keep(self, windows: torch.Tensor) -> Floats:
        """The windows listed only, copied."""
        return Floats(self.keys[windows], self.values[windows])


@dataclass(frozen=True, slots=True)
class Packed:
    """A weight of 8-bit integers as fbgemm reads it, and the float32 scale of each of its outputs.

    One scale for the whole weight and ours afterwards: fbgemm takes three times as long to lay out a weight
    with a scale for each output, and these are made anew for every window.
    """

    weight: torch.ScriptObject
    scale: torch.Tensor

    @classmethod
    def of(cls, outputs: torch.Tensor) -> Packed:
        """Pack outputs, float32 (n_out, n_in)."""
        scale = outputs.abs().amax(1).clamp_(min=EPSILON) / SEVEN_BITS
        return cls(prepack(outputs / scale[:, None]), scale)

    def times(self, rows: torch.Tensor, steps: tuple[float, int]) -> torch.Tensor:
        """Rows (S, n_in), rounded to 8 bits in the steps given, to (S, n_out)."""
        return multiply(rows, self.weight, steps) * self.scale


@dataclass(frozen=True, slots=True)
class Integers:
    """Likewise, as integers: a window's keys as a packed (T, D) weight, its values as a packed (D, T) one.

    All heads are multiplied at once: a head's query has zeros where the other heads are.
    """

    windows: Sequence[tuple[Packed, Packed]]

    def __len__(self) -> int:
        """Windows."""
        return len(self.windows)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """As ``Floats`` do, by 8-bit products."""
        count, heads, length, _ = queries.shape
        own = torch.eye(heads).repeat_interleave(HEAD, 1)  # (H, D): which columns are a head's
        spread = (queries.transpose(1, 2).reshape(count, length, 1, -1) * own).flatten(1, 2)
        peak = spread.abs().amax(-1, keepdim=True).clamp_(min=EPSILON)
        scores = [keys.times(q, SIGNED) for q, (keys, _) in zip(spread / peak, self.windows, strict=True)]
        weights = (torch.stack(scores) * peak).softmax(-1)
        peak = weights.amax(-1, keepdim=True)
        found = [
            values.times(w, PROBABILITIES)
            for w, (_, values) in zip(weights / peak, self.windows, strict=True)
        ]
        mixed = (torch.stack(found) * peak).view(count, length, heads, heads, HEAD)
        context = mixed.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)
        return context, weights.view(count, length, heads, -1).transpose(1, 2)

    def keep(self, windows: torch.Tensor) -> Integers:
        """The windows listed only; nothing is copied."""
        return Integers([self.windows[n] for n in windows.tolist()])


Heard = Floats | Integers
