"""Linear layers in several number formats, of which the processor's fastest is used, and their timing."""

# Without postponed annotations: TorchScript reads them.

import contextlib
import json
import math
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from torch import nn

from pipeline.transcribe.probe import ATTENTIONS, KERNELS, SHAPES, Kernel, KernelTimes, Shape

EPSILON = 1e-12
QUERIES = 250  # rows of attention scores computed at a time
REPEATS = 8
SKIP_FACTOR = 4.0  # a kernel this many times slower than the best is timed once (its first run has overhead)


def build(kernel: Kernel, weight: torch.Tensor, bias: torch.Tensor | None, compute: torch.dtype) -> nn.Module:
    """Build a linear layer.

    Args:
        kernel: Number format, or the library for 8-bit integers.
        weight: float32 (n_out, n_in).
        bias: float32 (n_out,) or None.
        compute: Number format of the result.

    Returns:
        A module from (…, n_in) of any format to (…, n_out) in ``compute``.
    """
    if kernel == "fbgemm":
        return FbgemmLinear(weight, bias, compute)
    if kernel == "onednn":
        return OnednnLinear(weight, bias, compute)
    dtype = {"bfloat16": torch.bfloat16, "float16": torch.float16}.get(kernel, torch.float32)
    return FloatLinear(weight.to(dtype), None if bias is None else bias.to(dtype), compute)


def scripted(code: nn.Module | Callable[..., Any]) -> Any:
    """A module or function compiled by TorchScript, which runs without Python's global lock.

    A decoding step calls a few hundred short operations, and two threads that decode at the same time waited
    for the lock between them: compiled, both take half as long, with the same results.
    What is compiled cannot read a module's constants, so it has their numbers in it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # the pinned version of torch has it
        return torch.jit.script(code)


def rounded(weight: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """A weight as 8-bit integers, and the scale of each output.

    Processors without VNNI add two neighbouring products in 16 bits, which two large products overflow:
    sums were off by up to 7 %. Weights are scaled so that no two neighbours of the same sign add up to more
    than 128, which always fits. A large weight seldom has a large neighbour, so this costs little: a layer
    of *base* is off by 1.55 % with random activations, against 1.4 % with full 8 bits and 2.5 % with 7.
    Every processor and library gets the same integers and so recognises the same words.
    """
    first, second = weight[:, 0::2], weight[:, 1::2]
    positive = (first.clamp(min=0) + second.clamp(min=0)).amax(1)
    negative = -(first.clamp(max=0) + second.clamp(max=0)).amin(1)
    scale = torch.maximum(positive, negative).clamp(min=EPSILON) / 127
    return (weight / scale[:, None]).round().to(torch.int8), scale


def attend(q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, fused: bool) -> torch.Tensor:
    """Softmax attention of one window: scaled queries, keys and values, each (1, H, T, 64).

    ``fused`` uses torch's fused attention, a fifth faster on AVX2 (76 ms a layer of *base* against 97).
    Otherwise the scores are computed in tiles of one head and ``QUERIES`` queries, which stay in the core's
    own cache: on AVX-512 this takes 0.6 of the time of one product over all heads.
    """
    if fused:
        return F.scaled_dot_product_attention(q, k, v, scale=1.0)
    output = torch.empty_like(q)
    for head in range(q.shape[1]):
        keys, values = k[0, head].T, v[0, head]
        for begin in range(0, q.shape[2], QUERIES):
            rows = slice(begin, begin + QUERIES)
            output[0, head, rows] = torch.mm(torch.mm(q[0, head, rows], keys).softmax(-1), values)
    return output


class FloatLinear(nn.Module):
    """Products of floats, in the format of the weight."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, compute: torch.dtype) -> None:
        super().__init__()
        self.weight, self.bias, self.compute = weight, bias, compute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output in ``compute``."""
        return F.linear(x.to(self.weight.dtype), self.weight, self.bias).to(self.compute)


class FbgemmLinear(nn.Module):
    """8-bit products by fbgemm, with a scale for each output of the weight and each row of the input.

    As every row has its own scale, its result does not depend on the other rows of the batch, and a call's
    transcript does not depend on the calls it was batched with.
    """

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, compute: torch.dtype) -> None:
        super().__init__()
        self.packed = prepack(*rounded(weight))
        self.offset = torch.zeros(len(weight)) if bias is None else bias.float()
        self.compute = compute

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output in ``compute``."""
        rows = x.reshape(-1, x.shape[-1]).float()
        peak = rows.abs().amax(1, keepdim=True).clamp_(min=1e-12)
        # step size and zero point of 8-bit integers for values from -1 to 1
        product = torch.ops.quantized.linear_with_input_q_dq_qweight_dq_output_fp32(
            rows / peak, 1 / 127, 128, self.packed
        )
        torch.addcmul(self.offset, product, peak, out=product)
        result: torch.Tensor = product.view(x.shape[:-1] + product.shape[1:]).to(self.compute)
        return result


