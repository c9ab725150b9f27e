"""Worker processes end with the process that started them.

A killed parent cannot tell its workers to stop, and siblings hold each other's pipes open, so that
each would wait for work for ever, with its models in memory.
"""

from __future__ import annotations

import os
import threading
from multiprocessing import connection, parent_process


def leave_with_parent() -> None:
    """From now on, end this process as soon as its parent has; a main process has none."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)  # nothing to save: only the parent writes

    threading.Thread(target=watch, name="parent", daemon=True).start()
