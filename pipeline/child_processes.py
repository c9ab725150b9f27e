"""How many processes there can be; and they end with the process that started them, even when it is killed.

A killed parent cannot tell its workers to stop, and siblings hold each other's pipes open, so that
each would wait for work for ever, with its models in memory.
"""

from __future__ import annotations

import os
import subprocess
import threading
from multiprocessing import connection, parent_process


def cores() -> int:
    """Cores this process may use: containers and ``taskset`` give fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def leave_with_parent() -> None:
    """From now on, end this process as soon as its parent has; a main process has none."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # nothing to save: only the parent writes

    threading.Thread(target=watch, name="parent", daemon=True).start()


def end_with_this_process(pid: int) -> None:
    """Have a Prefect server, which knows no parent, end when this process has, on Linux.

    A shell waits for the end of a pipe that only this process holds open. It looks at the command line first:
    the server may have ended long ago, and its number have been given to another process.
    """
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        return
    script = 'read -r _; grep -qs prefect "/proc/$0/cmdline" && kill "$0"'
    waiting = subprocess.Popen(  # noqa: S603 - a fixed script and a number
        ["/bin/sh", "-c", script, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _watched.append(waiting)


_watched: list[subprocess.Popen[bytes]] = []
