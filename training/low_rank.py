"""The shipped encoder in torch, with low-rank changes to train; not used at run time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as fn

from pipeline.encoder.network import EPSILON, HEADS, Network

RANK = 16


class LowRank(nn.Module):
    """The frozen encoder with trainable low-rank changes to its linear layers (LoRA, Hu et al. 2021)."""

    def __init__(self, base: Network) -> None:
        super().__init__()
        self.base = TorchNetwork.of(base)
        torch.manual_seed(0)
        self.names = base.linears
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for name in self.names:
            rows, columns = base.tensors[f"{name}.weight"].shape
            self.down.append(nn.Parameter(torch.randn(RANK, columns) / columns**0.5))
            self.up.append(nn.Parameter(torch.zeros(rows, RANK)))

    def network(self) -> TorchNetwork:
        """The network with the present changes; gradients flow to the changes."""
        tensors = dict(self.base.tensors)
        for name, down, up in zip(self.names, self.down, self.up, strict=True):
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + up @ down
        return TorchNetwork(self.base.words, self.base.word_scale, tensors, self.base.n_layers)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The changes as they are shipped, in float16."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, down, up in zip(self.names, self.down, self.up, strict=True):
            arrays[f"{name}.down"] = down.detach().numpy().astype(np.float16)
            arrays[f"{name}.up"] = up.detach().numpy().astype(np.float16)
        return arrays


def save(path: Path, kind: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write a weights file with a fingerprint of its arrays."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays, fingerprint=np.frombuffer(f"{kind}:{digest}".encode(), np.uint8))


@dataclass(frozen=True)
class TorchNetwork:
    """``pipeline.encoder.network.Network`` in torch, for training.

    Attributes:
        words: Word embeddings, int8, shape (30522, 384); ``word_scale`` has their scales, float32 (30522,).
        tensors: All other tensors by their name in the original state dict, float32.
        n_layers: Number of transformer layers.
    """

    words: Tensor
    word_scale: Tensor
    tensors: Mapping[str, Tensor]
    n_layers: int

    @classmethod
    def of(cls, base: Network) -> TorchNetwork:
        """The torch network with the weights of a NumPy network."""
        tensors = {name: torch.from_numpy(array) for name, array in base.tensors.items()}
        return cls(torch.from_numpy(base.words), torch.from_numpy(base.word_scale), tensors, base.n_layers)

    def hidden(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Last hidden states.

        Args:
            ids: int64, shape (n_rows, n_tokens).
            mask: bool, same shape, True where there is a token.

        Returns:
            float32, shape (n_rows, n_tokens, 384).
        """
        real = mask.flatten().nonzero()[:, 0]  # only attention needs padding; the rest skips it to save time
        attended = None if len(real) == mask.numel() else mask[:, None, None, :]
        state = self._embed(ids).flatten(0, 1)[real]
        for layer in range(self.n_layers):
            state = self._layer(f"encoder.layer.{layer}.", state, real, mask.shape, attended)
        return _spread(state, real, mask.shape)

    def pooled(self, ids: Tensor, mask: Tensor) -> Tensor:
        """Mean of the last hidden states over each row's tokens: float32, shape (n_rows, 384)."""
        kept = mask[:, :, None]
        return (self.hidden(ids, mask).float() * kept).sum(1) / kept.sum(1)

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
        """One layer, from (n_real, 384) to (n_real, 384); ``real`` are the tokens' places in the batch."""

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
        return fn.layer_norm(state, (state.shape[-1],), weight, bias, float(EPSILON))


def _spread(state: Tensor, real: Tensor, shape: torch.Size) -> Tensor:
    """Put tokens at their places in the batch, zeros elsewhere: (n_real, size) to (*shape, size)."""
    if len(real) == shape.numel():
        return state.view(*shape, -1)
    padded = state.new_zeros(shape.numel(), state.shape[1])
    return padded.index_copy(0, real, state).view(*shape, -1)


def padded(tokens: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Pad to one length: ids, int64, shape (n_texts, n_tokens); and a mask, bool, True for tokens."""
    width = max(map(len, tokens))
    ids = torch.tensor([[*text, *[0] * (width - len(text))] for text in tokens])
    return ids, torch.arange(width) < torch.tensor([[len(text)] for text in tokens])
