"""The batch as a Prefect flow: each step of ``pipeline.process.loop`` runs as a task that Prefect shows.

The loop decides the order, what runs at the same time, and retries. There is a task per group and not per
call, because a task costs Prefect tens of milliseconds, more than scoring a call. Prefect keeps what it shows
in its own database, so it gets only counts, seconds and call ids: no word of a customer becomes a flow
parameter, a persisted result, a log line or an artifact. A server that cannot take an artifact never fails a
batch.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any, TypeVar
from uuid import UUID

from prefect import flow, task
from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.cache_policies import NO_CACHE
from prefect.client.schemas.objects import State
from prefect.events import emit_event
from prefect.states import Completed, Failed

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
    """Runs the steps of a batch as tasks of the current flow run, and shows its progress and its last group.

    A context manager with a thread that shows them, so that the engine never waits for Prefect.
    """

    def __init__(self, pending: int) -> None:
        self._pending = pending
        self._artifact: UUID | None = None
        self._silent = False
        self._thread = ThreadPoolExecutor(1, "progress")

    def __enter__(self) -> Tasks:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def do(self, step: str, group: str, work: Callable[[], Done]) -> Done:
        """Run one step as a task, named by the step and the group."""
        return carry_out.with_options(name=step, task_run_name=f"{step} {group}")(work)

    def finished(self, tally: Tally, records: Sequence[CallRecord]) -> None:
        """Update the progress bar, there from the first group on, and list the calls of the group."""
        if records:
            percent = 100.0 * tally.processed / max(self._pending, 1)
            self._thread.submit(copy_context().run, self._show, percent, group_rows(records))

    def _show(self, percent: float, rows: list[dict[str, Any]]) -> None:
        if self._silent:
            return
        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(percent, description="files processed")  # type: ignore[assignment]
            else:
                update_progress_artifact(self._artifact, percent)
            create_table_artifact(rows, key="callqa-window", description="last group of files")
        except Exception:  # showing progress must not stop the batch, nor wait for a dead server again
            self._silent = True


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

    resolved = None
    try:
        resolved = load_settings(config, **(settings or {}))
        job = prepare([Path(path) for path in paths], resolved)
        for sentence in job.notes:
            _log(resolved, "warning", message=sentence)
        work(job)
        alerts = conclude(job.tally, resolved)
    except Exception as error:
        told = tell_of_failure(error, resolved) if resolved else []  # who is to be told is not known
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
    with Tasks(len(job.plan.pending)) as tasks:
        run_batch(job, tasks)


def show(job: Batch) -> State[None]:
    """Show the results of a batch in Prefect: artifacts, an event per changed rubric, and the final state."""
    publish(job.tally, list(reasons_to_tell(job.tally, job.flow.alerts)))
    for rubric in job.reworded:  # at the end: the re-scoring that prefect.yaml starts finds the database free
        emit_event("callqa.rubric.changed", resource={"prefect.resource.id": f"callqa.rubric.{rubric}"})
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


def _log(settings: Settings | None, event: str, **facts: str) -> None:
    """Write a line about the batch to stderr, for the log of ``callqa serve`` or of a Prefect worker."""
    at = f"{dt.datetime.now(dt.UTC):%Y-%m-%dT%H:%M:%SZ}"
    line = f"{at} batch {event}: " + "; ".join(fact for fact in facts.values() if fact)
    if settings and settings.flow.log_format == "json":
        line = json.dumps({"at": at, "event": event, **facts}, ensure_ascii=False)
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


def publish(tally: Tally, alerts: Sequence[str]) -> None:
    """Create artifacts of the flow run: a summary, and the calls with the lowest scores."""
    lowest = [{"call_id": call, "rubric": rubric, "score": score} for score, call, rubric in tally.lowest]
    with contextlib.suppress(Exception):
        create_markdown_artifact(
            summary_markdown(tally, alerts), key="callqa-batch", description="last batch"
        )
        create_table_artifact(lowest, key="callqa-lowest", description="lowest scores by call id")


def group_rows(group: Sequence[CallRecord]) -> list[dict[str, Any]]:
    """One row per scorecard, or per file without one, with ids, status and score."""
    rows: list[dict[str, Any]] = []
    for record in group:
        row = {"call_id": record.ledger.call_id, "status": record.ledger.status}
        rows += [
            {**row, "rubric": card.rubric.id, "outcome": card.outcome, "score": card.final_score}
            for card in record.scorecards
        ] or [{**row, "rubric": None, "outcome": record.ledger.reason, "score": None}]
    return rows


def summary_markdown(tally: Tally, alerts: Sequence[str]) -> str:
    """A summary of the batch in Markdown."""
    speed = tally.audio_s / tally.wall_s if tally.wall_s else 0.0
    lines = ["# Batch", ""]
    lines += [f"**Alert:** {sentence}\n" for sentence in alerts]
    lines += ["| files | |", "|---|---|"]
    lines += [f"| {status} | {count} |" for status, count in sorted(tally.statuses.items())]
    lines += [f"| of these known from before | {tally.known} |", ""]
    lines += ["| scorecards | |", "|---|---|"]
    lines += [f"| {outcome} | {count} |" for outcome, count in sorted(tally.outcomes.items())]
    lines += [
        "",
        f"{tally.audio_s / 3600:.1f} h of audio in {tally.wall_s:.0f} s, {speed:.1f}× real time.",
        "",
    ]
    if tally.reasons:
        lines += ["| not scored | reason | files |", "|---|---|---|"]
        lines += [f"| {status} | {reason} | {n} |" for (status, reason), n in sorted(tally.reasons.items())]
    return "\n".join(lines) + "\n"
