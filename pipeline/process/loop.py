"""The loop over the windows of a batch: their order, what is done at the same time, and what is tried again.

    here        transcribe ─▶ score ─▶ load        a window is transcribed while the one before is scored and
                                                   loaded and the one after is opened
    in workers  process ─▶ load                    whole windows in other processes; only this one loads

Each window is one transaction: a kill between two windows, or inside one, leaves the store as if the later
calls had not been started. Every step is handed to ``Steps``: here it is simply done, in ``flows`` as a
Prefect task.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TypeVar

from pipeline.conversation import CallRecord, Received
from pipeline.errors import CallQAError, MachineError
from pipeline.interpreter import quick_switches
from pipeline.process.batch import Batch, Tally
from pipeline.process.calls import describe, give_up, is_transient, score, transcribe
from pipeline.process.prefetch import Window
from pipeline.process.workers import open_workers, process_there, worker_count

Done = TypeVar("Done")
Scoring = Callable[[], Sequence[CallRecord]]
RETRY_DELAYS_S = (1.0, 5.0)
DEATHS_OF_A_WINDOW = 2


class Steps:
    """Does the steps of a batch, and is told what came of them."""

    def do(self, step: str, window: str, work: Callable[[], Done]) -> Done:
        """Carry out one step of one window; what it raises is raised."""
        return work()

    def finished(self, tally: Tally, records: Sequence[CallRecord]) -> None:
        """The records of a window are in the store and counted."""


def run_batch(batch: Batch, steps: Steps | None = None) -> Tally:
    """Process every pending file, window by window.

    Args:
        batch: What to do.
        steps: How a step is carried out.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    steps = steps or Steps()
    started = time.monotonic()
    batch.start()
    deaths = 0
    while batch.left:
        done = batch.tally.processed
        try:
            with quick_switches():
                _all_windows(batch, steps)
        except BrokenExecutor as error:  # a worker has died; another one takes what is left
            deaths = deaths + 1 if batch.tally.processed == done else 1
            if deaths == DEATHS_OF_A_WINDOW:  # it is the first window that kills its worker
                window = next(batch.windows())
                _finalise(batch, steps, _load(batch, steps, window, _failed_records(window, error)))
                deaths = 0
    batch.tally.wall_s += time.monotonic() - started
    return batch.tally


def _all_windows(batch: Batch, steps: Steps) -> None:
    if batch.flow.runner == "thread":
        _finish_in_order(batch, steps, _begin_here(batch, steps), 1)
    else:
        with open_workers(batch.flow) as workers:
            _finish_in_order(batch, steps, _begin_in(workers, batch, steps), worker_count(batch.flow))


def _finish_in_order(
    batch: Batch, steps: Steps, begun: Iterator[tuple[Window, Scoring]], at_once: int
) -> None:
    """Score and load one window after the other in a thread, while the next ones are begun in this one."""
    waiting: deque[Future[Sequence[CallRecord]]] = deque()
    behind = ThreadPoolExecutor(1, "finish")
    try:
        for window, scoring in begun:
            waiting.append(behind.submit(copy_context().run, _score_and_load, batch, steps, window, scoring))
            while len(waiting) > at_once:
                _finalise(batch, steps, waiting.popleft().result())
        while waiting:
            _finalise(batch, steps, waiting.popleft().result())
    except BaseException:
        batch.leave()
        raise
    finally:
        behind.shutdown(cancel_futures=True)


def _begin_here(batch: Batch, steps: Steps) -> Iterator[tuple[Window, Scoring]]:
    """Transcribe one window after the other."""
    stages, cache = batch.stages, batch.cache
    with batch.prefetch() as windows:
        for window, files in windows:
            work = partial(transcribe, files, stages, cache)
            task = partial(steps.do, "transcribe", name_of(window), work)
            calls = _patiently(task, partial(give_up, window))
            yield window, partial(steps.do, "score", name_of(window), partial(score, calls, stages, cache))


def _begin_in(workers: Executor, batch: Batch, steps: Steps) -> Iterator[tuple[Window, Scoring]]:
    """Hand one window after the other to workers."""
    for window in batch.windows():
        submit = partial(workers.submit, process_there, window, batch.load_stages, batch.cache)
        yield window, partial(steps.do, "process", name_of(window), _Submitted(submit))


class _Submitted:
    """Waits for a worker; when asked again, the work is handed out again."""

    def __init__(self, submit: Callable[[], Future[list[CallRecord]]]) -> None:
        self._submit = submit
        self._first: Future[list[CallRecord]] | None = submit()

    def __call__(self) -> list[CallRecord]:
        future, self._first = self._first or self._submit(), None
        return future.result()


def _score_and_load(batch: Batch, steps: Steps, window: Window, scoring: Scoring) -> Sequence[CallRecord]:
    records = _patiently(scoring, partial(_failed_records, window))
    return _load(batch, steps, window, records)


def _load(batch: Batch, steps: Steps, window: Window, records: Sequence[CallRecord]) -> Sequence[CallRecord]:
    """The records that are in the store: those given, or rows that say why those cannot be loaded.

    Raises:
        MachineError: Not even those rows can be loaded.
    """

    def load(rows: Sequence[CallRecord]) -> Sequence[CallRecord]:
        steps.do("load", name_of(window), partial(batch.load, rows))
        return rows

    loaded = _patiently(partial(load, records), partial(_failed_records, window))
    if loaded is records:
        return records
    try:
        return load(loaded)
    except CallQAError:
        raise
    except Exception as error:
        raise MachineError(
            f"a window cannot be loaded into the database: {describe(error)}",
            hint="check the disk it is on and run again; everything loaded so far is kept",
        ) from error


def _failed_records(window: Window, error: BaseException) -> list[CallRecord]:
    return [call.record() for call in give_up(window, error)]


def _patiently(
    work: Callable[[], Sequence[Done]], failed: Callable[[Exception], Sequence[Done]]
) -> Sequence[Done]:
    """What the work returns, tried again after a fault of the machine; what ``failed`` makes of the last one.

    Raises:
        CallQAError: Something a person must mend first.
        BrokenExecutor: A worker has died.
    """
    for delay_s in (*RETRY_DELAYS_S, None):
        try:
            return work()
        except (CallQAError, BrokenExecutor):
            raise
        except Exception as error:
            if delay_s is None or not is_transient(error):
                return failed(error)
            time.sleep(delay_s)
    raise AssertionError("unreachable")


def _finalise(batch: Batch, steps: Steps, records: Sequence[CallRecord]) -> None:
    batch.count(records)
    steps.finished(batch.tally, records)


def name_of(window: Sequence[Received]) -> str:
    """A window by its first call and how many more there are."""
    first = window[0].metadata.call_id if window[0].metadata else window[0].path.name
    return f"{first} and {len(window) - 1} more" if len(window) > 1 else first
