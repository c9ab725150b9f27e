"""The loop over the groups of a batch: their order, what runs at the same time, and what is retried.

    here        transcribe ─▶ score ─▶ load        a group is transcribed while the one before is scored and
                                                   loaded and the one after is opened
    in workers  process ─▶ load                    other processes take whole groups; only this one loads

Each group is loaded in one transaction, so a process that is killed leaves complete groups in the store and
nothing of later ones. Every step goes through ``Steps``, which just runs it; ``flows`` runs it as a Prefect
task instead.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor, wait
from contextlib import closing
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from pipeline.conversation import CallRecord, Received
from pipeline.errors import CallQAError, MachineError, raise_if_interrupted
from pipeline.interpreter import quick_switches
from pipeline.process.batch import Batch, Tally
from pipeline.process.calls import describe, give_up, is_transient, score, transcribe
from pipeline.process.prefetch import Group
from pipeline.process.workers import open_workers, process_there, worker_count

Done = TypeVar("Done")
FinishGroup = Callable[[], Sequence[CallRecord]]
"""What remains to be done for a group that has begun; returns its records."""
BegunGroups = Generator[tuple[Group, FinishGroup], None, None]
RETRY_DELAYS_S = (1.0, 5.0)
DEATHS_OF_A_GROUP = 2
WAIT_S = 0.5  # between looks whether the batch was ended meanwhile


class Steps:
    """Runs the steps of a batch, and is called when a group is finished."""

    def do(self, step: str, group: str, work: Callable[[], Done]) -> Done:
        """Run one step of one group; errors of the work are raised as they are."""
        return work()

    def finished(self, tally: Tally, records: Sequence[CallRecord]) -> None:
        """Is called when the records of a group are in the store and counted."""


def run_batch(batch: Batch, steps: Steps | None = None) -> Tally:
    """Process every pending file, group by group.

    Raises:
        CallQAError: A fault that a person must fix before the batch can go on.
    """
    steps = steps or Steps()
    started = time.monotonic()
    batch.start()
    deaths = 0
    while batch.left:
        processed = batch.tally.processed
        try:
            with quick_switches():
                _all_groups(batch, steps)
        except BrokenExecutor as error:  # a worker process died: start new ones for what is left
            deaths = deaths + 1 if batch.tally.processed == processed else 1
            if deaths == DEATHS_OF_A_GROUP:  # the first group left seems to kill its worker: give it up
                group = next(batch.groups())
                _count(batch, steps, _load(batch, steps, group, _failed_records(group, error)))
                deaths = 0
    batch.tally.wall_s += time.monotonic() - started
    return batch.tally


def _all_groups(batch: Batch, steps: Steps) -> None:
    ended = threading.Event()
    if batch.flow.runner == "thread":
        _finish_in_order(batch, steps, _begin_here(batch, steps), 1, ended)
    else:
        with open_workers(batch.flow) as workers:
            begun = _begin_in(workers, batch, steps, ended)
            _finish_in_order(batch, steps, begun, worker_count(batch.flow), ended)


def _finish_in_order(
    batch: Batch,
    steps: Steps,
    begun: BegunGroups,
    at_once: int,
    ended: threading.Event,
) -> None:
    """Score and load the groups in order in another thread, while this thread begins the next ones.

    ``ended`` is set when the batch ends early, so that nothing waits for a worker any more.
    """
    waiting: deque[Future[Sequence[CallRecord]]] = deque()
    finisher = ThreadPoolExecutor(1, "finish")
    try:
        with closing(begun):
            for group, scoring in begun:
                raise_if_interrupted()
                finish = partial(_score_and_load, batch, steps, group, scoring)
                waiting.append(finisher.submit(copy_context().run, finish))
                while len(waiting) > at_once:
                    _count(batch, steps, waiting.popleft().result())
        while waiting:
            _count(batch, steps, waiting.popleft().result())
    except BaseException:
        ended.set()
        batch.leave()
        raise
    finally:
        finisher.shutdown(cancel_futures=True)


def _begin_here(batch: Batch, steps: Steps) -> BegunGroups:
    """Transcribe the groups in this process; yields each with the step that remains, which is scoring."""
    stages, cache = batch.stages, batch.cache
    with batch.prefetch() as groups:
        for group, files in groups:
            work = partial(transcribe, files, stages, cache)
            task = partial(steps.do, "transcribe", name_of(group), work)
            calls = _with_retries(task, partial(give_up, group))
            yield group, partial(steps.do, "score", name_of(group), partial(score, calls, stages, cache))


def _begin_in(workers: Executor, batch: Batch, steps: Steps, ended: threading.Event) -> BegunGroups:
    """Hand the groups to workers; yields each with the step that remains, which is to wait."""
    for group in batch.groups():
        submit = partial(workers.submit, process_there, group, batch.load_stages, batch.cache)
        yield group, partial(steps.do, "process", name_of(group), _Submitted(submit, ended))


class _Submitted:
    """Waits for a worker's result; a second call, which is a retry, hands the work out again."""

    def __init__(self, submit: Callable[[], Future[list[CallRecord]]], ended: threading.Event) -> None:
        self._submit, self._ended = submit, ended
        self._first: Future[list[CallRecord]] | None = submit()

    def __call__(self) -> list[CallRecord]:
        future, self._first = self._first or self._submit(), None
        while not wait([future], WAIT_S).done:
            if self._ended.is_set():
                raise BrokenExecutor("the batch was ended")
        return future.result()


