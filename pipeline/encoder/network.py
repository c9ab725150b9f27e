"""BERT's encoder in NumPy: makes sentence vectors of token ids.

On one core it is as fast as torch, since both spend their time in a BLAS; so re-scoring needs no torch.
Weights are stored as int8 with one float32 scale per row (symmetric) and turned into float32 at load; the
embedding table stays int8, and only the rows that a batch needs are turned into float32.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from pipeline.errors import ModelError

Array = NDArray[np.float32]
HEADS = 12
EPSILON = np.float32(1e-12)  # of BERT's layer norms
WORDS = "embeddings.word_embeddings.weight"
LINEARS = (
    "attention.self.query",
    "attention.self.key",
    "attention.self.value",
    "attention.output.dense",
    "intermediate.dense",
    "output.dense",
)
GELU_ROWS = 32  # rows at once, so that they stay in the processor's cache


def read(path: Path) -> dict[str, NDArray[np.generic]]:
    """The arrays of a weights file, an npz without pickles, but for its fingerprint.

    Raises:
        ModelError: The file is missing or damaged.
    """
    try:
        with np.load(path, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files if name != "fingerprint"}
    except (OSError, EOFError, ValueError, BadZipFile) as error:
        raise ModelError(
            f"the weights at {path} cannot be read: {error}",
            hint="reinstall callqa; the file is part of the package",
        ) from error


def _floats(arrays: Mapping[str, NDArray[np.generic]]) -> dict[str, Array]:
    """Stored tensors as float32, with the int8 ones multiplied by their scales (``NAME.scale``)."""
    tensors = {}
    for name, array in arrays.items():
        if not name.endswith(".scale"):
            tensors[name] = array.astype(np.float32)
            if f"{name}.scale" in arrays:
                tensors[name] *= arrays[f"{name}.scale"].astype(np.float32)[:, None]
    return tensors


@dataclass(frozen=True)
class Network:
    """Embeddings and layers of the transformer.

    Attributes:
        words: Word embeddings, int8, shape (30522, 384); ``word_scale`` has their scales, float32 (30522,).
        tensors: All other tensors by their name in the original state dict, float32.
    """

    words: NDArray[np.int8]
    word_scale: Array
    tensors: Mapping[str, Array]

    @classmethod
    def from_int8(cls, arrays: Mapping[str, NDArray[np.generic]]) -> Network:
        """The network of a weights file; an array ``NAME`` with a ``NAME.scale`` is quantised."""
        rest = {name: array for name, array in arrays.items() if not name.startswith(WORDS)}
        return cls(arrays[WORDS].astype(np.int8), arrays[f"{WORDS}.scale"].astype(np.float32), _floats(rest))

    def with_layers(self, arrays: Mapping[str, NDArray[np.generic]]) -> Network:
        """A network with the same word embeddings and other tensors, stored in the same way."""
        return replace(self, tensors=_floats(arrays))

    def with_changes(self, changes: Mapping[str, NDArray[np.generic]]) -> Network:
        """A network with ``NAME.up @ NAME.down`` added to each linear layer (LoRA, Hu et al. 2021)."""
        tensors = dict(self.tensors)
        for name in self.linears:
            up, down = (changes[f"{name}.{part}"].astype(np.float32) for part in ("up", "down"))
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + up @ down
        return replace(self, tensors=tensors)

    @property
    def linears(self) -> list[str]:
        """Names of the linear layers in the original state dict."""
        return [f"encoder.layer.{layer}.{name}" for layer in range(self.n_layers) for name in LINEARS]

    @cached_property
    def n_layers(self) -> int:
        """Number of transformer layers."""
        return sum(name.endswith(f"{LINEARS[0]}.weight") for name in self.tensors)

    def pooled(self, tokens: Sequence[Sequence[int]]) -> Array:
        """Mean of the last hidden states over each text's tokens: float32, shape (n_texts, 384)."""
        lengths = [len(ids) for ids in tokens]
        starts = np.cumsum([0, *lengths[:-1]])
        sums: Array = np.add.reduceat(self.states(tokens), starts, axis=0)
        return sums / np.array(lengths, np.float32)[:, None]

    def states(self, tokens: Sequence[Sequence[int]]) -> Array:
        """Last hidden states of all tokens of all texts, in order: float32, shape (n_tokens, 384).

        Attention is computed together for neighbours of equal length.
        """
        lengths = [len(ids) for ids in tokens]
        spans, start = [], 0
        for length, same in groupby(lengths):
            count = len(list(same))
            spans.append((slice(start, start + count * length), count))
            start += count * length
        state = self._embed(np.concatenate(tokens), np.concatenate([np.arange(n) for n in lengths]))
        for layer in range(self.n_layers):
            state = self._layer(f"encoder.layer.{layer}.", state, spans)
        return state

    def _embed(self, ids: NDArray[np.intp], positions: NDArray[np.intp]) -> Array:
        state = self.words[ids] * self.word_scale[ids][:, None]
        state += self.tensors["embeddings.position_embeddings.weight"][positions]
        state += self.tensors["embeddings.token_type_embeddings.weight"][0]
        return self._norm(state, "embeddings.LayerNorm")

    def _layer(self, prefix: str, state: Array, spans: Sequence[tuple[slice, int]]) -> Array:
        query, key, value = (self._linear(state, prefix + name) for name in LINEARS[:3])
        query *= np.float32((state.shape[1] // HEADS) ** -0.5)
        mixed = np.empty_like(state)
        for span, count in spans:
            mixed[span] = _attended(query[span], key[span], value[span], count)
        mixed = self._linear(mixed, f"{prefix}attention.output.dense")
        mixed += state
        state = self._norm(mixed, f"{prefix}attention.output.LayerNorm")
        wide = self._linear(state, f"{prefix}intermediate.dense")
        for start in range(0, len(wide), GELU_ROWS):
            _gelu(wide[start : start + GELU_ROWS])
        out = self._linear(wide, f"{prefix}output.dense")
        out += state
        return self._norm(out, f"{prefix}output.LayerNorm")

    def _linear(self, state: Array, name: str) -> Array:
        out = state @ self.tensors[f"{name}.weight"].T
        out += self.tensors[f"{name}.bias"]
        return out

    def _norm(self, state: Array, name: str) -> Array:
        """Layer norm, in place."""
        state -= state.mean(axis=1, keepdims=True)
        variance = np.einsum("ij,ij->i", state, state) / np.float32(state.shape[1])
        state /= np.sqrt(variance + EPSILON)[:, None]
        state *= self.tensors[f"{name}.weight"]
        state += self.tensors[f"{name}.bias"]
        return state


def _attended(query: Array, key: Array, value: Array, count: int) -> Array:
    """Attention within each of ``count`` texts of equal length: shape (n_tokens, 384), like the arguments."""
    q, k, v = (part.reshape(count, -1, HEADS, part.shape[1] // HEADS) for part in (query, key, value))
    weight = q.transpose(0, 2, 1, 3) @ k.transpose(0, 2, 3, 1)
    weight -= weight.max(axis=-1, keepdims=True)
    np.exp(weight, out=weight)
    weight /= weight.sum(axis=-1, keepdims=True)
    mixed = (weight @ v.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3).reshape(query.shape)
    return mixed.astype(np.float32, copy=False)


def _gelu(values: Array) -> None:
    """Replace each by its GELU, in place, within 5e-4 (tanh form; Hendrycks and Gimpel 2016)."""
    inner = np.float32(math.sqrt(2 / math.pi)) * (values + np.float32(0.044715) * values * values * values)
    values *= np.float32(0.5) * (np.float32(1) + np.tanh(inner))
