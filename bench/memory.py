"""Memory of a process and its children, as the benchmarks report it.

``getrusage`` will not do: Linux hands a new program the peak of the process that started it, so a small
child of a large parent is charged with the parent's memory.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SAMPLE_S = 0.1  # a look takes 0.3 ms of the process that is watched


def peak_mb() -> float:
    """The highest resident memory of this process so far, in MB."""
    return _field("self", "VmHWM")


@dataclass
class Peak:
    """The highest sum of resident memory seen; shared pages count in each process."""

    mb: float = 0.0


@contextmanager
def watched() -> Iterator[Peak]:
    """Sample this process and all under it until the block ends."""
    peak, over = Peak(), threading.Event()

    def watch() -> None:
        while not over.wait(SAMPLE_S):
            peak.mb = max(peak.mb, sum(_field(pid, "VmRSS") for pid in family("self")))

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        over.set()
        thread.join()
        peak.mb = max(peak.mb, peak_mb())


def family(pid: str) -> Iterator[str]:
    """A process and all below it; any of its threads may have started them."""
    yield pid
    for thread in Path(f"/proc/{pid}/task").glob("*/children"):
        with suppress(OSError):  # it has ended
            for child in thread.read_text().split():
                yield from family(child)


def _field(pid: str, name: str) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith(name):
                return int(line.split()[1]) / 1024
    return 0.0
