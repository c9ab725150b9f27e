"""Sets Prefect's environment variables, which make it quiet and private, and starts a server where needed.

Prefect reads its settings from the environment when it is first imported. So this module must run before
that, and does not import Prefect itself. Variables that the user has set are left as they are.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from pipeline.child_processes import end_with_this_process
from pipeline.errors import MachineError

QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_SERVER_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_CLIENT_MAX_RETRIES": "1",  # a server that has ended does not come back
}
# For a server that callqa starts: it deletes events and flow runs after a month.
OWN_SERVER = {
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P30D",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "P30D",
}
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0


@contextlib.contextmanager
def quiet_prefect() -> Iterator[None]:
    """Set Prefect's environment variables inside the context, for the user's server or for our own.

    Raises:
        MachineError: ``PREFECT_HOME`` cannot be created.
    """
    before = dict(os.environ)
    chosen = dict(QUIET)
    if not os.environ.get("PREFECT_API_URL"):
        password = f"callqa:{secrets.token_urlsafe(24)}"
        chosen |= {"PREFECT_SERVER_API_AUTH_STRING": password, "PREFECT_API_AUTH_STRING": password}
        chosen |= OWN_SERVER
        os.environ["PREFECT_HOME"] = str(_make_home())  # also where the user's value is empty
    for name, value in chosen.items():
        os.environ.setdefault(name, value)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _make_home() -> Path:
    """Create the folder for ``PREFECT_HOME``: one per user, so that Prefect creates its database only once.

    Only its owner can read it, because it holds file names and call ids.
    """
    try:
        state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
        place = Path(os.environ.get("PREFECT_HOME") or Path(state) / "callqa" / "prefect").absolute()
        place.mkdir(parents=True, exist_ok=True, mode=0o700)
    except (OSError, RuntimeError) as error:  # RuntimeError: the user has no home folder
        raise MachineError(
            f"cannot make Prefect's folder: {error}", hint="name another one in PREFECT_HOME"
        ) from error
    return place


@contextlib.contextmanager
def prefect_server() -> Iterator[Callable[[], None]]:
    """Run a Prefect server inside the context and set ``PREFECT_API_URL``, unless that names one already.

    It needs ``quiet_prefect``.

    Yields:
        A function that waits until the server answers; it raises ``MachineError`` when it does not start.
    """
    if os.environ.get("PREFECT_API_URL"):
        yield lambda: None
        return
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}/api"
    log = Path(os.environ["PREFECT_HOME"]) / f"server-{port}.log"
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and arguments
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,  # so that Ctrl-C reaches only this process, which then ends the server
        )
    answered = False

    def wait() -> None:
        nonlocal answered
        _wait_until_healthy(url, process, log)
        answered = True

    try:
        end_with_this_process(process.pid)
        os.environ["PREFECT_API_URL"] = url
        yield wait
    finally:
        if answered and process.poll() is None:  # else keep the log, which says why the server ended
            log.unlink(missing_ok=True)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_TIMEOUT_S
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{url}/health", timeout=2):  # noqa: S310
            return
        time.sleep(0.1)
    raise MachineError("Prefect's server did not start", hint=f"see {log}")