def _score_and_load(batch: Batch, steps: Steps, group: Group, scoring: FinishGroup) -> Sequence[CallRecord]:
    records = _with_retries(scoring, partial(_failed_records, group))
    return _load(batch, steps, group, records)


def _load(batch: Batch, steps: Steps, group: Group, records: Sequence[CallRecord]) -> Sequence[CallRecord]:
    """Load the records into the store, or, if that fails, ``failed`` ledger rows; returns what was loaded.

    Raises:
        MachineError: Not even the ledger rows can be loaded.
    """

    def load(to_load: Sequence[CallRecord]) -> Sequence[CallRecord]:
        steps.do("load", name_of(group), partial(batch.load, to_load))
        return to_load

    loaded = _with_retries(partial(load, records), partial(_failed_records, group))
    if loaded is records:
        return records
    try:
        return load(loaded)
    except CallQAError:
        raise
    except Exception as error:
        raise MachineError(
            f"a group of files cannot be loaded into the database: {describe(error)}",
            hint="check the disk it is on and run again; everything loaded so far is kept",
        ) from error


def _failed_records(group: Group, error: BaseException) -> list[CallRecord]:
    return [call.record() for call in give_up(group, error)]


def _with_retries(
    work: Callable[[], Sequence[Done]], failed: Callable[[Exception], Sequence[Done]]
) -> Sequence[Done]:
    """Run ``work``, again after a transient fault; when it still fails, return what ``failed`` returns.

    Raises:
        CallQAError: A fault that a person must fix first.
        BrokenExecutor: A worker process died.
        KeyboardInterrupt: The process was asked to end, which a library may have made a fault of its own.
    """
    for delay_s in (*RETRY_DELAYS_S, None):
        try:
            return work()
        except (CallQAError, BrokenExecutor):
            raise
        except Exception as error:
            raise_if_interrupted()
            if delay_s is None or not is_transient(error):
                return failed(error)
            time.sleep(delay_s)
    raise AssertionError("unreachable")


def _count(batch: Batch, steps: Steps, records: Sequence[CallRecord]) -> None:
    batch.count(records)
    steps.finished(batch.tally, records)


def name_of(group: Sequence[Received]) -> str:
    """A short name of a group: its first call and how many more there are."""
    first = group[0].metadata.call_id if group[0].metadata else group[0].path.name
    return f"{first} and {len(group) - 1} more" if len(group) > 1 else first
