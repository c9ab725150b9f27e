"""Measures once which kernel is fastest on this processor for each shape of layer, and keeps the figures.

A list of processor features does not tell this: 8-bit products are twice as fast as float32 even without
VNNI, and which library is fastest depends on the shape. So a child process times every kernel on a few
shapes (0.3 s, plus importing torch), and the figures are kept per machine and version of torch. If a kernel
crashes the child, for example by an instruction that the processor lacks, the engine uses float32 and warns.
This module does not import torch.
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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal, TypeVar

from pipeline.models import cache_dir

Name = TypeVar("Name", bound=str)
Kernel = Literal["float32", "bfloat16", "float16", "fbgemm", "onednn"]
Shape = tuple[int, int, int]
"""Rows, inputs, outputs."""

REVISION = 1  # raise when what is measured changes
CODE = "from pipeline.transcribe.kernels import report; report()"
RETRY_S = 86_400.0  # until a failed measurement is repeated
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
INT8: tuple[Kernel, ...] = ("fbgemm", "onednn")
"""The libraries in torch's wheels that multiply 8-bit integers."""
KERNELS: tuple[Kernel, ...] = ("float32", "bfloat16", *INT8)
PREFERRED: tuple[Kernel, ...] = (*INT8, "float32", "bfloat16")
ATTENTIONS: tuple[str, ...] = ("fused float32", "tiled float32", "fused bfloat16", "tiled bfloat16")
ALIKE = 1.25
"""Kernels whose times are within this factor of the shortest count as equally fast, and the first preferred
one is used. Otherwise a measurement on a busier machine would choose another kernel, which rounds differently
and changes one word in several hundred. Measurements of one machine differed by 17 %, while the engine was
equally fast with any mixture of the two 8-bit libraries."""
LIBRARY_SWITCHES = ("ATEN_CPU_CAPABILITY", "ONEDNN_MAX_CPU_ISA", "FBGEMM_ENABLE_INSTRUCTIONS")
"""Environment variables that forbid torch's libraries the use of some instructions."""


@dataclass(frozen=True, slots=True)
class KernelTimes:
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
            kernel = _preferred(seconds, PREFERRED, "float32")
            gains.append(f"{name} {kernel} {seconds['float32'] / seconds[kernel]:.1f}")
        return f"times as fast as float32: {', '.join(gains)}; attention {self.fastest_attention()}"

    def least(self, other: KernelTimes) -> KernelTimes:
        """The shorter of both times of everything that both measured, the new one of the rest."""
        linear = {
            name: _shorter(seconds, other.linear.get(name, {})) for name, seconds in self.linear.items()
        }
        return KernelTimes(linear, _shorter(self.attention, other.attention))

    @property
    def warning(self) -> str:
        """The fault as a warning for the user; empty without a fault."""
        if not self.fault:
            return ""
        return (
            f"the test of what this processor multiplies fastest failed ({self.fault}): speech is recognised "
            "in float32, slower but as exact; callqa doctor tests again"
        )

    def fastest(self, shape: Shape, among: Sequence[Kernel] = KERNELS) -> Kernel:
        """The kernel for a layer, by the figures of the nearest shape; float32 without figures.

        Of kernels that are about equally fast, it is always the same one.
        """
        if len(among) == 1:
            return among[0]
        nearest = min(self.linear, key=lambda name: _distance(shape, name), default="")
        return _preferred(self.linear.get(nearest, {}), [k for k in PREFERRED if k in among], "float32")

    def fastest_attention(self, among: Sequence[str] = ATTENTIONS) -> str:
        """The way to compute attention; "tiled float32" without figures."""
        return _preferred(self.attention, [way for way in ATTENTIONS if way in among], "tiled float32")


def _shorter(seconds: Mapping[str, float], others: Mapping[str, float]) -> dict[str, float]:
    return {name: min(value, others.get(name, value)) for name, value in seconds.items()}


def _preferred(seconds: Mapping[str, float], names: Sequence[Name], otherwise: Name) -> Name:
    """The first of some names that is about as fast as the fastest of them."""
    limit = ALIKE * min((seconds[name] for name in names if name in seconds), default=0.0)
    return next((name for name in names if seconds.get(name, math.inf) <= limit), otherwise)


def _distance(shape: Shape, name: str) -> float:
    """Sum of the absolute log ratios of the three sizes; rows weigh ten times as much."""
    rows, n_in, n_out = (abs(math.log(a / int(b))) for a, b in zip(shape, name.split("x"), strict=True))
    return 10 * rows + n_in + n_out


def measured() -> KernelTimes:
    """The figures kept for this machine; measured now if there are none, or a day after that failed."""
    kept = _kept()
    if kept is None or (kept.fault and time.time() - _file().stat().st_mtime > RETRY_S):
        return renew()
    return kept


def _kept() -> KernelTimes | None:
    try:
        return KernelTimes(**json.loads(_file().read_text("utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def renew() -> KernelTimes:
    """Measure again and keep the figures; if the folder cannot be written to, every process measures anew.

    A busy machine only adds to a time, so of an earlier figure and the new one the shorter is kept: with the
    longer one, a test during other work chose float32 for a processor that is fastest in bfloat16. A
    measurement that fails does not replace figures already kept.
    """
    figures, kept, file = _in_child(), _kept(), _file()
    if kept is not None and not kept.fault:
        if figures.fault:
            return figures
        figures = figures.least(kept)
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


def _in_child() -> KernelTimes:
    """The figures that a child process measures, or the reason why it measured none."""
    command = [sys.executable, "-c", CODE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)  # noqa: S603
        if done.returncode:
            last = (done.stderr.strip().splitlines() or [f"ended with {done.returncode}"])[-1]
            return KernelTimes(fault=last if done.returncode > 0 else f"ended by signal {-done.returncode}")
        return KernelTimes(**json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return KernelTimes(fault=f"no answer within {LIMIT_S:.0f} s")
    except (OSError, ValueError, TypeError, IndexError) as error:
        return KernelTimes(fault=str(error) or type(error).__name__)
