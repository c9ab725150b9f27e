"""Measures once which kernel is fastest on this processor for each shape of layer, and keeps the figures.

A list of processor features does not tell this: 8-bit products are twice as fast as float32 even without
VNNI, and which library is fastest depends on the shape. So a child process times every kernel on a few
shapes (0.3 s, plus importing torch), and the figures are kept per machine and version of torch. If a kernel
crashes the child, for example by an instruction that the processor lacks, the engine uses float32 and warns.
This module imports torch only in the child.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import math
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.models import cache_dir

if TYPE_CHECKING:
    import torch

Shape = tuple[int, int, int]
"""Rows, inputs, outputs."""

REVISION = 1  # raise when what is measured changes
CODE = f"from {__name__} import report; report()"
LIMIT_S = 300.0  # a child that takes longer hangs; with ten other processes running, one took over 60 s
MANY, FEW = 250, 16  # rows of a chunk in the encoder, and of a batch in the decoder
SHAPES: tuple[Shape, ...] = (
    (MANY, 512, 512),
    (MANY, 512, 2048),
    (MANY, 2048, 512),
    (FEW, 512, 512),
    (FEW, 512, 2048),
    (FEW, 2048, 512),
    (FEW, 512, 8192),
)
"""Layers of the base model, with a sixth of the vocabulary; other layers go by the nearest shape."""
KERNELS = ("float32", "bfloat16", "fbgemm", "onednn")
PREFERRED = ("fbgemm", "onednn", "float32", "bfloat16")
ATTENTIONS = ("fused float32", "tiled float32", "fused bfloat16", "tiled bfloat16")
ALIKE = 1.25
"""Kernels whose times are within this factor of the shortest count as equally fast, and the first preferred
one is used. Otherwise a measurement on a busier machine would choose another kernel, which rounds differently
and changes one word in several hundred. Measurements of one machine differed by 17 %, while the engine was
equally fast with any mixture of the two 8-bit libraries."""
REPEATS = 8
HOPELESS = 4.0  # a kernel this many times slower than the best is timed once (its first run has overhead)
LIBRARY_SWITCHES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "FBGEMM_ENABLE_INSTRUCTIONS")
"""Environment variables that forbid torch's libraries the use of some instructions."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The figures of the probe.

    Attributes:
        linear: Seconds of each kernel, by shape ("rows x in x out"); empty if the probe failed.
        attention: Seconds of each way to compute attention.
        fault: Why there are no figures; empty if there are.
    """

    linear: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    attention: Mapping[str, float] = field(default_factory=dict)
    fault: str = ""

    def __str__(self) -> str:
        gains = []
        for name, seconds in self.linear.items():
            kernel = self.fastest(_shape(name))
            gains.append(f"{name} {kernel} {seconds['float32'] / seconds[kernel]:.1f}")
        return f"times as fast as float32: {', '.join(gains)}; attention {self.fastest_attention()}"

    @property
    def warning(self) -> str:
        """The fault as a warning for the user; empty without a fault."""
        if not self.fault:
            return ""
        return (
            f"the test of what this processor multiplies fastest failed ({self.fault}): speech is recognised "
            "in float32, slower but as exact; callqa doctor tests again"
        )

    def fastest(self, shape: Shape, among: tuple[str, ...] = KERNELS) -> str:
        """The kernel for a layer, by the figures of the nearest shape; float32 without figures.

        Of kernels that are about equally fast, it is always the same one.
        """
        if not self.linear:
            return "float32"
        nearest = min(self.linear, key=lambda name: _distance(shape, _shape(name)))
        times = {kernel: s for kernel, s in self.linear[nearest].items() if kernel in among}
        return _preferred(times, PREFERRED) or "float32"

    def fastest_attention(self, among: tuple[str, ...] = ATTENTIONS) -> str:
        """The way to compute attention; "tiled float32" without figures."""
        times = {way: s for way, s in self.attention.items() if way in among}
        return _preferred(times, ATTENTIONS) or "tiled float32"


def _preferred(times: Mapping[str, float], order: tuple[str, ...]) -> str:
    """The first name in the given order that is about as fast as the fastest; "" without any times."""
    limit = ALIKE * min(times.values(), default=0.0)
    return next((name for name in order if times.get(name, math.inf) <= limit), "")


def measured() -> Measured:
    """The figures kept for this machine; measured now if there are none."""
    file = _file()
    try:
        return Measured(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return renew()


def renew() -> Measured:
    """Measure again and keep the figures; if the folder cannot be written to, every process measures anew.

    A measurement that fails, perhaps because the machine is busy, does not replace figures already kept.
    """
    figures = _in_child()
    file = _file()
    if figures.fault and file.exists():
        return figures
    temporary = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(asdict(figures), indent=1), "utf-8")
        temporary.replace(file)
    return figures


def _file() -> Path:
    """The file of this machine's figures, whose name depends on the processor and the version of torch."""
    parts = [str(REVISION), importlib.metadata.version("torch"), platform.machine(), _processor()]
    parts += [os.environ.get(name, "") for name in LIBRARY_SWITCHES]
    digest = hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
    return cache_dir().parent / "callqa" / f"kernels-{digest}.json"


