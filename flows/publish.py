"""What a flow run shows in Prefect's UI: progress, the window's table, a summary.

Counts, seconds and call ids only: artifacts live in Prefect's database, where no word of a
customer belongs. A server that cannot take an artifact never fails a batch.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from prefect.artifacts import (
    create_markdown_artifact,
    create_progress_artifact,
    create_table_artifact,
    update_progress_artifact,
)

from pipeline.process.batch import Tally


class Progress:
    """The progress bar of a flow run, made with its first window."""

    def __init__(self, pending: int) -> None:
        self._pending = pending
        self._artifact: UUID | None = None

    def show(self, tally: Tally) -> None:
        """Move the bar to where the batch is."""
        percent = 100.0 * tally.processed / max(self._pending, 1)
        with contextlib.suppress(Exception):  # a picture of the work must never stop the work
            if self._artifact is None:
                self._artifact = create_progress_artifact(percent, description="files processed")  # type: ignore[assignment]
            else:
                update_progress_artifact(self._artifact, percent)


def publish(tally: Tally, alerts: Sequence[str]) -> None:
    """The ledger's sum and the calls to look at first, as artifacts of the flow run."""
    with contextlib.suppress(Exception):
        create_markdown_artifact(
            summary_markdown(tally, alerts), key="callqa-batch", description="last batch"
        )
        create_table_artifact(lowest_rows(tally), key="callqa-lowest", description="lowest scores by call id")


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
