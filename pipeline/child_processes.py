"""Counts the cores for child processes, and ends child processes with their parent, even when it is killed.

A killed parent cannot tell its workers to stop. And as workers hold each other's pipes open, each would wait
for work for ever, with its models in memory.
"""

from __future__ import annotations

import os
import subprocess
import threading
from multiprocessing import connection, parent_process


def cores() -> int:
    """Number of cores this process may use; in containers or under ``taskset`` fewer than the machine has."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def exit_with_parent() -> None:
    """End this process as soon as its parent process ends; does nothing in a main process."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # at once: there is nothing to save, as only the parent writes

    threading.Thread(target=watch, name="parent", daemon=True).start()


def end_with_this_process(pid: int) -> None:
    """End a Prefect server when this process ends (Linux only).

    A shell waits for the end of a pipe that only this process holds open, and then kills the server. It first
    checks the command line: the server may have ended long ago, and another process may have its id.
    """
    if not os.path.isdir("/proc/self"):  # noqa: PTH112
        return
    script = 'read -r _; grep -qs prefect "/proc/$0/cmdline" && kill "$0"'
    shell = subprocess.Popen(  # noqa: S603 - a fixed script and a number
        ["/bin/sh", "-c", script, str(pid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    _shells.append(shell)


_shells: list[subprocess.Popen[bytes]] = []
"""Kept so that their pipes stay open until this process ends."""
