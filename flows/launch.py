"""A prepared batch as a flow run of this process: the way of ``callqa run``.

``prefect server start`` gets ready while models load. Should it not start, or end on the way, the batch goes
on without it: what only shows a run must not end it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from typing import Any

from flows.environment import has_own_server, own_server, quiet_prefect
from pipeline.errors import CallQAError, MachineError
from pipeline.process.batch import Batch, Tally
from pipeline.process.loop import run_batch

EVENTS_TIMEOUT_S = 5.0


def run_as_flow(batch: Batch, paths: list[str], warn: Callable[[str], None]) -> Tally:
    """Run a batch as a Prefect flow.

    Args:
        batch: What to do.
        paths: What was asked for, as the flow run's parameter.
        warn: Told, in a sentence, when the batch has to go on without Prefect.

    Raises:
        CallQAError: Something a person must mend first.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(quiet_prefect())
        except MachineError as error:
            trouble = error.message
        else:
            trouble = _run(batch, paths)
    if batch.left:
        warn(f"{trouble or 'the Prefect run ended early'}; going on without Prefect")
        return run_batch(batch)
    return batch.tally


def _run(batch: Batch, paths: list[str]) -> str:
    """Run the flow; a sentence when it was Prefect that failed, "" when all went well."""
    try:
        with own_server() if has_own_server() else nullcontext() as answers:
            # Imported before the thread starts: both would import the same modules.
            from flows.batch import run_prepared

            with ThreadPoolExecutor(1, "models") as beside:
                models = beside.submit(batch.warm_up) if batch.flow.runner == "thread" else None
                try:
                    if answers is not None:
                        answers()
                except MachineError as error:
                    return f"{error.message} ({error.hint})"
                if models is not None:
                    models.result()
            run_prepared(batch, paths)
            if answers is not None:
                events_are_sent()  # while the server is there to take them
    except CallQAError:
        raise
    except Exception as error:
        if _was_interrupted(error):
            raise KeyboardInterrupt from error
        return f"Prefect failed ({type(error).__name__})"
    return ""


def events_are_sent() -> bool:
    """Have Prefect send the events it still holds; False when its server does not take them.

    Prefect does so itself when the interpreter ends, but for seconds an event when the server is gone.
    """
    from prefect.events.worker import EventsWorker

    answer: Any = EventsWorker.drain_all(timeout=EVENTS_TIMEOUT_S)
    return not answer[1]


def _was_interrupted(error: BaseException | None) -> bool:
    """Whether Ctrl-C came first: Prefect, unable to record it on a lost server, raises its own error."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__context__
    return error is not None
