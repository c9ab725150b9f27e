"""Shows a flow run in Prefect's UI (progress, last group, summary) and emits events for changed rubrics.

It sends only counts, seconds and call ids, because Prefect keeps them in its own database, where no word of a
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
    """Shows the progress bar of a flow run, from its first group on, and a table of the last group.

    A context manager with its own thread, so that the engine never waits for Prefect.
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

    def show(self, tally: Tally, group: Sequence[CallRecord]) -> None:
        """Update the progress bar, and list the calls of the group."""
        if group:
            percent = 100.0 * tally.processed / max(self._pending, 1)
            self._thread.submit(copy_context().run, self._show, percent, group_rows(group))

    def _show(self, percent: float, rows: list[dict[str, Any]]) -> None:
        if self._silent:
            return
        try:
            if self._artifact is None:
                self._artifact = create_progress_artifact(percent, description="files processed")  # type: ignore[assignment]
            else:
                update_progress_artifact(self._artifact, percent)
            create_table_artifact(rows, key="callqa-window", description="last group of files")
        except Exception:  # showing progress must not stop the batch, nor wait for a dead server again
            self._silent = True


def publish(tally: Tally, alerts: Sequence[str]) -> None:
    """Create artifacts of the flow run: a summary, and the calls with the lowest scores."""
    with contextlib.suppress(Exception):
        create_markdown_artifact(
            summary_markdown(tally, alerts), key="callqa-batch", description="last batch"
        )
        create_table_artifact(lowest_rows(tally), key="callqa-lowest", description="lowest scores by call id")


def announce(reworded: Sequence[str]) -> None:
    """Emit an event per rubric whose stored scores are under an older text, so ``prefect.yaml`` re-scores."""
    for rubric in reworded:
        emit_event("callqa.rubric.changed", resource={"prefect.resource.id": f"callqa.rubric.{rubric}"})


def group_rows(group: Sequence[CallRecord]) -> list[dict[str, Any]]:
    """One row per scorecard, or per file without one, with ids, status and score."""
    rows: list[dict[str, Any]] = []
    for record in group:
        row = {"call_id": record.ledger.call_id, "status": record.ledger.status}
        rows += [
            {**row, "rubric": card.rubric.id, "outcome": card.outcome, "score": card.final_score}
            for card in record.scorecards
        ] or [{**row, "rubric": None, "outcome": record.ledger.reason, "score": None}]
    return rows


def lowest_rows(tally: Tally) -> list[dict[str, Any]]:
    """The lowest scores, one per row."""
    return [{"call_id": call, "rubric": rubric, "score": score} for score, call, rubric in tally.lowest]


def summary_markdown(tally: Tally, alerts: Sequence[str]) -> str:
    """A summary of the batch in Markdown."""
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
