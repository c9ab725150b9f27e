"""BERT's encoder in plain torch: token ids to hidden states, nothing else of the architecture.

Weights are stored as int8 with one float32 scale a row (symmetric) and multiplied out at load;
the embedding table stays int8 and is multiplied out for the rows a batch uses.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as fn

HEADS = 12
LAYERS = 6
EPSILON = 1e-12  # of BERT's layer norms
LINEARS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)


def quantise(matrix: NDArray[np.float32]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """int8 rows and the scale of each: ``matrix ≈ rows * scale[:, None]``."""
    scale = np.maximum(np.abs(matrix).max(axis=1), 1e-12).astype(np.float32) / np.float32(127)
    return np.round(matrix / scale[:, None]).astype(np.int8), scale


@dataclass(frozen=True)
class Network:
    """The six transformer layers.

    Attributes:
        words: Embedding rows, int8, shape (30522, 384), with ``word_scale`` float32 (30522,).
        tensors: Everything else by its name in the original state dict, float32.
    """

    words: Tensor
    word_scale: Tensor
    tensors: Mapping[str, Tensor]

    @classmethod
    def from_int8(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Network:
        """Multiply the stored rows out; ``NAME.scale`` marks a quantised ``NAME``."""
        tensors = {}
        for name, array in arrays.items():
            if name.endswith(".scale") or name.startswith("embeddings.word_"):
                continue
            tensor = torch.from_numpy(array).float()
            if f"{name}.scale" in arrays:
                tensor *= torch.from_numpy(arrays[f"{name}.scale"])[:, None]
            tensors[name] = tensor
        word = "embeddings.word_embeddings.weight"
        return cls(torch.from_numpy(arrays[word]), torch.from_numpy(arrays[f"{word}.scale"]), tensors)

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states.

        Args:
            ids: int64, shape (n_rows, n_tokens).
            mask: bool, same shape, True where there is a token.

        Returns:
            float32, shape (n_rows, n_tokens, 384).
        """
        real = mask.flatten().nonzero()[:, 0]  # all but attention goes by token: padding costs nothing there
        attended = None if len(real) == mask.numel() else mask[:, None, None, :]
        state = self._embed(ids).flatten(0, 1)[real]
        for layer in range(LAYERS):
            state = self._layer(f"encoder.layer.{layer}.", state, real, mask.shape, attended)
        return _spread(state, real, mask.shape)

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean of the last hidden states over the tokens: float32, shape (n_rows, 384)."""
        kept = mask[:, :, None]
        return (self.hidden(ids, mask).float() * kept).sum(1) / kept.sum(1)

    def quick(self) -> Network:
        """The same network in bfloat16 where the processor multiplies it natively, else itself."""
        if not torch.cpu._is_avx512_bf16_supported():
            return self
        tensors = {name: tensor.bfloat16() for name, tensor in self.tensors.items()}
        return Network(self.words, self.word_scale, tensors)

    def _embed(self, ids: Tensor) -> Tensor:
        weights = self.tensors
        position = weights["embeddings.position_embeddings.weight"]
        state = (self.words[ids].float() * self.word_scale[ids][..., None]).to(position.dtype)
        state = state + position[: ids.shape[1]]
        state = state + weights["embeddings.token_type_embeddings.weight"][0]
        return self._norm(state, "embeddings.LayerNorm")

    def _layer(
        self, prefix: str, state: Tensor, real: Tensor, shape: torch.Size, attended: Tensor | None
    ) -> Tensor:
        """One layer, (n_real, 384) to the same: the tokens at the places ``real`` of a batch of ``shape``."""

        def heads(name: str) -> Tensor:
            projected = _spread(self._linear(state, f"{prefix}attention.self.{name}"), real, shape)
            return projected.view(*shape, HEADS, -1).transpose(1, 2)

        mixed = fn.scaled_dot_product_attention(
            heads("query"), heads("key"), heads("value"), attn_mask=attended
        )
        mixed = mixed.transpose(1, 2).flatten(2).flatten(0, 1)[real]
        state = self._norm(
            state + self._linear(mixed, f"{prefix}attention.output.dense"),
            f"{prefix}attention.output.LayerNorm",
        )
        wide = fn.gelu(self._linear(state, f"{prefix}intermediate.dense"))
        return self._norm(state + self._linear(wide, f"{prefix}output.dense"), f"{prefix}output.LayerNorm")

    def _linear(self, state: Tensor, name: str) -> Tensor:
        return fn.linear(state, self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"])

    def _norm(self, state: Tensor, name: str) -> Tensor:
        weight, bias = self.tensors[f"{name}.weight"], self.tensors[f"{name}.bias"]
        return fn.layer_norm(state, (state.shape[-1],), weight, bias, EPSILON)


def _spread(state: Tensor, real: Tensor, shape: torch.Size) -> Tensor:
    """Tokens back at their places in the batch, zeros elsewhere: (n_real, size) to (*shape, size)."""
    if len(real) == shape.numel():
        return state.view(*shape, -1)
    padded = state.new_zeros(shape.numel(), state.shape[1])
    return padded.index_copy(0, real, state).view(*shape, -1)
