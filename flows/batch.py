"""The batch as a Prefect flow: each step of ``pipeline.process.loop`` runs as a task that Prefect shows.

The loop decides the order, what runs at the same time, and retries. There is a task per group and not per
call, because a task costs Prefect tens of milliseconds, more than scoring a call. Nothing that holds a
customer's words becomes a flow parameter, a persisted result, a log line or an artifact.
"""

from __future__ import annotations

import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

from prefect import flow, task
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed

from flows.publish import Progress, announce, publish
from pipeline.conversation import CallRecord
from pipeline.errors import CallQAError
from pipeline.process.batch import Batch, Tally
from pipeline.process.loop import Steps, run_batch
from pipeline.process.report import conclude, reasons_to_tell, tell_of_failure
from pipeline.settings import Settings, load_settings

Done = TypeVar("Done")


@task(cache_policy=NO_CACHE, persist_result=False)
def carry_out(work: Callable[[], Done]) -> Done:
    """Run one step of one group."""
    return work()


class Tasks(Steps):
    """Runs the steps of a batch as tasks of the current flow run."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress

    def do(self, step: str, group: str, work: Callable[[], Done]) -> Done:
        """Run one step as a task, named by the step and the group."""
        return carry_out.with_options(name=step, task_run_name=f"{step} {group}")(work)

    def finished(self, tally: Tally, records: Sequence[CallRecord]) -> None:
        """Show the progress of the batch."""
        self._progress.show(tally, records)


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
    from pipeline.process.prepare import prepare

    resolved = load_settings(config, **(settings or {}))
    try:
        job = prepare([Path(path) for path in paths], resolved)
        for sentence in job.notes:
            _log(resolved, "warning", message=sentence)
        work(job)
        alerts = conclude(job.tally, resolved)
    except Exception as error:
        told = tell_of_failure(error, resolved)
        if isinstance(error, CallQAError):
            _log(resolved, "failed", message="; ".join((error.message, *told)), hint=error.hint)
        raise
    _log(resolved, "ended", message="; ".join((str(final_state(job.tally).message), *alerts)))
    return show(job)


def run_prepared(job: Batch, paths: list[str]) -> State[Any]:
    """Run a prepared batch as a flow run in this process; the caller calls ``conclude`` afterwards.

    Raises:
        CallQAError: A fault that a person must fix before the batch can go on.
    """

    @flow(name="callqa-batch", persist_result=False)
    def prepared(paths: list[str]) -> State[None]:
        work(job)
        return show(job)

    state: State[Any] = prepared(paths, return_state=True)
    error = state.result(raise_on_failure=False)
    if isinstance(error, CallQAError):
        raise error
    return state


def work(job: Batch) -> None:
    """Process every group of a batch as tasks of the current flow run."""
    with Progress(len(job.plan.pending)) as progress:
        run_batch(job, Tasks(progress))


def show(job: Batch) -> State[None]:
    """Show the results of a batch in Prefect: artifacts, an event per changed rubric, and the final state."""
    publish(job.tally, list(reasons_to_tell(job.tally, job.flow.alerts)))
    announce(job.reworded)  # at the end, so that the re-scoring it starts finds the database free
    return final_state(job.tally)


def final_state(tally: Tally) -> State[None]:
    """The final state of a flow run, by whether all, some or none of its files could be used."""
    usable = tally.files - tally.unusable
    message = f"{usable} of {tally.files} files scored or knowingly skipped"
    if not tally.unusable:
        return Completed(message=message)
    if usable:
        return Completed(name="PartiallyCompleted", message=message)
    return Failed(message=message)


def _log(settings: Settings, event: str, **facts: str) -> None:
    """Write a line about the batch to stderr, for the log of ``callqa serve`` or of a Prefect worker."""
    at = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = f"{at} batch {event}: " + "; ".join(fact for fact in facts.values() if fact)
    if settings.flow.log_format == "json":
        line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()
