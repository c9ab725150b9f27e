"""Settings of the Python interpreter that hold for the whole process; what is not for its end is put back.

Torch's threads and the allocator are set by ``transcribe``, which alone knows them.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.00005
"""How long a thread may keep Python's lock from another. The engine lets go of it at each of thousands of
steps; with Python's own 5 ms, every second of Python beside it held it up for a second or two."""


@contextmanager
def few_collections() -> Iterator[None]:
    """Look for reference cycles seldom: by default a fifth of a start goes into looking among imports."""
    before = gc.get_threshold()
    gc.set_threshold(50_000, 5, 5)
    try:
        yield
    finally:
        gc.set_threshold(*before)


@contextmanager
def no_collections() -> Iterator[None]:
    """Do not look for reference cycles: a window of stored calls is a million objects without any."""
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
    """Let the end of the process look for reference cycles in nothing: it took two seconds of a run."""
    gc.freeze()


@contextmanager
def quick_switches() -> Iterator[None]:
    """Let the thread that feeds the engine have Python's lock as soon as it asks for it."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        yield
    finally:
        sys.setswitchinterval(before)


@contextmanager
def without_torch() -> Iterator[None]:
    """Import as where torch is not installed: spaCy would load it, a second and 180 MB for nothing."""
    if "torch" in sys.modules:
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torch"]
