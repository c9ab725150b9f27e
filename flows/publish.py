"""What a flow run shows in Prefect's UI: progress, the last window's table, a summary; and one event.

Counts, seconds and call ids only: artifacts are kept in Prefect's database, where no word of a
customer belongs. A server that cannot take an artifact never fails a batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)
from prefect.events import emit_event

from pipeline.conversation import CallRecord
from pipeline.process.batch import Tally


class Progress:
    """The progress bar of a flow run, made with its first window, and the table of the last window.

    A context manager, in a thread of its own: no engine waits for a picture of its work.
    """

    def __init__(self, pending: int) -> None:
        self._pending = pending
        self._artifact: UUID | None = None
        self._silent = False
        self._thread = ThreadPoolExecutor(1, "progress")

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown()

    def show(self, tally: Tally, window: Sequence[CallRecord]) -> None:
        """Move the bar to where the batch is, and list the calls that brought it there."""
        if window:
            percent = 100.0 * tally.processed / max(self._pending, 1)
            self._thread.submit(copy_context().run, self._show, percent, window_rows(window))

    def _show(self, percent: float, rows: list[dict[str, Any]]) -> None:
        if self._silent:
            return
        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(percent, description="files processed")  # type: ignore[assignment]
            else:
                update_progress_artifact(self._artifact, percent)
            create_table_artifact(rows, key="callqa-window", description="last window")
        except Exception:  # a picture of the work must never stop the work, nor wait for a dead server again
            self._silent = True


def publish(tally: Tally, alerts: Sequence[str]) -> None:
    """The ledger's sum and the calls to look at first, as artifacts of the flow run."""
    with contextlib.suppress(Exception):
        create_markdown_artifact(
            summary_markdown(tally, alerts), key="callqa-batch", description="last batch"
        )
        create_table_artifact(lowest_rows(tally), key="callqa-lowest", description="lowest scores by call id")


def announce(reworded: Sequence[str]) -> None:
    """Say that stored scores are of an older text of these rubrics; ``prefect.yaml`` re-scores on it."""
    for rubric in reworded:
        emit_event("callqa.rubric.changed", resource={"prefect.resource.id": f"callqa.rubric.{rubric}"})


def window_rows(window: Sequence[CallRecord]) -> list[dict[str, Any]]:
    """A row a scorecard, or a file without one: ids, status and score."""
    rows: list[dict[str, Any]] = []
    for record in window:
        row = {"call_id": record.ledger.call_id, "status": record.ledger.status}
        rows += [
            {**row, "rubric": card.rubric.id, "outcome": card.outcome, "score": card.final_score}
            for card in record.scorecards
        ] or [{**row, "rubric": None, "outcome": record.ledger.reason, "score": None}]
    return rows


def lowest_rows(tally: Tally) -> list[dict[str, Any]]:
    """The lowest scores, one row each."""
    return [{"call_id": call, "rubric": rubric, "score": score} for score, call, rubric in tally.lowest]


def summary_markdown(tally: Tally, alerts: Sequence[str]) -> str:
    """The batch on one page."""
    speed = tally.audio_s / tally.wall_s if tally.wall_s else 0.0
    lines = ["# Batch", ""]
    lines += [f"**Alert:** {sentence}\n" for sentence in alerts]
    lines += ["| files | |", "|---|---|"]
    lines += [f"| {status} | {count} |" for status, count in sorted(tally.statuses.items())]
    lines += [f"| of these known from before | {tally.known} |", ""]
    lines += ["| scorecards | |", "|---|---|"]
    lines += [f"| {outcome} | {count} |" for outcome, count in sorted(tally.outcomes.items())]
    lines += [
        "",
        f"{tally.audio_s / 3600:.1f} h of audio in {tally.wall_s:.0f} s, {speed:.1f}× real time.",
        "",
    ]
    if tally.reasons:
        lines += ["| not scored | reason | files |", "|---|---|---|"]
        lines += [f"| {status} | {reason} | {n} |" for (status, reason), n in sorted(tally.reasons.items())]
    return "\n".join(lines) + "\n"
