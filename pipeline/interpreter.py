"""Settings of the whole process: garbage collection, switching of threads, NumPy's threads, memory.

The context managers restore them on leaving; the functions set them until the process ends.
Torch's threads are set by ``transcribe``.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

SWITCH_S = 0.00005
"""How long a thread may keep Python's global lock while another waits. The engine releases the lock thousands
of times; with Python's default of 5 ms, each second of other Python code delayed it by a second or two."""
M_ARENA_MAX = -8  # of glibc's malloc.h
TRIM_S = 1.0


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
    """Hide torch while spaCy is imported: spaCy would load it, which takes two seconds and 180 MB.

    It needs it for nothing here, and neither does a batch of transcripts. Once spaCy is imported nothing is
    hidden, since the engine may be importing torch in another thread.
    """
    if not {"torch", "spacy"}.isdisjoint(sys.modules):
        yield
        return
    sys.modules["torch"] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        del sys.modules["torch"]


def one_blas_thread() -> None:
    """Make NumPy's products use one thread: its threads slow others that work at the same time."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(1, user_api="blas")


def few_arenas() -> None:
    """Limit glibc's allocator to two arenas instead of eight per core; does nothing without glibc.

    With an arena per thread, memory is fragmented by long-lived blocks, and the peak of a long batch was a
    fifth higher. The speed is the same.
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


@contextmanager
def free_memory_returned() -> Iterator[None]:
    """Return the free memory that glibc's allocator holds to the system, once a second and at the end.

    What one batch of windows leaves lies in pieces of which the next batch's large blocks cannot be made. A
    run of 25 one-channel calls full of speech takes 2,160 MiB with it, 2,310 every two seconds, and took
    2,610 without. Twice a second made transcription 3 % slower, every two seconds not at all.
    """
    over = threading.Event()

    def repeat() -> None:
        while not over.wait(TRIM_S):
            _trim()

    thread = threading.Thread(target=repeat, name="trim", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
        _trim()


def _trim() -> None:
    with contextlib.suppress(AttributeError, OSError, TypeError):  # without glibc
        ctypes.CDLL(None).malloc_trim(0)
