"""The next window's files, opened while the engine is at this one, or loads: it finds the sound ready.

One thread beside an engine that has every core at work; what it holds is bounded by ``AHEAD_BYTES``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from types import TracebackType

from pipeline.conversation import Received
from pipeline.process.calls import Opened, Sound

AHEAD_BYTES = 256 * 2**20
"""Half an hour of two channels; of longer recordings some are opened when their window comes."""
Window = tuple[Received, ...]


class Ahead:
    """The windows of a batch in order, each with what has been opened of it already, by ``id``.

    The first is opened from the beginning. A context manager: leaving it ends the opening after the file
    it is at.

    Args:
        windows: In order.
        open_one: Opens a file.
    """

    def __init__(self, windows: Sequence[Window], open_one: Callable[[Received], Opened]) -> None:
        self._windows, self._open_one = windows, open_one
        self._thread = ThreadPoolExecutor(1, "ahead")
        self._wanted = True
        self._opening = self._thread.submit(self._open, next(iter(windows), ()))

    def __enter__(self) -> Ahead:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._wanted = False
        self._thread.shutdown()

    def __iter__(self) -> Iterator[tuple[Window, Mapping[int, Opened]]]:
        for window, following in pairwise([*self._windows, ()]):
            self._wanted = False
            ready = self._opening.result()
            self._wanted = True
            self._opening = self._thread.submit(self._open, following)
            yield window, ready

    def _open(self, window: Window) -> dict[int, Opened]:
        """As much of a window as is wanted in time; a fault is left to whoever asks for the file again."""
        ready: dict[int, Opened] = {}
        n_bytes = 0
        for item in window:
            if not self._wanted or n_bytes >= AHEAD_BYTES:
                break
            try:
                opened = self._open_one(item)
            except Exception:  # noqa: S112
                continue
            ready[id(item)] = opened
            n_bytes += opened.clip.samples.nbytes if isinstance(opened, Sound) else 0
        return ready
