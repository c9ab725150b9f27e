"""The nightly batch on a schedule, in one process that stays: ``callqa serve``.

For one machine this is all there is to run. With work pools and several machines, ``prefect.yaml``
holds the same flows as deployments.
"""

from __future__ import annotations

import warnings
import zoneinfo
from contextlib import nullcontext
from pathlib import Path
from typing import Any

from flows.environment import has_own_server, own_server, quiet_prefect
from pipeline.errors import UsageError


def serve_batch(
    paths: list[Path], settings: dict[str, Any], config: Path | None, cron: str, timezone: str
) -> None:
    """Run the batch whenever the schedule says, until stopped.

    Args:
        paths: What each batch looks through; made absolute.
        settings: Settings of the command line, by slice.
        config: A settings file.
        cron: Five fields: minute, hour, day, month, weekday.
        timezone: IANA zone the fields are meant in; summer time is respected.

    Raises:
        UsageError: The schedule or the zone is wrong.
        MachineError: The server did not start.
    """
    check_schedule(cron, timezone)
    warnings.filterwarnings("ignore", "coroutine 'Runner.astop'")  # Prefect's, on SIGTERM
    with quiet_prefect(), own_server() if has_own_server() else nullcontext() as answers:
        if answers is not None:
            answers()
        from prefect.schedules import Cron

        from flows.batch import batch

        parameters = {"paths": [str(path.absolute()) for path in paths], "settings": settings}
        if config is not None:
            parameters["config"] = str(config.absolute())
        # A schedule that pauses when this process stops would stay paused after a restart.
        batch.serve(
            name="callqa-nightly",
            schedule=Cron(cron, timezone=timezone),
            parameters=parameters,
            pause_on_shutdown=False,
            print_starting_message=False,
            limit=1,
        )


def check_schedule(cron: str, timezone: str) -> None:
    """Refuse a schedule before anything is started.

    Raises:
        UsageError: It is not five cron fields, or the zone is not known.
    """
    from cronsim import CronSim, CronSimError  # what Prefect itself reads schedules with

    try:
        zoneinfo.ZoneInfo(timezone)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError) as error:
        raise UsageError(f"no time zone {timezone}", hint="an IANA name such as Asia/Karachi") from error
    try:
        import datetime as dt

        next(CronSim(cron, dt.datetime.now(zoneinfo.ZoneInfo(timezone))))
    except (CronSimError, StopIteration) as error:
        raise UsageError(
            f"{cron!r} is not a schedule", hint='five cron fields, e.g. "0 2 * * *" for 02:00 every night'
        ) from error
