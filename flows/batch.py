"""The batch as a Prefect flow: the same functions as without Prefect, seen and retried by it.

    batch (flow) ─▶ for each window: hear (task) ─▶ judge (task a call, named by its id) ─▶ load (task)

The next window is heard while the one before is judged and loaded. Only transient faults are
retried; bad input is a row in the ledger. Nothing that holds a customer's words becomes a flow
parameter, a persisted result, a log line or an artifact.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextvars import ContextVar
from typing import Any

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.futures import PrefectFuture
from prefect.states import Completed, Failed
from prefect.task_runners import TaskRunner, ThreadPoolTaskRunner
from prefect.utilities.annotations import opaque

from pipeline.conversation import CallRecord, Received
from pipeline.errors import CallQAError
from pipeline.process.batch import RETRY_DELAYS_S, Batch, Tally
from pipeline.process.calls import Heard, give_up, hear, is_transient, judge

_handed_over: ContextVar[Batch | None] = ContextVar("batch", default=None)
"""A batch prepared in this process, so that ``callqa run`` need not look at every file twice."""

Rows = Sequence[Heard | CallRecord]


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
def hear_window(name: str, received: Sequence[Received], batch: Batch) -> Rows:
    """Transcribe a window of calls together."""
    return hear(received, batch.tools, batch.cache)


@task(task_run_name="judge {call}", **_careful)
def judge_call(call: str, heard: Heard | CallRecord, batch: Batch) -> CallRecord:
    """Annotate and score one call."""
    return judge(heard, batch.tools) if isinstance(heard, Heard) else heard


@task(task_run_name="load {name}", **_careful)
def load_window(name: str, records: Sequence[CallRecord], batch: Batch) -> Sequence[CallRecord]:
    """Put a window's records into the store, in one transaction."""
    batch.load(records)
    return records


_threads: TaskRunner[Any] = ThreadPoolTaskRunner(
    max_workers=2
)  # judging and loading; hearing has the flow's own


@flow(name="callqa-batch", persist_result=False, task_runner=_threads)
def batch(
    paths: list[str], config: str | None = None, settings: dict[str, dict[str, Any]] | None = None
) -> State[None]:
    """Process every new recording under ``paths`` and load the answers.

    Args:
        paths: Recordings, folders, manifests or transcript files, as the worker sees them.
        config: A ``callqa.toml``; default the one in the working folder, where present.
        settings: Settings that win over the file, by slice: ``{"store": {"db": "qa.duckdb"}}``.
    """
    job = _handed_over.get()
    assert job is not None
    work(job)
    return final_state(job.tally)


def run_handed_over(job: Batch, paths: list[str]) -> None:
    """Run the flow in this process on a batch that is already prepared.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    token = _handed_over.set(job)
    try:
        state = batch(paths, return_state=True)
    finally:
        _handed_over.reset(token)
    error = state.result(raise_on_failure=False)
    if isinstance(error, CallQAError):
        raise error


def work(job: Batch) -> None:
    """Every window of a batch, as tasks of the flow run it is called in."""
    started = time.monotonic()
    job.start()
    before: PrefectFuture[Sequence[CallRecord]] | None = None
    for number, received in enumerate(job.windows(), 1):
        name = f"window {number}: {received[0].path.name} and {len(received) - 1} more"
        heard = _hear(name, received, job)
        job.settle(before.result() if before else ())
        before = _judge_and_load(name, received, heard, job)
    job.settle(before.result() if before else ())
    job.tally.wall_s += time.monotonic() - started


def final_state(tally: Tally) -> State[None]:
    """The honest end of a flow run: all, some or none of what was received."""
    usable = tally.files - tally.unusable
    message = f"{usable} of {tally.files} files scored or knowingly skipped"
    if not tally.unusable:
        return Completed(message=message)
    if usable:
        return Completed(name="PartiallyCompleted", message=message)
    return Failed(message=message)


def _hear(name: str, received: Sequence[Received], job: Batch) -> Rows:
    """A window that fails after every retry becomes rows that say so; the batch goes on."""
    state = hear_window(name, _sealed(received), _sealed(job), return_state=True)
    result = state.result(raise_on_failure=False)
    if isinstance(result, CallQAError):
        raise result
    return give_up(received, result) if isinstance(result, BaseException) else result


def _judge_and_load(
    name: str, received: Sequence[Received], heard: Rows, job: Batch
) -> PrefectFuture[Sequence[CallRecord]]:
    judged: list[Any] = [
        judge_call.submit(_name(item), _sealed(row), _sealed(job))
        for item, row in zip(received, heard, strict=True)
    ]
    return load_window.submit(name, [_sealed(call) for call in judged], _sealed(job))


def _sealed(value: Any) -> Any:
    """A parameter Prefect hands on without walking through its every word."""
    return opaque(value)


def _name(item: Received) -> str:
    return item.metadata.call_id if item.metadata else item.path.name
