"""Where windows are processed when not in this process: local processes, Dask or Ray.

A worker loads the models once and takes one window after another; only small records travel back,
and only the parent writes to the store. The flow is the same for all three.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import cloudpickle  # Prefect's own way to workers
from prefect.task_runners import ProcessPoolTaskRunner, TaskRunner

from pipeline.conversation import CallRecord, Received
from pipeline.errors import UsageError
from pipeline.orphans import leave_with_parent
from pipeline.process.cache import StageCache
from pipeline.process.calls import process_window
from pipeline.process.capacity import worker_count
from pipeline.process.tools import Tools
from pipeline.settings import FlowSettings

_loaded: dict[bytes, Tools] = {}


class Parcel:
    """What a worker gets: the window, how to load the models, where transcripts are kept.

    A plain class on purpose: Prefect and Dask walk through tuples, lists and dataclasses.
    """

    def __init__(
        self, received: Sequence[Received], make_tools: Callable[[], Tools], cache: StageCache
    ) -> None:
        self.received, self.make_tools, self.cache = received, make_tools, cache


def process_there(parcel: Parcel) -> list[CallRecord]:
    """One window in a worker, whose models are loaded by its first window.

    Raises:
        CallQAError: Something a person must mend first.
        OSError: A transient fault.
    """
    key = cloudpickle.dumps(parcel.make_tools)
    if key not in _loaded:
        if not _loaded:
            leave_with_parent()
        _loaded.clear()
        _loaded[key] = parcel.make_tools()
    return process_window(parcel.received, _loaded[key], parcel.cache)


@contextlib.contextmanager
def open_pool(settings: FlowSettings) -> Iterator[TaskRunner[Any]]:
    """The task runner of the settings, started.

    Raises:
        UsageError: The extra for it is not installed.
    """
    runner = _runner(settings)
    try:
        with runner as started:
            yield started
    finally:
        # Killed while it writes to Prefect's queue, a worker leaves it locked: at exit we would wait forever.
        queue = getattr(runner, "_subprocess_message_queue", None)
        if queue is not None:
            queue.cancel_join_thread()


def _runner(settings: FlowSettings) -> Any:
    n_workers = worker_count(settings)
    if settings.runner == "process":
        return ProcessPoolTaskRunner(max_workers=n_workers)
    try:
        if settings.runner == "dask":
            return _dask(settings.cluster, n_workers)
        return _ray(settings.cluster, n_workers)
    except ImportError as error:
        raise UsageError(
            f"the {settings.runner} runner is not installed ({error.name})",
            hint=f"pip install 'callqa[{settings.runner}]', or use --runner process",
        ) from error


def _dask(address: str | None, n_workers: int) -> Any:
    import logging

    logging.getLogger("distributed").setLevel(logging.CRITICAL)
    from prefect_dask.task_runners import DaskTaskRunner

    if address:
        return DaskTaskRunner(address=address)
    # One thread a worker: the engine's own threads use the cores. No dashboard, no chatter.
    local = {"n_workers": n_workers, "threads_per_worker": 1, "processes": True, "silence_logs": "CRITICAL"}
    local |= {"scheduler_kwargs": {"dashboard": False}, "worker_dashboard_address": None}
    return DaskTaskRunner(cluster_kwargs=local)


def _ray(address: str | None, n_workers: int) -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # no telemetry
    from prefect_ray.task_runners import RayTaskRunner

    if address:
        return RayTaskRunner(address=address)
    quiet = {
        "num_cpus": n_workers,
        "include_dashboard": False,
        "log_to_driver": False,
        "logging_level": "ERROR",
    }
    return RayTaskRunner(init_kwargs=quiet)
