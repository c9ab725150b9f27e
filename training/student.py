"""A smaller encoder to train: some layers of the shipped one; not used at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.encoder.network import Network
from training.low_rank import TorchNetwork
from training.quantise import quantise


class Student(nn.Module):
    """Some layers of an encoder, by number, with all weights trainable; the word embeddings are fixed."""

    def __init__(self, base: Network, layers: Sequence[int]) -> None:
        super().__init__()
        self.base = TorchNetwork.of(base)
        place = {f"encoder.layer.{old}.": f"encoder.layer.{new}." for new, old in enumerate(layers)}
        self.n_layers = len(layers)
        self.weights = nn.ParameterDict()
        for name, tensor in self.base.tensors.items():
            layer = next((prefix for prefix in place if name.startswith(prefix)), None)
            if layer or not name.startswith("encoder."):
                renamed = name.replace(layer, place[layer]) if layer else name
                self.weights[renamed.replace(".", "/")] = nn.Parameter(tensor.clone())

    def network(self) -> TorchNetwork:
        """The network with the present weights; gradients flow to them."""
        tensors = {name.replace("/", "."): weight for name, weight in self.weights.items()}
        return TorchNetwork(self.base.words, self.base.word_scale, tensors, self.n_layers)

    def narrow(self, ids: Tensor, mask: Tensor, width: int) -> None:
        """Keep in each layer the ``width`` inner units that contribute most to its output on some texts."""
        wide = self.network()
        watched = Watched(wide.words, wide.word_scale, wide.tensors, wide.n_layers)
        with torch.no_grad():
            watched.hidden(ids, mask)
        for name, activation in watched.activations.items():
            out = self.weights[f"{name}.weight".replace(".", "/")].detach()
            kept = (activation * out.norm(dim=0)).topk(width).indices.sort().values
            inner = name.replace("output", "intermediate")
            for part, axis in ((f"{name}.weight", 1), (f"{inner}.weight", 0), (f"{inner}.bias", 0)):
                part = part.replace(".", "/")
                self.weights[part] = nn.Parameter(self.weights[part].detach().index_select(axis, kept))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """The weights as they are shipped: matrices as int8 with a scale per row, the rest as float16."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, weight in self.network().tensors.items():
            values = weight.detach().numpy()
            if values.ndim == 1:
                arrays[name] = values.astype(np.float16)
            else:
                arrays[name], arrays[f"{name}.scale"] = quantise(values)
        return arrays


@dataclass(frozen=True)
class Watched(TorchNetwork):
    """A network that records the summed activation of each inner unit, by the name of the layer's output."""

    activations: dict[str, Tensor] = field(default_factory=dict)

    def _linear(self, state: Tensor, name: str) -> Tensor:
        if name.endswith("output.dense") and "attention" not in name:
            self.activations[name] = state.abs().sum(0)
        return super()._linear(state, name)
