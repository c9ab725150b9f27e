"""The batch as a Prefect flow: the same functions as without Prefect, seen and retried by it.

    batch (flow) ─▶ for each window: hear (task) ─▶ judge (task) ─▶ load (task)

A window is heard while the one before is judged and loaded and the one after is opened. A task a
window, not a call: a task costs Prefect tens of milliseconds, more than judging a call. Only transient
faults are retried; bad input is a row in the ledger. Nothing that holds a customer's words becomes a flow
parameter, a persisted result, a log line or an artifact.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner
from prefect.utilities.annotations import opaque

from flows import handover
from flows.pool import Parcel, open_pool, process_there
from flows.publish import Progress, announce, publish
from pipeline.conversation import CallRecord, Received
from pipeline.errors import CallQAError
from pipeline.process.batch import RETRY_DELAYS_S, Batch, Tally
from pipeline.process.calls import Heard, Opened, give_up, hear, is_transient, judge
from pipeline.process.capacity import worker_count
from pipeline.process.report import conclude, reasons_to_tell
from pipeline.settings import Settings, load_settings

Rows = Sequence[Heard | CallRecord]
DEATHS_OF_A_WINDOW = 2


def _may_help(_task: Any, _run: Any, state: State[Any]) -> bool:
    """Another try is for faults of the machine; bad input stays bad."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, BaseException) and is_transient(error)


# Nothing of a call is kept by Prefect; what is worth keeping is in the state folder and the store.
_careful: dict[str, Any] = {
    "retries": len(RETRY_DELAYS_S),
    "retry_delay_seconds": list(RETRY_DELAYS_S),
    "retry_condition_fn": _may_help,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}


@task(task_run_name="hear {name}", **_careful)
def hear_window(name: str, received: Sequence[Received], ready: Mapping[int, Opened], batch: Batch) -> Rows:
    """Transcribe a window of calls together."""
    return hear(received, batch.tools, batch.cache, ready)


@task(task_run_name="judge {name}", **_careful)
def judge_window(name: str, heard: Rows, batch: Batch) -> Sequence[CallRecord]:
    """Annotate and score the calls of a window."""
    return judge(heard, batch.tools, batch.cache)


@task(task_run_name="load {name}", **_careful)
def load_window(name: str, records: Sequence[CallRecord], batch: Batch) -> Sequence[CallRecord]:
    """Put a window's records into the store, in one transaction."""
    batch.load(records)
    return records


@task(task_run_name="process {name}", **_careful)
def process_chunk(name: str, parcel: Parcel) -> list[CallRecord]:
    """A whole window in a worker."""
    return process_there(parcel)


@flow(name="callqa-batch", persist_result=False)
def batch(
    paths: list[str], config: str | None = None, settings: dict[str, dict[str, Any]] | None = None
) -> State[None]:
    """Process every new recording under ``paths`` and load the answers.

    Args:
        paths: Recordings, folders, manifests or transcript files, as the worker sees them.
        config: A ``callqa.toml``; default the one in the working folder, where present.
        settings: Settings that win over the file, by slice: ``{"store": {"db": "qa.duckdb"}}``.
    """
    job = handover.batch.get()
    if job is not None:  # whoever handed it over concludes it
        work(job)
    else:
        from pipeline.process.prepare import prepare  # every stage: not for whoever has prepared

        resolved = load_settings(Path(config) if config else None, **(settings or {}))
        try:
            prepared = prepare([Path(path) for path in paths], resolved)
            for sentence in prepared.notes:
                _log(resolved, "warning", message=sentence)
            job = prepared.open()
            work(job)
            said = conclude(job.tally, resolved)
        except CallQAError as error:
            _log(resolved, "failed", message=error.message, hint=error.hint)
            raise
        _log(resolved, "ended", message="; ".join((str(final_state(job.tally).message), *said)))
    publish(job.tally, list(reasons_to_tell(job.tally, job.flow.alerts)))
    announce(job.reworded)  # at the end: who re-scores then finds the database free
    return final_state(job.tally)


# They are plain JSON already; to make sure, Prefect would import FastAPI: a tenth of a second of every start.
batch.serialize_parameters = dict  # type: ignore[method-assign,assignment]


