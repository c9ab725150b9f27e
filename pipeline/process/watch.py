"""Watches drop folders: new recordings are processed once they have stopped growing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.errors import StoreLockedError
from pipeline.process.batch import Observer, Plan, Tally
from pipeline.process.loop import run_batch
from pipeline.process.prepare import prepare
from pipeline.process.stages import Stages
from pipeline.settings import Settings
from pipeline.store.connection import OnWait

Files = dict[Path, tuple[int, int]]
"""The size in bytes and the modification time in nanoseconds of each file."""


def watch(
    folders: Sequence[Path],
    settings: Settings,
    observer: Observer,
    *,
    settle_s: float,
    every_s: float,
    on_wait: OnWait | None = None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[Tally]:
    """Process new files in the folders, for ever; models stay loaded.

    The folders are looked through every ``every_s``. A file is processed once it has not changed for
    ``settle_s``, as it may still be being copied. A round that finds the database locked for too long is
    tried again, after a sentence to ``on_wait``.

    Yields:
        The tally of each round that had something to do.

    Raises:
        CallQAError: As a batch does, except for a locked database.
    """
    tried: Files = {}
    seen: dict[Path, tuple[tuple[int, int], float]] = {}  # each file's mark and since when it has it
    stages: Stages | None = None
    own = {path.resolve() for path in settings.own_paths}
    while True:
        now, settled_ns = clock(), time.time_ns() - settle_s * 1e9
        files = _files(folders, own)
        seen = {
            path: seen[path] if seen.get(path, ())[:1] == (mark,) else (mark, now)
            for path, mark in files.items()
        }
        settled = {
            path: mark
            for path, (mark, since) in seen.items()
            # a clock that is ahead, here or on the telephone system, must not keep a file waiting
            if mark[1] <= settled_ns or now - since >= settle_s
        }
        if any(tried.get(path) != mark for path, mark in settled.items()):
            tried = settled
            try:
                batch = prepare(list(folders), settings, observer, on_wait)
                # files that are still being written are left for a later round
                batch.plan = Plan(tuple(item for item in batch.plan.pending if item.path in settled))
                if batch.plan.pending:
                    if stages is not None:
                        batch.stages = stages
                    tally = run_batch(batch)
                    stages = batch.stages
                    yield tally
            except StoreLockedError as error:
                tried = {}
                if on_wait is not None:
                    on_wait(f"{error.message}; trying again")
        sleep(every_s)


def _files(folders: Sequence[Path], own: set[Path]) -> Files:
    """All files in the folders but callqa's ``own``; one that disappears meanwhile is left out."""
    found: Files = {}
    for folder in (Path(os.path.abspath(folder)) for folder in folders):  # noqa: PTH100 - as intake names them
        resolved = folder.resolve()
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            place = resolved / path.relative_to(folder)
            if not own.isdisjoint((place, *place.parents)):
                continue
            try:
                stat = path.stat()
            except OSError:
                continue
            if path.is_file():
                found[path] = (stat.st_size, stat.st_mtime_ns)
    return found
