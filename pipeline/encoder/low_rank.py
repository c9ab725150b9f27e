"""Training low-rank changes to the shipped encoder; not used at run time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from pipeline.encoder.adapters import linear_names
from pipeline.encoder.network import Network

RANK = 16


class LowRank(nn.Module):
    """The frozen encoder with trainable changes."""

    def __init__(self, base: Network) -> None:
        super().__init__()
        self.base = base
        torch.manual_seed(0)
        self.down, self.up = nn.ParameterList(), nn.ParameterList()
        for name in linear_names():
            rows, columns = base.tensors[f"{name}.weight"].shape
            self.down.append(nn.Parameter(torch.randn(RANK, columns) / columns**0.5))
            self.up.append(nn.Parameter(torch.zeros(rows, RANK)))

    def network(self) -> Network:
        """The network as it is now; gradients reach the changes."""
        tensors = dict(self.base.tensors)
        for name, down, up in zip(linear_names(), self.down, self.up, strict=True):
            tensors[f"{name}.weight"] = tensors[f"{name}.weight"] + up @ down
        return Network(self.base.words, self.base.word_scale, tensors)

    def arrays(self) -> dict[str, NDArray[np.generic]]:
        """What is shipped, in float16."""
        arrays: dict[str, NDArray[np.generic]] = {}
        for name, down, up in zip(linear_names(), self.down, self.up, strict=True):
            arrays[f"{name}.down"] = down.detach().numpy().astype(np.float16)
            arrays[f"{name}.up"] = up.detach().numpy().astype(np.float16)
        return arrays


def save(path: Path, kind: str, arrays: Mapping[str, NDArray[np.generic]]) -> None:
    """Write changes, and what was trained with them, with a fingerprint of all."""
    digest = hashlib.sha256(b"".join(array.tobytes() for array in arrays.values())).hexdigest()[:12]
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(path, **arrays, fingerprint=np.frombuffer(f"{kind}:{digest}".encode(), np.uint8))  # type: ignore[arg-type]
