"""Runs the batch on a schedule in one process that stays, for ``callqa serve``.

One machine needs nothing else. For work pools and several machines, ``prefect.yaml`` deploys the same flows.
"""

from __future__ import annotations

import datetime as dt
import os
import re
import warnings
import zoneinfo
from pathlib import Path
from typing import Any

from flows.environment import prefect_server, quiet_prefect
from pipeline.errors import MachineError, UsageError
from pipeline.process.cache import digest


def serve_batch(
    paths: list[Path], settings: dict[str, Any], config: Path | None, cron: str, timezone: str
) -> None:
    """Run the batch on ``paths`` at the times of a schedule, until the process is stopped.

    ``cron`` and ``timezone`` have passed ``check_schedule``. Summer time of the zone is respected.

    Raises:
        MachineError: The server did not start, or does not answer.
    """
    warnings.filterwarnings("ignore", "coroutine 'Runner.astop'")  # Prefect warns of this on SIGTERM
    with quiet_prefect(), prefect_server() as wait_for_server:
        wait_for_server()
        import httpx
        from prefect.schedules import Cron

        from flows.batch import batch

        parameters = {"paths": [str(path.absolute()) for path in paths], "settings": settings}
        if config is not None:
            parameters["config"] = str(config.absolute())
        # pause_on_shutdown: a schedule paused at the end of this process would stay paused after a restart.
        try:
            batch.serve(
                name=deployment_name(parameters),
                schedule=Cron(cron, timezone=timezone),
                parameters=parameters,
                pause_on_shutdown=False,
                print_starting_message=False,
                limit=1,
            )
        except httpx.HTTPError as error:
            said = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise MachineError(
                f"Prefect's server at {os.environ['PREFECT_API_URL']} does not take the schedule: {said}",
                hint="check PREFECT_API_URL and its key; without it callqa starts a server of its own",
            ) from error


def deployment_name(parameters: dict[str, Any]) -> str:
    """A name for Prefect, one for each set of parameters and folder, whose ``callqa.toml`` may be read.

    Under one name for all, a second ``callqa serve`` on the machine would give the first one its own paths
    and database, and one started again with another database would begin with missed runs into the old one.
    """
    return f"callqa-nightly-{digest(parameters, Path.cwd())[:8]}"


def check_schedule(cron: str, timezone: str) -> None:
    """Check a schedule before anything is started.

    Raises:
        UsageError: It is not five cron fields, or the zone is not known.
    """
    from cronsim import CronSim, CronSimError

    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(f"no time zone {timezone}", hint="an IANA name such as Asia/Karachi") from error
    wrong = UsageError(
        f"{cron!r} is not a schedule", hint='five cron fields, e.g. "0 2 * * *" for 02:00 every night'
    )
    # CronSim takes more than Prefect: seconds, and the last weekday of a month.
    if len(cron.split()) != 5 or re.search(r"LW|\dL", cron, re.IGNORECASE):
        raise wrong
    try:
        next(CronSim(cron, dt.datetime.now(zoneinfo.ZoneInfo(timezone))))
    except (CronSimError, StopIteration) as error:
        raise wrong from error
