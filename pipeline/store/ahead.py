"""Rows of the windows to come, built while the database commits: then it does without Python."""

from __future__ import annotations

import datetime as dt
import gc
import sys
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from pipeline.conversation import CallRecord
from pipeline.store.connection import Connection
from pipeline.store.load import Rows, settle, tables

AHEAD = 4  # windows: what is built during a checkpoint serves the short commits after it
SWITCH_S = 0.0005  # a COMMIT that has ended waits no longer for Python's lock; its 5 ms cost 6 % of the rate


class Ahead:
    """Builds windows in their order, a table at a time, between ``start`` and ``stop``.

    Beside inserts it would only get in their way: those need Python's lock again and again.

    Args:
        connection: Asked for the types of tables it has not been asked for yet.
        windows: For a database that holds none of their calls.
    """

    def __init__(self, connection: Connection, windows: Iterable[Sequence[CallRecord]]) -> None:
        self._ready: deque[Rows] = deque()
        self._steps = self._build(connection, windows)
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()

    def _build(self, connection: Connection, windows: Iterable[Sequence[CallRecord]]) -> Iterator[bool]:
        for window in windows:
            try:
                records = settle(window, dt.datetime.now(dt.UTC))
                made = {}
                for table, rows in tables(connection, records):
                    made[table] = rows
                    yield True
            except Exception:  # raised again, and said, when the window is loaded
                return
            self._ready.append(Rows(records, made))

    def take(self) -> Rows | None:
        """The next window; None where it cannot be built."""
        while not self._ready and next(self._steps, False):
            pass
        return self._ready.popleft() if self._ready else None

    def start(self) -> None:
        """Build in another thread from now on."""
        self._stopped.clear()
        self._thread = threading.Thread(target=self._work, name="rows")
        self._thread.start()

    def stop(self) -> None:
        """Leave off after the table being built."""
        if self._thread is not None:
            self._stopped.set()
            self._thread.join()
            self._thread = None

    def _work(self) -> None:
        while not self._stopped.is_set() and len(self._ready) < AHEAD and next(self._steps, False):
            pass


@contextmanager
def in_bulk() -> Iterator[None]:
    """Python without its collector, which would look for cycles among rows, and quick to change threads."""
    collects, switch_s = gc.isenabled(), sys.getswitchinterval()
    gc.disable()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(switch_s)
        if collects:
            gc.enable()
