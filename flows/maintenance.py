"""Flows besides the batch, which ``prefect.yaml`` deploys: export, retention and re-scoring of stored calls.

Each makes the same library call as the matching ``callqa`` command.
"""

from __future__ import annotations

import datetime as dt
import sys
from pathlib import Path
from typing import Any

from prefect import flow

from pipeline import export, matching, rescore
from pipeline.intake.times import zone
from pipeline.process import judging
from pipeline.process.cache import StageCache
from pipeline.process.prepare import load_rubrics, open_store
from pipeline.settings import load_settings
from pipeline.store import CallFilter

Slices = dict[str, dict[str, Any]]


@flow(name="callqa-export", persist_result=False)
def export_answers(
    dest: str, file_format: str = "xlsx", config: str | None = None, settings: Slices | None = None
) -> int:
    """Export every call; returns how many files were written.

    Args:
        dest: File or folder; ``{date}`` becomes today's, in the zone of ``intake.timezone``.
        file_format: As of ``callqa export``.
        config: A settings file, as the worker sees it.
        settings: Settings that win over the file, by slice.
    """
    resolved = load_settings(config, **(settings or {}))
    path = Path(dest.replace("{date}", f"{dt.datetime.now(zone(resolved.intake.timezone)):%Y-%m-%d}"))
    with open_store(resolved, read_only=True) as store:
        return len(export.write(store, path, file_format, privacy=resolved.privacy))


@flow(name="callqa-retention", persist_result=False)
def retain(days: int, config: str | None = None, settings: Slices | None = None) -> int:
    """Erase calls older than ``days`` with everything kept of them, as ``callqa purge``; returns how many."""
    resolved = load_settings(config, **(settings or {}))
    before = dt.datetime.now(dt.UTC) - dt.timedelta(days=days)
    with open_store(resolved) as store:
        caches, away = StageCache(resolved.state_dir).all_of(store)
        purged = store.purge(
            CallFilter(), older_than=before, forget=lambda ids: sum(cache.forget(ids) for cache in caches)
        )
    if away:
        sys.stderr.write(f"retention: not reached until the next batch there: {', '.join(away)}\n")
    return len(purged.erasure.call_ids)


@flow(name="callqa-rescore", persist_result=False)
def rescore_history(config: str | None = None, settings: Slices | None = None) -> int:
    """Score stored calls under the settings' rubrics; old scores stay. Returns how many outcomes flipped.

    Calls that already have a score under the same rubric text get the same one again.
    """
    resolved = load_settings(config, **(settings or {}))
    matcher = matching.load_matcher()
    rubrics = load_rubrics(resolved)
    doubt = resolved.score.min_confidence
    with open_store(resolved) as store:
        standings = judging.standings(store, rubrics, resolved)
        judge = judging.load_judge(resolved, rubrics, standings)
        if judge is not None:  # its answers are kept there
            StageCache(resolved.state_dir).register(store)
        return sum(
            call.flipped
            for rubric in rubrics
            for call in rescore.rescore(store, rubric, matcher, min_confidence=doubt, judge=judge)
        )
