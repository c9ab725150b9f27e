"""Settings of the Python interpreter for the whole process; the context managers restore them on leaving.

Torch's threads and the memory allocator are set by ``transcribe``.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.00005
"""How long a thread may keep Python's global lock while another waits. The engine releases the lock thousands
of times; with Python's default of 5 ms, each second of other Python code delayed it by a second or two."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Collect garbage rarely: by default a fifth of the start is spent on collections during imports."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 5, 5)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def no_collections() -> Iterator[None]:
    """Switch garbage collection off: a chunk of stored calls is a million objects without a cycle."""
    was = gc.isenabled()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.unfreeze()
        if was:
            gc.enable()


def no_collection_at_exit() -> None:
    """Keep the last collection, at the end of the process, from scanning all objects, which took 2 s."""
    gc.freeze()


@contextmanager
def quick_switches() -> Iterator[None]:
    """Give Python's global lock at once to the thread that calls the engine."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def without_torch() -> Iterator[None]:
    """Hide torch from imports: spaCy would load it, which takes a second and 180 MB and is not needed."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torch"]
