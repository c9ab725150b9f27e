"""Number formats by hardware: which the processor multiplies fastest, and the layers that use it.

Part of ``transcribe``. ``auto`` takes float16 on CUDA, int8 where the processor has int8 dot
products (VNNI or AMX), bfloat16 where it has those, else float32.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)

Precision = Literal["float32", "bfloat16", "float16", "int8"]
Linear = Callable[[torch.Tensor], torch.Tensor]
M_ARENA_MAX = -8  # of glibc's malloc.h


@dataclass(frozen=True, slots=True)
class Hardware:
    """Where and how the network runs.

    Attributes:
        device: torch device.
        precision: Format of the large matrix products.
        compute: Format of everything between them that is not the float32 residual stream.
        threads: Windows worked on at once; each on one core, which beats one window on all.
    """

    device: str
    precision: Precision
    compute: torch.dtype
    threads: int

    def __str__(self) -> str:
        return f"{self.precision} on {self.device}, {self.threads} thread{'s' * (self.threads != 1)}"


def choose(device: str, precision: Precision | Literal["auto"], threads: int) -> Hardware:
    """Resolve ``auto`` settings to what this machine has."""
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu":
        on_gpu: Precision = "float16" if precision == "auto" or precision == "int8" else precision
        return Hardware(device, on_gpu, _dtype(on_gpu), 1)
    native_bfloat16 = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    fastest: Precision = "int8" if _has_int8() else "bfloat16" if native_bfloat16 else "float32"
    chosen: Precision = fastest if precision == "auto" else precision
    compute = _dtype(chosen)
    if chosen == "int8" and native_bfloat16:
        compute = torch.bfloat16
    return Hardware(device, chosen, compute, threads or available_cores())


def available_cores() -> int:
    """Cores this process may use (containers and ``taskset`` give fewer than the machine has)."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def few_arenas() -> None:
    """Let glibc's allocator keep two arenas instead of eight a core.

    Each thread's own arena fills with holes between long-lived pieces: the peak of a long batch
    was a fifth higher; the speed is the same. Elsewhere, nothing is done.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def return_free_memory() -> None:
    """Give what glibc's allocator holds free back to the system, so that holes do not add up."""
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)


def linear(weight: torch.Tensor, bias: torch.Tensor | None, hardware: Hardware) -> Linear:
    """A linear layer in the hardware's format.

    Args:
        weight: float32 (n_out, n_in).
        bias: float32 (n_out,) or None.
        hardware: Where it runs.

    Returns:
        A function from (…, n_in) to (…, n_out) in ``hardware.compute``.
    """
    if hardware.precision == "int8":
        return Int8Linear(weight, bias, hardware.compute)
    w = weight.to(hardware.device, hardware.compute)
    b = None if bias is None else bias.to(hardware.device, hardware.compute)
    return lambda x: F.linear(x.to(w.dtype), w, b)


class Int8Linear:
    """A linear layer of 8-bit products: weights scaled per output, activations per row.

    Scaling each row by itself keeps a row's result independent of the other rows in the batch,
    so a call's transcript does not depend on which calls it was batched with.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, compute: torch.dtype) -> None:
        n_out = weight.shape[0]
        self._scale = weight.abs().amax(1).clamp(min=1e-12) / 127
        rounded = (weight / self._scale[:, None]).round().to(torch.int8)
        self._weight = torch.ops.onednn.qlinear_prepack(rounded, None)
        self._zero = torch.zeros(n_out, dtype=torch.int64)
        self._bias = torch.zeros(n_out, dtype=compute) if bias is None else bias.to(compute)
        self._compute = compute

    def __call__(self, x: torch.Tensor) -> torch.Tensor:
        """Multiply: x (…, n_in) to (…, n_out) in the compute format."""
        rows = x.reshape(-1, x.shape[-1]).float()
        scale = rows.abs().amax(1, keepdim=True).clamp_(min=1e-12) / 127
        # oneDNN's fast path wants unsigned activations; +0.5 makes the truncation a rounding
        shifted = (rows / scale).add_(128.5).to(torch.uint8)
        product = torch.ops.onednn.qlinear_pointwise(
            shifted,
            1.0,
            128,
            self._weight,
            self._scale,
            self._zero,
            None,
            1.0,
            0,
            self._compute,
            "none",
            [],
            "",
        )
        return torch.addcmul(self._bias, product, scale.to(self._compute)).view(*x.shape[:-1], -1)


def _has_int8() -> bool:
    """Whether the processor has int8 dot products and torch the layer that uses them."""
    return bool(torch.cpu._is_vnni_supported()) and hasattr(torch.ops.onednn, "qlinear_pointwise")


def _dtype(precision: Precision) -> torch.dtype:
    return {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(precision, torch.float32)
