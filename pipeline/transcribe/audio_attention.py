"""Cross-attention keys and values of the audio, stored as floats or as 8-bit integers.

Every decoding step reads all of them, and that takes most of its time. A window of *base* has 37 MB of
them in float32 and 9 MB as integers, with which a step takes a third of the time (fbgemm).
Shapes: B windows, H heads, T frames of the longest window, S queries, D = 64 H. The frames that a shorter
window lacks have minus infinity as their score.
"""
# Without postponed annotations: TorchScript reads them.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

from pipeline.transcribe.kernels import EPSILON, prepack, scripted

HEAD = 64  # width of a head in every Whisper
SEVEN_BITS = 64  # the sum of two products of such a number and 255 fits into 16 bits
if TYPE_CHECKING:
    PackedWeight = torch.ScriptObject
else:
    PackedWeight = torch.classes.quantized.LinearPackedParamsBase


@dataclass(frozen=True, slots=True)
class FloatKeysAndValues:
    """One layer's keys and values for a batch of windows as floats, each (B, H, T, 64).

    ``mask`` (B, 1, 1, T) is 0 for the frames of a window and minus infinity for those that it lacks.
    """

    keys: torch.Tensor
    values: torch.Tensor
    mask: torch.Tensor

    def __len__(self) -> int:
        return len(self.keys)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Attention of scaled queries (B, H, S, 64): context (B, H, S, 64) and weights (B, H, S, T)."""
        weights = (queries @ self.keys.transpose(-1, -2) + self.mask).softmax(-1)
        return weights @ self.values, weights

    def keep(self, windows: torch.Tensor) -> "FloatKeysAndValues":
        """A copy of the given windows."""
        return FloatKeysAndValues(self.keys[windows], self.values[windows], self.mask[windows])


@dataclass(frozen=True, slots=True)
class Packed:
    """Matrices of 8-bit integers in fbgemm's layout, one a window, and the scales of their outputs (B, 1, n).

    The scales are applied after the product. If they were part of fbgemm's weights, the layout would take
    three times as long, and it is made for every window.
    """

    weights: list[torch.ScriptObject]
    scales: torch.Tensor

    @classmethod
    def of(cls, windows: Sequence[tuple[torch.ScriptObject, torch.Tensor]]) -> "Packed":
        """The matrices that ``to_integers`` made, one for each window; the scale of a lacking output is 1."""
        longest = max(len(scale) for _, scale in windows)
        scales = [F.pad(scale, (0, longest - len(scale)), value=1.0) for _, scale in windows]
        return cls([weight for weight, _ in windows], torch.stack(scales)[:, None])

    def keep(self, windows: torch.Tensor) -> "Packed":
        """The matrices of the given windows."""
        return Packed([self.weights[n] for n in windows.tolist()], self.scales[windows])


def to_integers(matrix: torch.Tensor) -> tuple[torch.ScriptObject, torch.Tensor]:
    """Pack a float32 matrix (n_out, n_in); returns it with its outputs' scales (n_out,)."""
    scale = matrix.abs().amax(1).clamp_(min=EPSILON) / SEVEN_BITS
    return prepack(matrix / scale[:, None]), scale


@dataclass(frozen=True, slots=True)
class IntegerKeysAndValues:
    """One layer's keys (T, D) and values (D, T) of each window as integers, and the frames that each has."""

    keys: Packed
    values: Packed
    frames: list[int]

    def __len__(self) -> int:
        return len(self.keys.weights)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as ``FloatKeysAndValues.attend``, by 8-bit products."""
        keys, values = self.keys, self.values
        found: tuple[torch.Tensor, torch.Tensor] = _attend(
            queries, keys.weights, keys.scales, values.weights, values.scales, self.frames
        )
        return found

    def keep(self, windows: torch.Tensor) -> "IntegerKeysAndValues":
        """The given windows; no matrix is copied."""
        frames = [self.frames[n] for n in windows.tolist()]
        return IntegerKeysAndValues(self.keys.keep(windows), self.values.keep(windows), frames)


@scripted
def _attend(
    queries: torch.Tensor,
    keys: list[PackedWeight],
    key_scales: torch.Tensor,
    values: list[PackedWeight],
    value_scales: torch.Tensor,
    frames: list[int],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention by 8-bit products: context (B, H, S, 64) and weights (B, H, S, T).

    One product covers all heads of a window: the query of a head has zeros in the columns of the others.
    Queries are rounded to 8-bit integers for values from -1 to 1, weights to those for values from 0 to 1.
    """
    count, heads, length, width = queries.shape
    head_columns = torch.eye(heads).repeat_interleave(width, 1)  # (H, D): 1 in the columns of a head
    spread = (queries.transpose(1, 2).reshape(count, length, 1, -1) * head_columns).flatten(1, 2)
    peak = spread.abs().amax(-1, keepdim=True).clamp_(min=1e-12)
    spread = spread / peak
    scores = torch.full((count, length * heads, key_scales.shape[2]), float("-inf"))
    for n in range(count):
        scores[n, :, : frames[n]] = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            spread[n], 1 / 127, 128, keys[n]
        )
    weights = (scores * key_scales * peak).softmax(-1)
    peak = weights.amax(-1, keepdim=True)
    spread = weights / peak
    products: list[torch.Tensor] = []
    for rows, present, weight in zip(spread.unbind(0), frames, values):  # noqa: B905  (TorchScript has no strict)
        products.append(
            torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
                rows[:, :present], 1 / 255, 0, weight
            )
        )
    mixed = (torch.stack(products) * value_scales * peak).view(count, length, heads, heads, width)
    context = mixed.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)
    return context, weights.view(count, length, heads, -1).transpose(1, 2)


KeysAndValues = FloatKeysAndValues | IntegerKeysAndValues
