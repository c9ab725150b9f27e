"""A prepared batch as a flow run of this process: the way of ``callqa run``.

Our own server starts while the models load. Should it not start, or die on the way, the batch
goes on without it: orchestration is there to watch over the work, never to stop it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flows.server import OwnServer, quiet_prefect
from pipeline.errors import CallQAError, MachineError
from pipeline.process.batch import Batch, Tally, run_batch


def run_as_flow(
    open_batch: Callable[[], Batch], paths: Sequence[Path], home: Path, warn: Callable[[str], None]
) -> Tally:
    """Run a batch as a Prefect flow, quietly.

    Args:
        open_batch: Loads the models and hands over the batch.
        paths: What was asked for, as the flow run's parameter.
        home: ``PREFECT_HOME`` of our own server, where no ``PREFECT_API_URL`` is set.
        warn: Told, in a sentence, when the batch has to go on without Prefect.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    with quiet_prefect(home) as server:
        batch = open_batch()
        if batch.flow.runner == "thread":
            batch.warm_up()  # while the server starts; workers load their own
        trouble = _run(batch, [str(path) for path in paths], server)
    if batch.left:
        warn(f"{trouble or 'the Prefect run ended early'}; going on without Prefect")
        return run_batch(batch)
    return batch.tally


def _run(batch: Batch, paths: list[str], server: OwnServer | None) -> str:
    """Run the flow; a sentence when it was Prefect that failed, "" when all went well."""
    try:
        if server is not None:
            server.ready()
    except MachineError as error:
        return error.message
    from flows.batch import run_handed_over  # prefect reads the environment when it is imported

    try:
        run_handed_over(batch, paths)
    except CallQAError:
        raise
    except Exception as error:
        return f"Prefect failed ({type(error).__name__})"
    return ""