def run_handed_over(job: Batch, paths: list[str]) -> None:
    """Run the flow in this process on a batch that is already prepared.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    token = handover.batch.set(job)
    try:
        state = batch(paths, return_state=True)
    finally:
        handover.batch.reset(token)
    error = state.result(raise_on_failure=False)
    if isinstance(error, CallQAError):
        raise error


def work(job: Batch) -> None:
    """Every window of a batch, as tasks of the flow run it is called in.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    started = time.monotonic()
    job.start()
    with Progress(len(job.plan.pending)) as progress:
        if job.flow.runner == "thread":
            _here(job, progress)
        else:
            _elsewhere(job, progress)
    job.tally.wall_s += time.monotonic() - started


def _here(job: Batch, progress: Progress) -> None:
    """Hear in this process; meanwhile judge and load the window before, and open the one after."""
    before: Future[Sequence[CallRecord]] | None = None
    with ThreadPoolExecutor(1, "judge") as behind, job.ahead() as windows:
        for received, ready in windows:
            name = _window_name(received)
            heard = _hear(name, received, ready, job)
            _settle(job, before.result() if before else (), progress)
            before = behind.submit(copy_context().run, _judge_and_load, name, heard, job)
        _settle(job, before.result() if before else (), progress)


def _elsewhere(job: Batch, progress: Progress) -> None:
    """Whole windows in workers; a worker that dies is replaced and its windows are tried again."""
    deaths = 0
    while job.left:
        done = job.tally.processed
        try:
            with open_pool(job.flow) as runner:
                _through(runner, job, progress)
        except BrokenExecutor as error:
            deaths = deaths + 1 if job.tally.processed == done else 1
            if deaths >= DEATHS_OF_A_WINDOW:  # it is this window that kills its worker
                received = next(job.windows())
                _settle(
                    job, load_window(_window_name(received), give_up(received, error), _sealed(job)), progress
                )
                deaths = 0


def _through(runner: TaskRunner[Any], job: Batch, progress: Progress) -> None:
    """Keep every worker busy, one window ahead, and load in order."""
    waiting: deque[tuple[tuple[Received, ...], PrefectFuture[Any]]] = deque()

    def load_first() -> None:
        received, future = waiting.popleft()
        records = future.result(raise_on_failure=False)
        if isinstance(records, (CallQAError, BrokenExecutor)):
            raise records
        if isinstance(records, BaseException):
            records = give_up(received, records)
        _settle(job, load_window(_window_name(received), _sealed(records), _sealed(job)), progress)

    for received in job.windows():
        parcel = Parcel(received, job.make_tools, job.cache)
        parameters = {"name": _window_name(received), "parcel": parcel}
        waiting.append((received, runner.submit(process_chunk, parameters)))
        if len(waiting) > worker_count(job.flow):
            load_first()
    while waiting:
        load_first()


def final_state(tally: Tally) -> State[None]:
    """The honest end of a flow run: all, some or none of what was received."""
    usable = tally.files - tally.unusable
    message = f"{usable} of {tally.files} files scored or knowingly skipped"
    if not tally.unusable:
        return Completed(message=message)
    if usable:
        return Completed(name="PartiallyCompleted", message=message)
    return Failed(message=message)


def _hear(name: str, received: Sequence[Received], ready: Mapping[int, Opened], job: Batch) -> Rows:
    """A window that fails after every retry becomes rows that say so; the batch goes on."""
    state = hear_window(name, _sealed(received), _sealed(ready), _sealed(job), return_state=True)
    result = state.result(raise_on_failure=False)
    if isinstance(result, CallQAError):
        raise result
    return give_up(received, result) if isinstance(result, BaseException) else result


def _judge_and_load(name: str, heard: Rows, job: Batch) -> Sequence[CallRecord]:
    """The records of a window, once they are in the store."""
    records = judge_window(name, _sealed(heard), _sealed(job))
    return load_window(name, _sealed(records), _sealed(job))


def _log(settings: Settings, event: str, **facts: str) -> None:
    """A line a batch for the log of ``callqa serve`` or of a worker, where nobody watches."""
    at = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = f"{at} batch {event}: " + "; ".join(fact for fact in facts.values() if fact)
    if settings.flow.log_format == "json":
        line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def _sealed(value: Any) -> Any:
    """A parameter Prefect hands on without walking through its every word."""
    return opaque(value)


def _name(item: Received) -> str:
    return item.metadata.call_id if item.metadata else item.path.name


def _window_name(received: Sequence[Received]) -> str:
    return f"{_name(received[0])} and {len(received) - 1} more" if len(received) > 1 else _name(received[0])


def _settle(job: Batch, records: Sequence[CallRecord], progress: Progress) -> None:
    job.settle(records)
    progress.show(job.tally, records)
