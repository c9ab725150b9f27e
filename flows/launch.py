"""A prepared batch as a flow run of this process: the way of ``callqa run``.

Our own server gets ready while files are looked at and models load. Should it not start, or die on
the way, the batch goes on without it: orchestration is there to watch over the work, never to stop it.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from flows.server import OwnServer, quiet_prefect
from pipeline.errors import CallQAError, MachineError
from pipeline.process.batch import Batch, Tally, run_batch

EVENTS_TIMEOUT_S = 5.0


@contextlib.contextmanager
def as_flow(
    paths: list[str], home: Path, warn: Callable[[str], None], *, wait_s: float = 0.0
) -> Iterator[Callable[[Batch], Tally]]:
    """Have Prefect at hand for a batch that is yet to be prepared.

    Args:
        paths: What was asked for, as the flow run's parameter.
        home: ``PREFECT_HOME`` of our own server, where no ``PREFECT_API_URL`` is set.
        warn: Told, in a sentence, when the batch has to go on without Prefect.
        wait_s: How long our own server waits for the next run afterwards.

    Yields:
        Runs a batch as a flow; raises ``CallQAError`` for what a person must mend first.
    """
    with quiet_prefect(home, wait_s=wait_s) as server:

        def run(batch: Batch) -> Tally:
            if server is not None:
                server.serve()
            if batch.flow.runner == "thread":
                batch.warm_up()  # while the server gets ready; workers load their own
            try:
                trouble = _run(batch, paths, server)
            finally:
                _send_events()
            if batch.left:
                warn(f"{trouble or 'the Prefect run ended early'}; going on without Prefect")
                return run_batch(batch)
            return batch.tally

        yield run


def _run(batch: Batch, paths: list[str], server: OwnServer | None) -> str:
    """Run the flow; a sentence when it was Prefect that failed, "" when all went well."""
    gc.disable()  # a sixth of the time of an import that makes thousands of classes
    from prefect.context import refresh_global_settings_context
    from prefect.settings import PREFECT_FLOWS_HEARTBEAT_FREQUENCY, temporary_settings

    from flows.batch import run_handed_over  # takes a second: the server gets ready meanwhile

    gc.enable()
    try:
        if server is not None:
            server.ready()
    except MachineError as error:
        return error.message
    refresh_global_settings_context()  # the address was not known when Prefect was imported
    # Nobody asks our own server for heartbeats, and a run does not end before its next, up to a second later.
    own: dict[Any, Any] = {} if server is None else {PREFECT_FLOWS_HEARTBEAT_FREQUENCY: None}
    try:
        with temporary_settings(own):
            run_handed_over(batch, paths)
    except CallQAError:
        raise
    except Exception as error:
        return f"Prefect failed ({type(error).__name__})"
    return ""


def _send_events() -> None:
    """Have Prefect send what it still holds while its server is there; dropped when the server is not.

    Left to itself it would do so when the interpreter ends: after our server, and, should that be gone,
    ten seconds of trying an event. Prefect offers no way to give up, hence the private names.
    """
    from prefect.events.worker import EventsWorker

    worker: Any = EventsWorker
    sending = [(one._loop, one._task) for one in worker._instances.values()]
    answer = worker.drain_all(timeout=EVENTS_TIMEOUT_S)
    if answer[1]:
        for loop, task in sending:
            loop.call_soon_threadsafe(task.cancel)
