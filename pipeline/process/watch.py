"""Watches drop folders: new recordings are processed once they have stopped growing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.conversation import Received
from pipeline.errors import StoreLockedError, UsageError
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
    tried again, after a sentence to ``on_wait``; so is one that finds a manifest it cannot read, which may
    still be being copied too, once a file has changed or settled.

    Yields:
        The tally of each round that had something to do.

    Raises:
        CallQAError: As a batch does, except for a locked database and, after the first round or while a file
            is still being written, a ``UsageError``.
    """
    tried: Files = {}
    told: set[tuple[Path, str]] = set()  # what has no file of its own, as a manifest's row, comes up once
    seen: dict[Path, tuple[tuple[int, int], float]] = {}  # each file's mark and since when it has it
    stages: Stages | None = None
    own = {path.resolve() for path in settings.own_paths}
    checked = False
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
                checked = True
                batch.plan = Plan(tuple(_ready(batch.plan.pending, settled, told)))
                if batch.plan.pending:
                    if stages is not None:
                        batch.stages = stages
                    tally = run_batch(batch)
                    stages = batch.stages
                    yield tally
            except UsageError as error:
                if not checked and settled.keys() == files.keys():  # a setting or option is wrong
                    raise
                if on_wait is not None:
                    on_wait(
                        f"{error.message}; {error.hint or 'correct it'}; trying again when a file changes"
                    )
            except StoreLockedError as error:
                tried = {}
                if on_wait is not None:
                    on_wait(f"{error.message}; trying again")
        sleep(every_s)


def _ready(pending: Sequence[Received], settled: Files, told: set[tuple[Path, str]]) -> Iterator[Received]:
    """What need not wait for a file that is still being written; each fault without a file comes up once."""
    for item in pending:
        at = item.container or item.path
        about = (item.path, item.fault.message if item.fault else "")
        if at in settled:
            yield item
        elif not at.is_file() and about not in told:
            told.add(about)
            yield item


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
