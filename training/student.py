"""A few of the encoder's layers with all their weights free, to be trained; not used at run time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from torch import nn

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
