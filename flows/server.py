"""callqa's own Prefect server, seen from the run that needs it: found or started, quiet and private.

``callqa run`` needs an API for its flow run. When ``PREFECT_API_URL`` names the user's server, that
one is used untouched. Otherwise a server of our own on a free loopback port, with its own
``PREFECT_HOME`` (so the history of runs stays beside the database), a password of its own, no
telemetry, and everything it prints in ``<home>/server.log``: the one an earlier run or ``callqa
serve`` has there (``doors.py``), or a new child process (``server_process.py``).

Importing Prefect's server takes seconds, so a child starts before the parent knows whether there
is anything to do, and touches nothing until a line on its standard input tells it to serve. When the
parent is killed, that pipe closes and the server shuts down in order; a parent that ends in order lets
it wait for the next run. This half imports only the standard library, because Prefect reads its
settings from the environment when it is first imported.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from flows import doors
from pipeline.errors import MachineError

# What makes Prefect quiet and private, wherever it runs. The user's own environment wins.
QUIET = {
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "PREFECT_CLI_PROMPT": "false",
    # A worker whose parent was killed must not start a server of Prefect's own in its place.
    "PREFECT_SERVER_ALLOW_EPHEMERAL_MODE": "false",
    "PREFECT_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_INTERNAL_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    "DASK_LOGGING__DISTRIBUTED": "critical",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
}
# Our own server needs no block types and no automations, and forgets what ended a month ago.
LEAN = {
    "PREFECT_UI_ENABLED": "false",
    "PREFECT_SERVER_UI_ENABLED": "false",
    "PREFECT_API_BLOCKS_REGISTER_ON_START": "false",
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    "PREFECT_SERVER_EVENTS_RETENTION_PERIOD": "P30D",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "true",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "P30D",
}
START_TIMEOUT_S = 120.0
STOP_TIMEOUT_S = 15.0
WITH_SCHEDULES = "with-schedules"
LOG = "server.log"


class OwnServer:
    """A Prefect server of ours: ``start`` and ``serve`` return at once, ``ready`` waits until it answers.

    Args:
        home: Its ``PREFECT_HOME``.
        schedules: Whether it starts runs when they are due; always a server of its own.
        wait_s: How long it waits for the next run when this one has ended.
    """

    def __init__(self, home: Path, *, schedules: bool = False, wait_s: float = 0.0) -> None:
        self.home = home.resolve()
        self._schedules = schedules
        self._wait_s = wait_s
        self._door: socket.socket | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._serving = False

    def start(self) -> None:
        """Find a server, or spawn a child, which imports Prefect and waits; nothing is written."""
        os.environ["PREFECT_HOME"] = str(self.home)
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "1")  # a server that is gone does not come back
        if not self._schedules and (found := doors.enter(self.home)):
            self._door, told = found
            os.environ.update({"PREFECT_API_AUTH_STRING": told["auth"], "PREFECT_API_URL": told["url"]})
            return
        password = f"callqa:{secrets.token_urlsafe(24)}"
        os.environ["PREFECT_API_AUTH_STRING"] = password
        mode = WITH_SCHEDULES if self._schedules else "one-run"
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "flows.server_process", mode, str(self.home)],
            cwd=Path(__file__).parents[1],  # found by -m; and no prefect.toml of the user's folder
            env={**LEAN, **os.environ, "PREFECT_SERVER_API_AUTH_STRING": password},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C is for the parent; the child leaves when told to
        )

    def serve(self) -> None:
        """Let the child serve, so that it gets ready while the caller loads models.

        Raises:
            MachineError: The home cannot be written.
        """
        if self._serving or self._process is None:
            return
        try:
            self.home.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.home.chmod(0o700)
            (self.home / LOG).touch(0o600)
        except OSError as error:
            raise MachineError(
                f"cannot write {self.home}: {error.strerror}",
                hint="free some space or give another place with [flow] state_dir; --local needs none",
            ) from error
        self._tell(b"serve\n")
        self._serving = True

    def ready(self) -> None:
        """Wait for the server and point ``PREFECT_API_URL`` at it.

        Raises:
            MachineError: The home cannot be written; the server ended or did not answer in time.
        """
        self.serve()
        if self._process is None:
            return
        assert self._process.stdout is not None
        late = threading.Timer(START_TIMEOUT_S, self._process.kill)
        late.start()
        port = self._process.stdout.readline().strip()
        late.cancel()
        if not port.isdigit():
            raise MachineError(
                "Prefect's server did not start",
                hint=f"see {self.home / LOG}; the same batch runs without Prefect with --local",
            )
        os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{int(port)}/api"

    def stop(self) -> None:
        """Leave the server to the next run, or let it record what it has received and end it."""
        if self._door is not None:
            self._door.close()
        if self._process is None:
            return
        assert self._process.stdin is not None
        if not self._serving:
            self._process.kill()
        elif self._wait_s:
            self._tell(f"{self._wait_s}\n".encode())
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        if self._serving and self._wait_s and self._process.poll() is None:
            return
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _tell(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # dead already: ready() says so
            self._process.stdin.write(line)
            self._process.stdin.flush()


@contextlib.contextmanager
def quiet_prefect(home: Path, *, schedules: bool = False, wait_s: float = 0.0) -> Iterator[OwnServer | None]:
    """Prefect's environment for the length of a batch: the user's server, or our own.

    Args:
        home: ``PREFECT_HOME`` of our own server; made when missing, readable by its owner only.
        schedules: Whether our own server starts runs when they are due.
        wait_s: How long our own server waits for the next run afterwards.

    Yields:
        The server being started, or None when ``PREFECT_API_URL`` names the user's.
    """
    before = dict(os.environ)
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    server = None
    if not os.environ.get("PREFECT_API_URL"):
        server = OwnServer(home, schedules=schedules, wait_s=wait_s)
    try:
        if server is not None:
            server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        os.environ.clear()
        os.environ.update(before)
