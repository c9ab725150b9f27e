"""Two processes on a machine whose pace keeps changing take turns, so that both see the same of it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time

from bench.memory import family

TURN_S = 0.5


class Timed:
    """A process and those it starts, which are stopped and go on together; a context manager.

    Attributes:
        at_s: When it last wrote an event to stderr, in seconds of its own in which it was not stopped.
    """

    def __init__(self, arguments: list[str], env: dict[str, str]) -> None:
        self.at_s: dict[str, float] = {}
        self._ran_s, self._since = 0.0, time.monotonic()
        self._process = subprocess.Popen(
            [sys.executable, *arguments],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def __enter__(self) -> Timed:
        return self

    def __exit__(self, *_: object) -> None:
        self._signal(signal.SIGKILL)
        self._process.wait()
        self._reader.join()

    @property
    def works(self) -> bool:
        """Whether it has not ended; when it has, that was in order."""
        assert not self._process.poll()
        return self._process.returncode is None

    def wait_for(self, event: str) -> None:
        """Let it run until it has written an event."""
        while self.works and event not in self.at_s:
            time.sleep(0.01)

    def stop(self) -> None:
        """Give the machine to somebody else."""
        self._ran_s, self._since = self._now_s(), float("inf")
        self._signal(signal.SIGSTOP)

    def go_on(self, seconds: float) -> None:
        """Run for so long, or to the end."""
        self._since = min(self._since, time.monotonic())
        self._signal(signal.SIGCONT)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(seconds)

    def _now_s(self) -> float:
        return self._ran_s + max(0.0, time.monotonic() - self._since)

    def _signal(self, number: int) -> None:
        for pid in (self._process.pid, *descendants(self._process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _read(self) -> None:
        for line in self._process.stderr:
            self.at_s[json.loads(line)["event"]] = self._now_s()


def in_turns(first: Timed, second: Timed) -> None:
    """Run both to their end, one stopped while the other works."""
    works, waits = first, second
    while first.works or second.works:
        waits.stop()
        works.go_on(TURN_S)
        works, waits = waits, works


def descendants(pid: int) -> list[int]:
    """The processes below one."""
    return [int(below) for below in family(str(pid))][1:]
