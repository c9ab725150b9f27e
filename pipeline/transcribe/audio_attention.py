"""Cross-attention keys and values of the audio, stored as floats or as 8-bit integers.

Every decoding step reads all of them, and that takes most of its time. A window of *base* has 37 MB of
them in float32 and 9 MB as integers, with which a step takes a third of the time (fbgemm).
Shapes: B windows, H heads, T frames, S queries, D = 64 H.
"""
# Without postponed annotations: TorchScript reads them.

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pipeline.transcribe.kernels import EPSILON, prepack, scripted

HEAD = 64  # width of a head in every Whisper
SEVEN_BITS = 64  # the sum of two products of such a number and 255 fits into 16 bits
if TYPE_CHECKING:
    PackedWeight = torch.ScriptObject
else:
    PackedWeight = torch.classes.quantized.LinearPackedParamsBase


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

    def keep(self, windows: torch.Tensor) -> "FloatKeysAndValues":
        """A copy of the given windows."""
        return FloatKeysAndValues(self.keys[windows], self.values[windows])


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
        """The matrices that ``to_integers`` made, one for each window."""
        return cls([weight for weight, _ in windows], torch.stack([scale for _, scale in windows])[:, None])

    def keep(self, windows: torch.Tensor) -> "Packed":
        """The matrices of the given windows."""
        return Packed([self.weights[n] for n in windows.tolist()], self.scales[windows])


def to_integers(matrix: torch.Tensor) -> tuple[torch.ScriptObject, torch.Tensor]:
    """Pack a float32 matrix (n_out, n_in); returns it with its outputs' scales (n_out,)."""
    scale = matrix.abs().amax(1).clamp_(min=EPSILON) / SEVEN_BITS
    return prepack(matrix / scale[:, None]), scale


@dataclass(frozen=True, slots=True)
class IntegerKeysAndValues:
    """One layer's keys (T, D) and values (D, T) of each window as integers."""

    keys: Packed
    values: Packed

    def __len__(self) -> int:
        return len(self.keys.weights)

    def attend(self, queries: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The same as ``FloatKeysAndValues.attend``, by 8-bit products."""
        keys, values = self.keys, self.values
        found: tuple[torch.Tensor, torch.Tensor] = _attend(
            queries, keys.weights, keys.scales, values.weights, values.scales
        )
        return found

    def keep(self, windows: torch.Tensor) -> "IntegerKeysAndValues":
        """The given windows; no matrix is copied."""
        return IntegerKeysAndValues(self.keys.keep(windows), self.values.keep(windows))


@scripted
def _attend(
    queries: torch.Tensor,
    keys: list[PackedWeight],
    key_scales: torch.Tensor,
    values: list[PackedWeight],
    value_scales: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Attention by 8-bit products: context (B, H, S, 64) and weights (B, H, S, T).

    One product covers all heads of a window: the query of a head has zeros in the columns of the others.
    Queries are rounded to 8-bit integers for values from -1 to 1, weights to those for values from 0 to 1.
    """
    count, heads, length, width = queries.shape
    head_columns = torch.eye(heads).repeat_interleave(width, 1)  # (H, D): 1 in the columns of a head
    spread = (queries.transpose(1, 2).reshape(count, length, 1, -1) * head_columns).flatten(1, 2)
    peak = spread.abs().amax(-1, keepdim=True).clamp_(min=1e-12)
    products: list[torch.Tensor] = []
    for rows, weight in zip((spread / peak).unbind(0), keys):  # noqa: B905  (TorchScript has no strict)
        products.append(
            torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(rows, 1 / 127, 128, weight)
        )
    weights = (torch.stack(products) * key_scales * peak).softmax(-1)
    peak = weights.amax(-1, keepdim=True)
    products = []
    for rows, weight in zip((weights / peak).unbind(0), values):  # noqa: B905
        products.append(
            torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(rows, 1 / 255, 0, weight)
        )
    mixed = (torch.stack(products) * value_scales * peak).view(count, length, heads, heads, width)
    context = mixed.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)
    return context, weights.view(count, length, heads, -1).transpose(1, 2)


KeysAndValues = FloatKeysAndValues | IntegerKeysAndValues
