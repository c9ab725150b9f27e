"""Files of the next window are opened while the engine transcribes this one, or loads.

One thread beside an engine that has every core at work; what it holds is bounded by ``PREFETCH_BYTES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from pipeline.conversation import Received
from pipeline.process.state import CallState

PREFETCH_BYTES = 128 * 2**20
"""A quarter of an hour of two channels; what is longer is opened when its window comes."""
Window = tuple[Received, ...]


class Prefetch:
    """The windows of a batch in order, each with its files, opened already as far as there was time.

    The first is opened from the beginning. A context manager: leaving it ends the opening after the file
    it is at.

    Args:
        windows: In order.
        open_one: Opens a file.
    """

    def __init__(self, windows: Sequence[Window], open_one: Callable[[Received], CallState]) -> None:
        self._windows, self._open_one = windows, open_one
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._wanted = True
        self._opening = self._thread.submit(self._open, next(iter(windows), ()))

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        self._thread.shutdown()

    def __iter__(self) -> Iterator[tuple[Window, list[Received | CallState]]]:
        for window, following in pairwise([*self._windows, ()]):
            self._wanted = False
            files = self._opening.result()
            self._wanted = True
            self._opening = self._thread.submit(self._open, following)
            yield window, files

    def _open(self, window: Window) -> list[Received | CallState]:
        """A window with as many files opened as there is time for; a fault is left to the next try."""
        files: list[Received | CallState] = list(window)
        n_bytes = 0
        for place, item in enumerate(window):
            if not self._wanted or n_bytes >= PREFETCH_BYTES:
                break
            try:
                opened = self._open_one(item)
            except Exception:  # noqa: S112
                continue
            files[place] = opened
            n_bytes += opened.sound_bytes
        return files