def _processor() -> str:
    """The processor's name and instruction sets, as far as the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "|".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags"))))


def _in_child() -> Measured:
    """The figures that a child process measures, or the reason why it measured none."""
    command = [sys.executable, "-c", CODE]
    try:
        done = subprocess.run(  # noqa: S603  (this module itself)
            command, capture_output=True, text=True, timeout=LIMIT_S, check=False
        )
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            return Measured(fault=last if done.returncode > 0 else f"ended by signal {-done.returncode}")
        return Measured(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return Measured(fault=f"no answer within {LIMIT_S:.0f} s")
    except (OSError, ValueError, TypeError, IndexError) as error:
        return Measured(fault=str(error) or type(error).__name__)


def report() -> None:
    """Measure in this process, on one core, and print the figures as JSON."""
    import torch

    torch.set_num_threads(1)
    with torch.inference_mode():
        linear = {_name(shape): _time_linear(shape) for shape in SHAPES}
        halves = all(s.get("bfloat16", math.inf) < s["float32"] for s in linear.values())
        print(json.dumps(asdict(Measured(linear, _time_attention(halves)))))


def _time_linear(shape: Shape) -> dict[str, float]:
    import torch

    from pipeline.transcribe.kernels import build

    rows, n_in, n_out = shape
    x, weight = torch.randn(rows, n_in), torch.randn(n_out, n_in)
    layers = {}
    for kernel in KERNELS:
        with contextlib.suppress(RuntimeError, AttributeError):  # this build of torch lacks it
            layers[kernel] = build(kernel, weight, None, torch.float32)  # type: ignore[arg-type]
    return _race({kernel: partial(layer, x) for kernel, layer in layers.items()})


def _time_attention(halves: bool) -> dict[str, float]:
    """Time attention, in bfloat16 only if ``halves``: the decoder's small products use the same format."""
    import torch

    from pipeline.transcribe.kernels import attend

    q, k, v = torch.randn(3, 1, 1, 1500, 64)
    ways = {}
    for way in ATTENTIONS if halves else ATTENTIONS[:2]:
        how, _, format_ = way.partition(" ")
        parts = [part.to(getattr(torch, format_)) for part in (q * 0.125, k, v)]
        ways[way] = partial(attend, parts[0], parts[1], parts[2], how == "fused")
    return _race(ways)


def _race(ways: Mapping[str, Callable[[], torch.Tensor]]) -> dict[str, float]:
    """Seconds of each way, the best of several runs in turn; those far slower than the best run once."""
    best: dict[str, float] = {}
    for name, run in ways.items():
        with contextlib.suppress(RuntimeError):  # this processor or build of torch lacks it
            best[name] = _seconds(run)
    for _ in range(REPEATS):
        limit = HOPELESS * min(best.values())
        for name in [name for name, s in best.items() if s < limit]:
            best[name] = min(best[name], _seconds(ways[name]))
    return best


def _seconds(run: Callable[[], Any]) -> float:
    """Processor time of this thread, so that other work on the machine matters less."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def _name(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _shape(name: str) -> Shape:
    rows, n_in, n_out = map(int, name.split("x"))
    return rows, n_in, n_out


def _distance(one: Shape, other: Shape) -> float:
    """Sum of the absolute log ratios of the three sizes; rows weigh ten times as much."""
    rows, n_in, n_out = (abs(math.log(a / b)) for a, b in zip(one, other, strict=True))
    return 10 * rows + n_in + n_out
