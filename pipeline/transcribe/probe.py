"""Which kernel this processor multiplies each shape of layer fastest with, measured once and kept.

Part of ``transcribe``. Lists of processor features say little: without VNNI 8-bit products are still
twice as fast as float32, and which library wins depends on the shape. So a child process times every
kernel on a few shapes (0.3 s, and the start of torch); what it finds is kept per machine and version of
torch. A kernel that ends the child, as an instruction the processor lacks does, harms nobody: the
engine then multiplies in float32 and says so. Known without importing torch.
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
LIMIT_S = 300.0  # a child that takes longer hangs; on a machine with ten others at work, one took over 60 s
MANY, FEW = 250, 16  # rows: of an encoder's chunk, of a decoder's batch
SHAPES: tuple[Shape, ...] = (
    (MANY, 512, 512),
    (MANY, 512, 2048),
    (MANY, 2048, 512),
    (FEW, 512, 512),
    (FEW, 512, 2048),
    (FEW, 2048, 512),
    (FEW, 512, 8192),
)
"""Of the base model, a sixth of the vocabulary; layers of other models go by the nearest."""
KERNELS = ("float32", "bfloat16", "fbgemm", "onednn")
PREFERRED = ("fbgemm", "onednn", "float32", "bfloat16")
ATTENTIONS = ("fused float32", "tiled float32", "fused bfloat16", "tiled bfloat16")
ALIKE = 1.25
"""Up to so many times the shortest time kernels count as equally fast and the first preferred is taken: else
a test in a busier hour would pick another, which rounds otherwise: a word in some hundred would change. Tests
of one machine differed by 17 %, where the engine was as fast with any mixture of the two 8-bit libraries."""
REPEATS = 8
HOPELESS = 4.0  # times slower than the best so far: not tried again (a first try lays out weights, too)
LIBRARY_SWITCHES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "FBGEMM_ENABLE_INSTRUCTIONS")
"""Variables that have torch's libraries leave instructions unused."""


@dataclass(frozen=True, slots=True)
class Measured:
    """What the probe found.

    Attributes:
        linear: Per shape as "rows x in x out", seconds of each kernel; empty where the probe failed.
        attention: Seconds of each way to attend.
        fault: Why there are no figures; empty if there are.
    """

    linear: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    attention: Mapping[str, float] = field(default_factory=dict)
    fault: str = ""

    def __str__(self) -> str:
        ways = [
            f"{name} {kernel} {seconds['float32'] / seconds[kernel]:.1f}"
            for name, seconds in self.linear.items()
            if (kernel := self.fastest(_shape(name)))
        ]
        return f"times as fast as float32: {', '.join(ways)}; attention {self.fastest_attention()}"

    @property
    def warning(self) -> str:
        """What the fault means for people; empty without one."""
        if not self.fault:
            return ""
        return (
            f"the test of what this processor multiplies fastest failed ({self.fault}): speech is recognised "
            "in float32, slower but as exact; callqa doctor tests again"
        )

    def fastest(self, shape: Shape, among: tuple[str, ...] = KERNELS) -> str:
        """The kernel for a layer, by the measured shape that is nearest to it; float32 where none was.

        Of kernels about as fast as each other it is the same one every time.
        """
        if not self.linear:
            return "float32"
        nearest = min(self.linear, key=lambda name: _distance(shape, _shape(name)))
        times = {kernel: s for kernel, s in self.linear[nearest].items() if kernel in among}
        return _preferred(times, PREFERRED) or "float32"

    def fastest_attention(self, among: tuple[str, ...] = ATTENTIONS) -> str:
        """How to attend."""
        times = {way: s for way, s in self.attention.items() if way in among}
        return _preferred(times, ATTENTIONS) or "tiled float32"


def _preferred(times: Mapping[str, float], order: tuple[str, ...]) -> str:
    """The first in an order that is about as fast as the fastest; "" without any times."""
    limit = ALIKE * min(times.values(), default=0.0)
    return next((name for name in order if times.get(name, math.inf) <= limit), "")


def measured() -> Measured:
    """What was found on this machine, measured now where nothing is kept yet."""
    file = _file()
    try:
        return Measured(**json.loads(file.read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return renew()


def renew() -> Measured:
    """Measure again, and keep it; a folder that cannot be written to means measuring in every process.

    A test that fails, perhaps for a busy machine, does not take the place of figures that are kept.
    """
    found = _in_child()
    file = _file()
    if found.fault and file.exists():
        return found
    partial = file.with_suffix(f".{os.getpid()}")
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        partial.write_text(json.dumps(asdict(found), indent=1), "utf-8")
        partial.replace(file)
    return found


def _file() -> Path:
    """Where this machine's figures are kept, under a name no other processor or torch has."""
    about = [str(REVISION), importlib.metadata.version("torch"), platform.machine(), _processor()]
    about += [os.environ.get(name, "") for name in LIBRARY_SWITCHES]
    digest = hashlib.sha256("|".join(about).encode()).hexdigest()[:16]
    return cache_dir().parent / "callqa" / f"kernels-{digest}.json"


def _processor() -> str:
    """The processor's name and instruction sets, where the system tells."""
    try:
        lines = Path("/proc/cpuinfo").read_text("utf-8").splitlines()
    except OSError:
        return platform.processor()
    return "|".join(dict.fromkeys(line for line in lines if line.startswith(("model name", "flags"))))


def _in_child() -> Measured:
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
    """In bfloat16 only where layers gain by it too: the decoder's many small products go with it."""
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
    """Seconds of each way: its best of some tries, in turns; float32 runs first, hopeless ones once."""
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
    """Time this thread has the core for, so that other work on the machine counts less."""
    start = time.thread_time()
    run()
    return time.thread_time() - start


def _name(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _shape(name: str) -> Shape:
    rows, n_in, n_out = map(int, name.split("x"))
    return rows, n_in, n_out


def _distance(one: Shape, other: Shape) -> float:
    """How many times larger or smaller, over all three sizes; rows decide first."""
    rows, n_in, n_out = (abs(math.log(a / b)) for a, b in zip(one, other, strict=True))
    return 10 * rows + n_in + n_out
