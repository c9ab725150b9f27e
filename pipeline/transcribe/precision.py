"""How the network runs on this machine: device, kernel for each shape of layer, attention, threads.

``auto`` means float16 on CUDA. On a processor it means, for each shape of layer, the kernel that ``probe``
measured to be fastest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import nn

from pipeline.child_processes import cores
from pipeline.transcribe.kernels import build
from pipeline.transcribe.probe import ATTENTIONS, INT8, KERNELS, Kernel, KernelTimes, Shape, measured

Precision = Literal["auto", "float32", "bfloat16", "float16", "int8"]


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and how the network runs.

    Attributes:
        device: torch device.
        kernels: Kernels to choose from for the large matrix products; on a GPU, the one number format.
        compute: Number format of everything between these products but the residual stream, in float32.
        fused: Whether torch's fused attention is used.
        threads: Number of windows worked on at once, one per core: faster than one window on all cores.
        measured: How fast each kernel is on this processor.
    """

    device: str
    kernels: tuple[Kernel, ...]
    compute: torch.dtype
    fused: bool
    threads: int
    measured: KernelTimes = field(default_factory=KernelTimes)

    def kernel(self, shape: Shape) -> Kernel:
        """The fastest kernel for a layer of this shape."""
        return self.measured.fastest(shape, self.kernels)

    def linear(self, weight: torch.Tensor, bias: torch.Tensor | None, rows: int) -> nn.Module:
        """A linear layer (see ``kernels.build``) with the kernel that is fastest for ``rows`` at once."""
        n_out, n_in = weight.shape
        placed = None if bias is None else bias.to(self.device)
        return build(self.kernel((rows, n_in, n_out)), weight.to(self.device), placed, self.compute)


def choose(device: str, precision: Precision, threads: int) -> Hardware:
    """Resolve ``auto`` settings to what is fastest on this machine, which is measured if it never was."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        on_gpu: Kernel = "float16" if precision == "auto" or precision == "int8" else precision
        return Hardware(device, (on_gpu,), getattr(torch, on_gpu), True, 1)
    kernels, attentions = KERNELS, ATTENTIONS
    if precision == "int8":
        kernels = INT8
    elif precision != "auto":
        kernels, attentions = (precision,), (f"tiled {precision}", f"fused {precision}")
    found = measured()
    how, _, format_ = found.fastest_attention(attentions).partition(" ")
    return Hardware(device, kernels, getattr(torch, format_), how == "fused", threads or cores(), found)
