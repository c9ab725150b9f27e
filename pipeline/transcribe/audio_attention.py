"""Cross-attention keys and values of the audio, stored as floats or as 8-bit integers.

Every decoding step reads all of them, and that takes most of its time. A window of *base* has 37 MB of
them in float32 and 9 MB as integers, with which a step takes a third of the time (fbgemm).
Shapes: B windows, H heads, T frames, S queries, D = 64 H.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from pipeline.transcribe.kernels import EPSILON, PROBABILITIES, SIGNED, multiply, prepack

HEAD = 64  # width of a head in every Whisper
SEVEN_BITS = 64  # the sum of two products of such a number and 255 fits into 16 bits


@dataclass(frozen=True, slots=True)
class FloatKeysAndValues:
    """One layer's keys and values for a batch of windows as floats, each (B, H, T, 64)."""

    keys: torch.Tensor
    values: torch.Tensor

    def __len__(self) -> int:
        return len(self.keys)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention of scaled queries (B, H, S, 64): context (B, H, S, 64) and weights (B, H, S, T)."""
        weights = (queries @ self.keys.transpose(-1, -2)).softmax(-1)
        return weights @ self.values, weights

    def keep(self, windows: torch.Tensor) -> FloatKeysAndValues:
        """A copy of the given windows."""
        return FloatKeysAndValues(self.keys[windows], self.values[windows])


@dataclass(frozen=True, slots=True)
class Packed:
    """A weight matrix of 8-bit integers in fbgemm's layout, and a float32 scale for each output.

    The scales are applied here after the product. If they were part of fbgemm's weight, the layout would
    take three times as long, and it is made for every window.
    """

    weight: torch.ScriptObject
    scale: torch.Tensor

    @classmethod
    def of(cls, outputs: torch.Tensor) -> Packed:
        """Pack a float32 matrix (n_out, n_in)."""
        scale = outputs.abs().amax(1).clamp_(min=EPSILON) / SEVEN_BITS
        return cls(prepack(outputs / scale[:, None]), scale)

    def times(self, rows: torch.Tensor, steps: tuple[float, int]) -> torch.Tensor:
        """Product with rows (S, n_in), which are rounded to 8 bits in the given steps: (S, n_out)."""
        return multiply(rows, self.weight, steps) * self.scale


@dataclass(frozen=True, slots=True)
class IntegerKeysAndValues:
    """One layer's keys and values as integers: per window, packed keys (T, D) and packed values (D, T).

    One product covers all heads: the query of a head has zeros in the columns of the other heads.
    """

    windows: Sequence[tuple[Packed, Packed]]

    def __len__(self) -> int:
        return len(self.windows)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as ``FloatKeysAndValues.attend``, by 8-bit products."""
        count, heads, length, _ = queries.shape
        head_columns = torch.eye(heads).repeat_interleave(HEAD, 1)  # (H, D): 1 in the columns of a head
        spread = (queries.transpose(1, 2).reshape(count, length, 1, -1) * head_columns).flatten(1, 2)
        peak = spread.abs().amax(-1, keepdim=True).clamp_(min=EPSILON)
        scores = [keys.times(q, SIGNED) for q, (keys, _) in zip(spread / peak, self.windows, strict=True)]
        weights = (torch.stack(scores) * peak).softmax(-1)
        peak = weights.amax(-1, keepdim=True)
        products = [
            values.times(w, PROBABILITIES)
            for w, (_, values) in zip(weights / peak, self.windows, strict=True)
        ]
        mixed = (torch.stack(products) * peak).view(count, length, heads, heads, HEAD)
        context = mixed.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)
        return context, weights.view(count, length, heads, -1).transpose(1, 2)

    def keep(self, windows: torch.Tensor) -> IntegerKeysAndValues:
        """The given windows; nothing is copied."""
        return IntegerKeysAndValues([self.windows[n] for n in windows.tolist()])


KeysAndValues = FloatKeysAndValues | IntegerKeysAndValues
