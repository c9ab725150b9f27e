"""How many workers a machine carries: from its cores and its memory."""

from __future__ import annotations

from pathlib import Path

from pipeline.child_processes import cores
from pipeline.settings import FlowSettings

WORKER_BYTES = 2 * 1024**3
"""One worker with *base* loaded and a window of calls decoded stays under this."""
WORKER_THREADS = 2
"""Beyond two threads a worker, decoding is bound by memory: more workers do more."""


def available_bytes() -> int | None:
    """Memory free for use, with the container's limit; None where the system does not say."""
    found = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        found += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit.isdigit():
            found.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError, IndexError):
        pass
    return min(found) if found else None


def worker_count(settings: FlowSettings) -> int:
    """Worker processes: as set, else as many as cores and memory carry, at least one."""
    if settings.processes:
        return settings.processes
    by_cores = max(1, cores() // WORKER_THREADS)
    memory = available_bytes()
    return by_cores if memory is None else max(1, min(by_cores, memory // WORKER_BYTES))


def threads_per_worker(settings: FlowSettings) -> int:
    """Torch threads a worker, so that all workers together use every core once."""
    return max(1, cores() // worker_count(settings))
