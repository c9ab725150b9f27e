"""The process of our own Prefect server: ready when told, found by later runs, gone when nobody needs it.

    import ─▶ "serve" on standard input ─▶ port on standard output ─▶ parent and guests end ─▶ idle ─▶ exit

Standard input is the parent. When it closes, the server leaves in order, unless the parent's last word
was for how many seconds to wait for the next run. Guests come in by the door (``doors.py``). At most one
server of a user waits for work: one that waits leaves when a newer one has come, and with its home.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import importlib
import json
import os
import socket
import sys
import threading
import time
from pathlib import Path
from typing import Any

from flows import doors, tables
from flows.server import LOG, STOP_TIMEOUT_S, WITH_SCHEDULES

LOOK_EVERY_S = 0.5
Mark = tuple[int, int]
NO_MARK: Mark = (0, 0)


def main(mode: str, home: str) -> None:
    """Import, wait to be told, serve until nobody needs it."""
    gc.disable()  # a fifth of the time of an import that makes thousands of classes
    with contextlib.suppress(Exception):  # said below, when there is a log to say it in
        importlib.import_module("prefect.server.api.server")
    gc.enable()
    if not os.read(sys.stdin.fileno(), 6):  # unbuffered: what follows is read elsewhere
        return
    os.umask(0o077)
    os.dup2(os.open(Path(home) / LOG, os.O_WRONLY | os.O_TRUNC), sys.stderr.fileno())
    with contextlib.suppress(OSError):  # Prefect says it better
        tables.lay(Path(home))
    asyncio.run(Server(mode, Path(home)).run())


class Server:
    """Prefect's app behind uvicorn, its parent and its guests."""

    def __init__(self, mode: str, home: Path) -> None:
        import uvicorn
        from prefect.server.api.server import create_app

        self._home = home
        self._schedules = mode == WITH_SCHEDULES
        # Its protocol named, asyncio does not hold answers back for an ACK: 40 ms each.
        self._listener = socket.socket(proto=socket.IPPROTO_TCP)
        self._listener.bind(("127.0.0.1", 0))
        app: Any = create_app(ephemeral=not self._schedules, final=True)
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="error", lifespan="on"))
        self._guests = 0
        self._needed_at = 0.0

    async def run(self) -> None:
        """Serve until nobody needs it, then forget what ended long ago."""
        serving = asyncio.create_task(self._server.serve(sockets=[self._listener]))
        while not self._server.started:
            if serving.done():  # the log says why
                return
            await asyncio.sleep(0.01)
        unneeded = asyncio.create_task(self._unneeded())
        await asyncio.wait({serving, unneeded}, return_when=asyncio.FIRST_COMPLETED)
        unneeded.cancel()
        self._server.should_exit = True
        late = threading.Timer(STOP_TIMEOUT_S - 2, os._exit, [0])
        late.daemon = True
        late.start()  # a client that keeps its connection open must not keep us
        await serving
        if not self._schedules:  # a server with schedules does it every hour
            await _forget_old_runs()

    async def _unneeded(self) -> None:
        """Tell the parent the port and let guests in; return when nobody needs the server any more."""
        parent = await _parent()
        door, mark = await self._open_door()
        print(self._listener.getsockname()[1], flush=True)
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nobody reads on
        if hasattr(os, "nice"):
            os.nice(10)  # what it writes down can wait, the engine cannot
        wait_s = float(await parent.read() or 0)
        self._needed_at = time.monotonic()
        while self._guests or (time.monotonic() - self._needed_at < wait_s and self._is_newest(mark)):
            await asyncio.sleep(LOOK_EVERY_S)
        if _mark(door) == mark:
            door.unlink(missing_ok=True)

    async def _open_door(self) -> tuple[Path, Mark]:
        """The door and what tells it from another's; none where the system has no such sockets."""
        path = doors.door(self._home)
        with contextlib.suppress(OSError, AttributeError):
            doors.make_folder()
            path.unlink(missing_ok=True)
            await asyncio.start_unix_server(self._admit, path)
        return path, _mark(path)

    async def _admit(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Tell who comes in what a client needs; who asks us to stay is a guest until it hangs up."""
        told = {
            "url": f"http://127.0.0.1:{self._listener.getsockname()[1]}/api",
            "auth": os.environ["PREFECT_API_AUTH_STRING"],
            "home": str(self._home),
            "pid": os.getpid(),
            "made_by": doors.made_by(),
        }
        self._guests += 1
        try:
            writer.write(json.dumps(told).encode() + b"\n")
            with contextlib.suppress(ConnectionError):
                if await reader.readline():
                    await reader.read()  # nothing, until it hangs up
                    self._needed_at = time.monotonic()
        finally:
            self._guests -= 1
            writer.close()

    def _is_newest(self, mark: Mark) -> bool:
        """Whether no other server has come since, and our home is still there."""
        newest = max((_mark(door) for door in doors.folder().glob("*.sock")), default=NO_MARK)
        return newest == mark != NO_MARK and self._home.is_dir()


async def _parent() -> asyncio.StreamReader:
    """Standard input, which ends when the parent does."""
    reader = asyncio.StreamReader()
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    return reader


def _mark(door: Path) -> Mark:
    with contextlib.suppress(OSError):
        found = door.stat()
        return found.st_mtime_ns, found.st_ino
    return NO_MARK


async def _forget_old_runs() -> None:
    from prefect.server.database import provide_database_interface
    from prefect.server.services.db_vacuum import vacuum_old_flow_runs

    await vacuum_old_flow_runs(db=provide_database_interface())


if __name__ == "__main__":
    main(*sys.argv[1:])