class OnednnLinear(nn.Module):
    """8-bit products by oneDNN, scaled like fbgemm's."""

    def __init__(self, weight: torch.Tensor, bias: torch.Tensor | None, compute: torch.dtype) -> None:
        super().__init__()
        integers, self.scale = rounded(weight)
        self.packed = torch.ops.onednn.qlinear_prepack(integers, None)
        self.zero = torch.zeros(len(weight), dtype=torch.int64)
        self.offset = torch.zeros(len(weight), dtype=compute) if bias is None else bias.to(compute)
        self.compute = compute

    @torch.jit.ignore  # type: ignore[untyped-decorator]  # TorchScript has no type for its empty list of arguments
    def _product(self, shifted: torch.Tensor) -> torch.Tensor:
        product: torch.Tensor = torch.ops.onednn.qlinear_pointwise(
            shifted, 1.0, 128, self.packed, self.scale, self.zero, None, 1.0, 0, self.compute, "none", [], ""
        )
        return product

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """The layer's output in ``compute``."""
        rows = x.reshape(-1, x.shape[-1]).float()
        step = rows.abs().amax(1, keepdim=True).clamp_(min=1e-12) / 127
        # oneDNN's fast path needs unsigned activations; adding 0.5 turns truncation into rounding
        product = self._product((rows / step).add_(128.5).to(torch.uint8))
        torch.addcmul(self.offset, product, step.to(self.compute), out=product)
        result: torch.Tensor = product.view(x.shape[:-1] + product.shape[1:])
        return result


def prepack(weight: torch.Tensor, scale: torch.Tensor | None = None) -> torch.ScriptObject:
    """Put a weight (n_out, n_in) of integers, -128 to 127, and a scale per output into fbgemm's layout."""
    before = torch.backends.quantized.engine
    torch.backends.quantized.engine = "fbgemm"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch deprecates these functions; the pinned version has them
            if scale is None:
                quantised = torch.quantize_per_tensor(weight, 1.0, 0, torch.qint8)
            else:
                zero = torch.zeros(len(scale), dtype=torch.int64)
                quantised = torch._make_per_channel_quantized_tensor(weight, scale.double(), zero, 0)
            packed: torch.ScriptObject = torch.ops.quantized.linear_prepack(quantised, None)
    finally:
        torch.backends.quantized.engine = before
    return packed


def report() -> None:
    """Measure every kernel on one core, for ``probe``, and print the figures as JSON."""
    torch.set_num_threads(1)
    with torch.inference_mode():
        linear = {"x".join(map(str, shape)): _time_linear(shape) for shape in SHAPES}
        halves = all(s.get("bfloat16", math.inf) < s["float32"] for s in linear.values())
        print(json.dumps(asdict(KernelTimes(linear, _time_attention(halves)))))


def _time_linear(shape: Shape) -> dict[str, float]:
    rows, n_in, n_out = shape
    x, weight = torch.randn(rows, n_in), torch.randn(n_out, n_in)
    layers: dict[str, Callable[[], torch.Tensor]] = {}
    for kernel in KERNELS:
        with contextlib.suppress(RuntimeError, AttributeError):  # this build of torch lacks it
            layers[kernel] = partial(build(kernel, weight, None, torch.float32), x)
    return _times_of(layers)


def _time_attention(halves: bool) -> dict[str, float]:
    """Time attention, in bfloat16 only if ``halves``: the decoder's small products use the same format."""
    q, k, v = torch.randn(3, 1, 1, 1500, 64)
    ways = {}
    for way in ATTENTIONS if halves else ATTENTIONS[:2]:
        how, _, format_ = way.partition(" ")
        dtype = getattr(torch, format_)
        ways[way] = partial(attend, (q * 0.125).to(dtype), k.to(dtype), v.to(dtype), how == "fused")
    return _times_of(ways)


def _times_of(ways: Mapping[str, Callable[[], Any]]) -> dict[str, float]:
    """Seconds of each way, the best of several runs in turn; those far slower than the best run once."""
    best: dict[str, float] = {}
    for name, run in ways.items():
        with contextlib.suppress(RuntimeError):  # this processor or build of torch lacks it
            best[name] = _seconds(run)
    for _ in range(REPEATS):
        limit = SKIP_FACTOR * min(best.values())
        for name in [name for name, s in best.items() if s < limit]:
            best[name] = min(best[name], _seconds(ways[name]))
    return best


def _seconds(run: Callable[[], Any]) -> float:
    """Processor time of this thread, so that other work on the machine matters less."""
    start = time.thread_time()
    run()
    return time.thread_time() - start
