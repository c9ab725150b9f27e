"""A few of the encoder's layers with all their weights free, to be trained; not used at run time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pipeline.encoder.network import Network, quantise
from training.low_rank import TorchNetwork


class Student(nn.Module):
    """Layers of an encoder, by their numbers; the vectors of its words stay as they are."""

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
        """The network as it is now; gradients reach its weights."""
        tensors = {name.replace("/", "."): weight for name, weight in self.weights.items()}
        return TorchNetwork(self.base.words, self.base.word_scale, tensors, self.n_layers)

    def narrow(self, ids: Tensor, mask: Tensor, width: int) -> None:
        """Keep in each layer the inner units that add most to what it gives, on some texts."""
        given = self.network()
        watched = Watched(given.words, given.word_scale, given.tensors, given.n_layers)
        with torch.no_grad():
            watched.hidden(ids, mask)
        for name, used in watched.used.items():
            out = self.weights[f"{name}.weight".replace(".", "/")].detach()
            kept = (used * out.norm(dim=0)).topk(width).indices.sort().values
            inner = name.replace("output", "intermediate")
            for part, axis in ((f"{name}.weight", 1), (f"{inner}.weight", 0), (f"{inner}.bias", 0)):
                part = part.replace(".", "/")
                self.weights[part] = nn.Parameter(self.weights[part].detach().index_select(axis, kept))

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is shipped: matrices as int8 with a scale a row, the rest as float16."""
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
    """A network that notes how much each inner unit of its layers is used, by the layer's last product."""

    used: dict[str, Tensor] = field(default_factory=dict)

    def _linear(self, state: Tensor, name: str) -> Tensor:
        if name.endswith("output.dense") and "attention" not in name:
            self.used[name] = state.abs().sum(0)
        return super()._linear(state, name)
