"""Runs a prepared batch as a Prefect flow run in this process, for ``callqa run``.

The Prefect server starts while models load. If it does not start, or ends during the batch, the batch goes on
without it, because Prefect only shows the run.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

from flows.environment import prefect_server, quiet_prefect
from pipeline.errors import CallQAError, MachineError, raise_if_interrupted
from pipeline.process.batch import Batch, Tally
from pipeline.process.loop import run_batch

EVENTS_TIMEOUT_S = 5.0


def run_as_flow(batch: Batch, paths: list[str], warn: Callable[[str], None]) -> Tally:
    """Run a batch as a Prefect flow that shows ``paths`` as its parameter; warn where Prefect fails.

    Raises:
        CallQAError: A fault that a person must fix first.
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
    """Run the flow; returns a sentence when Prefect failed, "" when all went well."""
    try:
        with prefect_server() as wait_for_server:
            # Imported before the thread starts, because both would import the same modules.
            from flows.batch import run_prepared

            with ThreadPoolExecutor(1, "models") as pool:
                models = pool.submit(batch.warm_up) if batch.flow.runner == "thread" else None
                try:
                    wait_for_server()
                except MachineError as error:
                    return f"{error.message} ({error.hint})"
                if models is not None:
                    models.result()
            run_prepared(batch, paths)
            events_are_sent()  # now, because a server of our own ends with this context
    except CallQAError:
        raise
    except Exception as error:
        raise_if_interrupted()  # Prefect raises its own error when no server is left to record it
        return f"Prefect failed ({type(error).__name__})"
    return ""


def events_are_sent() -> bool:
    """Make Prefect send the events it still holds; returns False when its server does not take them.

    Prefect also does so when the interpreter ends, but then waits seconds per event if the server is gone.
    """
    from prefect.events.worker import EventsWorker

    answer: Any = EventsWorker.drain_all(timeout=EVENTS_TIMEOUT_S)
    return not answer[1]
