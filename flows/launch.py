"""A prepared batch as a flow run of this process: the way of ``callqa run``.

Prefect starts its ephemeral server while models load. Should it not start, or end on the way, the batch
goes on without it: what only shows a run must not end it.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

from flows.environment import has_own_server, quiet_prefect
from pipeline.child_processes import end_with_this_process
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
        import prefect  # before the thread starts: both would import the same modules

        if has_own_server():
            # Imported beside the models it took twice as long, and the server's process starts only after it.
            import prefect.server.api.server  # noqa: F401
        with ThreadPoolExecutor(1, "models") as beside:
            models = beside.submit(batch.warm_up) if batch.flow.runner == "thread" else None
            _reach_server()
            if models is not None:
                models.result()
        from flows.batch import run_prepared

        run_prepared(batch, paths)
        if has_own_server():
            from flows.publish import forget_old_runs

            forget_old_runs()
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


def _reach_server() -> None:
    """Ask for a sign of life; without ``PREFECT_API_URL``, Prefect starts its ephemeral server for that."""
    from prefect.client.orchestration import get_client

    with _without_interrupts(), get_client(sync_client=True) as client:
        client.hello()
    if has_own_server():
        from prefect.server.api.server import SubprocessASGIServer  # the one that the client has started

        process = SubprocessASGIServer().server_process
        if process is not None:
            end_with_this_process(process.pid)


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Start processes that Ctrl-C does not reach: the server records the end of an interrupted run."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
