"""callqa's own Prefect server: a child process that is quiet, private and never outlives its parent.

``callqa run`` needs an API for its flow run. When ``PREFECT_API_URL`` names the user's server, that
one is used untouched. Otherwise this module starts a server on a free loopback port, with its own
``PREFECT_HOME`` (so the history of runs stays beside the database), a password made for this run,
no telemetry, and everything it prints in ``<home>/server.log``.

Importing Prefect's server takes seconds, so the child starts before the parent knows whether there
is anything to do, and touches nothing until a line on its standard input tells it to serve. When the
parent ends, by whatever means, that pipe closes and the server shuts down in order. The parent half
imports only the standard library, because Prefect reads its settings from the environment when it is
first imported.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import os
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

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
    """A Prefect server child: ``start`` and ``serve`` return at once, ``ready`` waits until it answers."""

    def __init__(self, home: Path, *, schedules: bool = False) -> None:
        self.home = home.resolve()
        self._mode = WITH_SCHEDULES if schedules else "one-run"
        self._process: subprocess.Popen[bytes] | None = None
        self._serving = False

    def start(self) -> None:
        """Spawn the child, which imports Prefect and waits; nothing is written."""
        password = f"callqa:{secrets.token_urlsafe(24)}"
        os.environ.update({"PREFECT_HOME": str(self.home), "PREFECT_API_AUTH_STRING": password})
        os.environ.setdefault("PREFECT_CLIENT_MAX_RETRIES", "1")  # a child that is gone does not come back
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "flows.server", self._mode, str(self.home / LOG)],
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
        if self._serving:
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
        assert self._process is not None
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):  # dead already: ready() says so
            self._process.stdin.write(b"serve\n")
            self._process.stdin.flush()
        self._serving = True

    def ready(self) -> None:
        """Wait for the server and point ``PREFECT_API_URL`` at it.

        Raises:
            MachineError: The home cannot be written; the server ended or did not answer in time.
        """
        self.serve()
        assert self._process is not None
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
        """Let the child record what it has received, and end it."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        if not self._serving:
            self._process.kill()
        with contextlib.suppress(OSError):
            self._process.stdin.close()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


@contextlib.contextmanager
def quiet_prefect(home: Path, *, schedules: bool = False) -> Iterator[OwnServer | None]:
    """Prefect's environment for the length of a batch: the user's server, or our own.

    Args:
        home: ``PREFECT_HOME`` of our own server; made when missing, readable by its owner only.
        schedules: Whether our own server starts runs when they are due.

    Yields:
        The server being started, or None when ``PREFECT_API_URL`` names the user's.
    """
    before = dict(os.environ)
    for key, value in QUIET.items():
        os.environ.setdefault(key, value)
    server = None if os.environ.get("PREFECT_API_URL") else OwnServer(home, schedules=schedules)
    try:
        if server is not None:
            server.start()
        yield server
    finally:
        if server is not None:
            server.stop()
        os.environ.clear()
        os.environ.update(before)


def serve_until_orphaned(mode: str, log: str) -> None:
    """The child: import, wait to be told, serve on a free loopback port, leave when standard input closes."""
    gc.disable()  # a fifth of the time of an import that makes thousands of classes
    with contextlib.suppress(Exception):  # said below, when there is a log to say it in
        importlib.import_module("prefect.server.api.server")
    gc.enable()
    if not sys.stdin.buffer.readline():
        return
    os.dup2(os.open(log, os.O_WRONLY | os.O_TRUNC), sys.stderr.fileno())
    import uvicorn
    from prefect.server.api.server import create_app

    os.umask(0o077)
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    app: Any = create_app(ephemeral=mode != WITH_SCHEDULES, final=True)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
    threading.Thread(target=_announce, args=(server, listener.getsockname()[1]), daemon=True).start()
    threading.Thread(target=_watch_parent, args=(server,), daemon=True).start()
    server.run(sockets=[listener])
    if mode != WITH_SCHEDULES:  # a server that stays does it every hour
        asyncio.run(_forget_old_runs())


async def _forget_old_runs() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.services.db_vacuum import vacuum_old_flow_runs

    await vacuum_old_flow_runs(db=provide_database_interface())


def _announce(server: Any, port: int) -> None:
    while not server.started:
        time.sleep(0.01)
    sys.stdout.write(f"{port}\n")
    sys.stdout.flush()


def _watch_parent(server: Any) -> None:
    sys.stdin.buffer.read()
    server.should_exit = True
    time.sleep(STOP_TIMEOUT_S - 2)
    os._exit(0)  # a client that keeps its socket open must not keep us


if __name__ == "__main__":
    serve_until_orphaned(*sys.argv[1:])
