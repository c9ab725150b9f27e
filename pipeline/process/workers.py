"""Worker processes for groups: local processes, Dask or Ray, all used as ``concurrent.futures`` executors.

There are as many workers as cores and memory allow. A worker loads the models once and processes one group
after another. It returns only records, which are small; only the parent process writes to the store.
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from pipeline.child_processes import cores, exit_with_parent
from pipeline.conversation import CallRecord, Received
from pipeline.errors import MachineError, UsageError
from pipeline.interpreter import quick_switches
from pipeline.process.cache import StageCache
from pipeline.process.calls import process_group
from pipeline.process.stages import Stages
from pipeline.settings import FlowSettings

WORKER_BYTES = 2 * 1024**3
"""A worker with the model *base* and a group of decoded calls needs less memory than this."""
WORKER_THREADS = 2
"""With more than two threads per worker, memory limits decoding; more workers then gain more than threads."""
_loaded: dict[bytes, Stages] = {}
"""The stages of this worker, by the pickled function that loaded them; at most one entry."""


def available_bytes() -> int | None:
    """Bytes of free memory, the container's limit considered; None where the system does not say."""
    limits = []
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        limits += [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")]
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit.isdigit():
            limits.append(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()))
    except (OSError, ValueError, IndexError):
        pass
    return min(limits) if limits else None


def worker_count(settings: FlowSettings) -> int:
    """Number of worker processes: as set, else as many as cores and memory allow, at least one."""
    if settings.processes:
        return settings.processes
    by_cores = max(1, cores() // WORKER_THREADS)
    memory = available_bytes()
    return by_cores if memory is None else max(1, min(by_cores, memory // WORKER_BYTES))


def threads_per_worker(settings: FlowSettings) -> int:
    """Torch threads per worker, so that all workers together use every core once."""
    return max(1, cores() // worker_count(settings))


def process_there(
    group: tuple[Received, ...], load_stages: Callable[[], Stages], cache: StageCache
) -> list[CallRecord]:
    """Process one group in a worker, which loads its models with its first group."""
    key = pickle.dumps(load_stages)
    if key not in _loaded:
        _loaded.clear()
        _loaded[key] = load_stages()
    with quick_switches():
        return process_group(group, _loaded[key], cache)


@contextmanager
def open_workers(settings: FlowSettings) -> Iterator[Executor]:
    """Start the workers that the settings ask for.

    Raises:
        UsageError: The optional dependency for them is not installed.
        MachineError: Their cluster does not answer.
    """
    with ExitStack() as stack:
        try:
            opened = {"process": _processes, "dask": _dask, "ray": _ray}[settings.runner]
            workers = stack.enter_context(opened(settings))
        except ImportError as error:
            raise UsageError(
                f"the {settings.runner} runner is not installed ({error.name})",
                hint=f"pip install 'callqa[{settings.runner}]', or use --runner process",
            ) from error
        except (OSError, ValueError) as error:
            raise MachineError(
                f"no {settings.runner} workers at {settings.cluster or 'this machine'}: {error}",
                hint="check [flow] cluster, and that the cluster runs; --runner process needs none",
            ) from error
        yield workers


@contextmanager
def _processes(settings: FlowSettings) -> Iterator[Executor]:
    workers = ProcessPoolExecutor(
        worker_count(settings), multiprocessing.get_context("spawn"), initializer=_start_worker
    )
    try:
        yield workers
    except BaseException:
        for child in multiprocessing.active_children():  # do not wait for their groups
            child.terminate()
        raise
    finally:
        workers.shutdown(cancel_futures=True)


def _start_worker() -> None:
    exit_with_parent()
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
    # One thread per worker, because the engine's own threads use the cores.
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

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run a function in a worker."""
        import ray

        future: Future[Any] = ray.remote(work).remote(*args, **kwargs).future()
        return future
