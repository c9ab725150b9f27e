"""A drop folder: new recordings are processed once they have stopped growing."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from pipeline.process.batch import Observer, Plan, Tally
from pipeline.process.loop import run_batch
from pipeline.process.prepare import prepare
from pipeline.process.stages import Stages
from pipeline.settings import Settings

Seen = dict[Path, tuple[int, int]]


def watch(
    folders: Sequence[Path],
    settings: Settings,
    observer: Observer,
    *,
    settle_s: float,
    every_s: float,
    sleep: Callable[[float], None] = time.sleep,
) -> Iterator[Tally]:
    """Process what settles in the folders, for ever; models stay loaded.

    Args:
        folders: Looked through again and again.
        settings: As for a batch.
        observer: Told of each file.
        settle_s: A file is taken once it has kept size and time this long: it may still be copied.
        every_s: How often to look.
        sleep: Waits; a test hands in its own.

    Yields:
        The tally of each round that had something to do.

    Raises:
        CallQAError: As a batch does.
    """
    tried: Seen = {}
    stages: Stages | None = None
    while True:
        settled_ns = time.time_ns() - settle_s * 1e9
        still = {path: mark for path, mark in _files(folders).items() if mark[1] <= settled_ns}
        if any(tried.get(path) != mark for path, mark in still.items()):
            tried = still
            batch = prepare(list(folders), settings).open(observer)
            # what is still being written is left for a later round
            batch.plan = Plan(tuple(item for item in batch.plan.pending if item.path in still))
            if batch.plan.pending:
                if stages is not None:
                    batch.stages = stages
                yield run_batch(batch)
                stages = batch.stages
        sleep(every_s)


def _files(folders: Sequence[Path]) -> Seen:
    """Every file with its size and time; one that vanishes meanwhile is left out."""
    found: Seen = {}
    for folder in (Path(os.path.abspath(folder)) for folder in folders):  # noqa: PTH100 - as intake names them
        for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder]:
            try:
                stat = path.stat()
            except OSError:
                continue
            if path.is_file():
                found[path] = (stat.st_size, stat.st_mtime_ns)
    return found
