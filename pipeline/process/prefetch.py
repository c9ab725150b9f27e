"""Opens the files of the next group while the engine loads or transcribes the current one.

It uses one thread, because the engine keeps every core busy, and stops at ``PREFETCH_BYTES`` of audio.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

from pipeline.conversation import Received
from pipeline.process.state import CallState

PREFETCH_BYTES = 64 * 2**20
"""Nearly nine minutes of two channels; further files are opened when it is their group's turn."""
Group = tuple[Received, ...]
"""Files that are transcribed and loaded together; the setting ``flow.window`` says how many."""


class Prefetch:
    """Iterates over the groups of a batch, opening as many files of each ahead of time as there is time for.

    The first group's files are opened from the start. Leaving the context stops after the file in progress.
    """

    def __init__(self, groups: Sequence[Group], open_one: Callable[[Received], CallState]) -> None:
        self._groups, self._open_one = groups, open_one
        self._thread = ThreadPoolExecutor(1, "prefetch")
        self._wanted = True
        self._opening = self._thread.submit(self._open, next(iter(groups), ()))

    def __enter__(self) -> Prefetch:
        return self

    def __exit__(self, *_: object) -> None:
        self._wanted = False
        self._thread.shutdown()

    def __iter__(self) -> Iterator[tuple[Group, list[Received | CallState]]]:
        for group, following in pairwise([*self._groups, ()]):
            self._wanted = False
            files = self._opening.result()
            self._wanted = True
            self._opening = self._thread.submit(self._open, following)
            yield group, files

    def _open(self, group: Group) -> list[Received | CallState]:
        """Open as many files of a group as there is time for; one that fails is left to be opened later."""
        files: list[Received | CallState] = list(group)
        n_bytes = 0
        for place, item in enumerate(group):
            if not self._wanted or n_bytes >= PREFETCH_BYTES:
                break
            try:
                opened = self._open_one(item)
            except Exception:  # noqa: S112
                continue
            files[place] = opened
            n_bytes += opened.sound_bytes
        return files
