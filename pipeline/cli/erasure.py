"""Erasing calls from the command line: ask before, report afterwards."""

from __future__ import annotations

import datetime as dt
import json
import re
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.store.store import Purged

DAYS = {"d": 1, "w": 7, "m": 30.4375, "y": 365.25}


def parse_age(text: str) -> dt.datetime:
    """The time that lies an age such as ``365d`` before now.

    Raises:
        UsageError: Not a number followed by d, w, m or y.
    """
    match = re.fullmatch(r"(\d{1,5})([dwmy])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text}: not an age", hint="a number and d, w, m or y, e.g. 365d")
    return dt.datetime.now(dt.UTC) - dt.timedelta(days=int(match[1]) * DAYS[match[2]])


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"


def confirm(count: int) -> None:
    """Ask whether this many calls may be erased; called when ``--yes`` is not given.

    Raises:
        UsageError: The answer is not the number of calls, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise UsageError(f"{_calls(count)} would be erased for good", hint="say --yes to do it")
    sys.stderr.write(f"{_calls(count)} will be erased for good. Type the number to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != str(count):
        raise UsageError("nothing was erased")


def erase_stage_results(db: str, call_ids: Sequence[str]) -> int:
    """Delete calls' stage results and their ids in run summaries; returns how many had stage results."""
    from pipeline.process.cache import StageCache
    from pipeline.process.report import forget
    from pipeline.settings import load_settings

    state_dir = load_settings(store={"db": db}).state_dir
    forget(state_dir / "runs", call_ids)
    cache = StageCache(state_dir)
    return sum(cache.erase(call_id) for call_id in call_ids)


def report(purged: Purged, stage_results: int, *, as_json: bool) -> None:
    """Print what was erased, what remains, and what callqa cannot reach."""
    erasure = purged.erasure
    facts = {
        "calls": list(erasure.call_ids),
        "rows_deleted": dict(erasure.deleted),
        "rows_left": dict(erasure.left),
        "tombstones": erasure.tombstones,
        "stage_results_deleted": stage_results,
        "files_deleted": list(purged.files),
        "bytes_before": purged.bytes_before,
        "bytes_after": purged.bytes_after,
    }
    if as_json:
        sys.stdout.write(json.dumps(facts, ensure_ascii=False) + "\n")
        return
    if not erasure.call_ids:
        sys.stderr.write("no call matches; nothing was erased\n")
        return
    lines = [f"{_calls(len(erasure.call_ids))} erased: {' '.join(erasure.call_ids[:20])}"]
    lines += [f"  {table}: {n} {'row' if n == 1 else 'rows'} deleted" for table, n in erasure.deleted.items()]
    left = ", ".join(f"{n} {table}" for table, n in erasure.left.items())
    lines.append(f"  rows of these calls left: {left or 'none'}")
    lines.append(f"  tombstones in the ledger: {erasure.tombstones}")
    lines.append(
        f"  stage results deleted: {_calls(stage_results)}; other files deleted: {len(purged.files)}"
    )
    if purged.bytes_before is not None and purged.bytes_after is not None:
        lines.append(f"  database: {purged.bytes_before:,} bytes before, {purged.bytes_after:,} after")
    lines.append("not reached: the recordings, and exports, packets, backups and snapshots made before")
    sys.stdout.write("\n".join(lines) + "\n")
