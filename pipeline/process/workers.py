"""Where windows are processed when not in this process: local processes, Dask or Ray.

As many as cores and memory carry. A worker loads the models once and takes one window after another; only
small records travel back, and only the parent writes to the store. All three are ``concurrent.futures``
executors.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pipeline.child_processes import cores, leave_with_parent
from pipeline.conversation import CallRecord, Received
from pipeline.errors import UsageError
from pipeline.interpreter import quick_switches
from pipeline.process.cache import StageCache
from pipeline.process.calls import process_window
from pipeline.process.stages import Stages
from pipeline.settings import FlowSettings

WORKER_BYTES = 2 * 1024**3
"""One worker with *base* loaded and a window of calls decoded stays under this."""
WORKER_THREADS = 2
"""Beyond two threads a worker, decoding is bound by memory: more workers do more."""
_loaded: dict[bytes, Stages] = {}


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


def process_there(
    window: tuple[Received, ...], load_stages: Callable[[], Stages], cache: StageCache
) -> list[CallRecord]:
    """One window in a worker, whose models are loaded by its first window.

    Raises:
        CallQAError: Something a person must mend first.
        OSError: A transient fault.
    """
    key = pickle.dumps(load_stages)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = load_stages()
    with quick_switches():
        return process_window(window, _loaded[key], cache)


@contextmanager
def open_workers(settings: FlowSettings) -> Iterator[Executor]:
    """The workers of the settings, started.

    Raises:
        UsageError: The extra for them is not installed.
    """
    try:
        opened = {"process": _processes, "dask": _dask, "ray": _ray}[settings.runner]
        with opened(settings) as workers:
            yield workers
    except ImportError as error:
        raise UsageError(
            f"the {settings.runner} runner is not installed ({error.name})",
            hint=f"pip install 'callqa[{settings.runner}]', or use --runner process",
        ) from error


@contextmanager
def _processes(settings: FlowSettings) -> Iterator[Executor]:
    workers = ProcessPoolExecutor(
        worker_count(settings), multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        yield workers
    except BaseException:
        for child in multiprocessing.active_children():  # their windows are not waited for
            child.terminate()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def _start_worker() -> None:
    leave_with_parent()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C ends it without a traceback


@contextmanager
def _dask(settings: FlowSettings) -> Iterator[Executor]:
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    import distributed

    dask: Any = distributed
    if settings.cluster:
        with dask.Client(settings.cluster) as client:
            yield client.get_executor(pure=False)
        return
    # One thread a worker: the engine's own threads use the cores. No dashboard, no log lines.
    with (
        dask.LocalCluster(
            n_workers=worker_count(settings),
            threads_per_worker=1,
            processes=True,
            silence_logs=logging.CRITICAL,
            dashboard_address=None,
            scheduler_kwargs={"dashboard": False},
        ) as cluster,
        dask.Client(cluster) as client,
    ):
        yield client.get_executor(pure=False)


@contextmanager
def _ray(settings: FlowSettings) -> Iterator[Executor]:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    import ray

    local = {"num_cpus": worker_count(settings), "include_dashboard": False}
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    with ray.init(settings.cluster, **quiet, **({} if settings.cluster else local)):
        yield _Ray()


class _Ray(Executor):
    """Ray as an executor."""

    def submit(self, work: Callable[..., Any], /, *given: Any, **named: Any) -> Future[Any]:
        """Hand one call to a worker."""
        import ray

        future: Future[Any] = ray.remote(work).remote(*given, **named).future()
        return future
