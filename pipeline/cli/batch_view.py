"""Show a running batch: with a progress bar on a terminal, with plain or JSON lines elsewhere.

Results go to stdout, one line a call; progress, warnings and the totals go to stderr.
"""

from __future__ import annotations

import json
import sys
import time
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn
from rich.table import Table
from rich.text import Text

from pipeline.cli.console import discard_results
from pipeline.cli.scorecard import clock
from pipeline.conversation import CallRecord, Scorecard
from pipeline.errors import CallQAError

if TYPE_CHECKING:
    from pipeline.process.batch import Tally

PLAIN_EVERY_S = 30.0
LOG_WIDTH = 1000
"""In a log each line of the totals stays whole; without it Rich takes 80 columns and breaks words."""
SAME_GROUP_S = 1.0
"""Calls finishing within this time of each other are taken for one group, which finishes as a whole."""
ENOUGH_FILES, ENOUGH_SHARE = 3, 0.1
"""The time left is shown only once this many files, and this share of all files, are done."""
STYLES = {
    "pass": "green",
    "fail": "bold red",
    "needs_review": "yellow",
    "not_scored": "dim",
    "skipped": "dim",
    "failed": "bold red",
    "quarantined": "magenta",
}


class BatchView:
    """Shows what a batch reports while it runs, to a person or in a log.

    Args:
        log_format: ``text``, or ``json`` for one JSON object a line on stderr.

    Attributes:
        bar: Is shown while it is entered as a context, if stderr is a terminal; elsewhere lines replace it.
    """

    def __init__(self, log_format: str = "text") -> None:
        self._json = log_format == "json"
        self.bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.fields[detail]}"),
            console=Console(stderr=True, soft_wrap=True, highlight=False),
            transient=True,
            redirect_stdout=sys.stdout.isatty(),
            disable=self._json or not sys.stderr.isatty(),
        )
        self._task = self.bar.add_task("starting", total=None, detail="")
        self._total = self._done = 0
        self._audio_s = 0.0
        self._started_at = self._printed_at = time.monotonic()
        self._last_at: float | None = None
        self._whole_groups: tuple[int, float] = (0, 0.0)  # files in finished groups, seconds they took

    def say(self, stage: str) -> None:
        """Show what is being done before the first call."""
        self.bar.update(self._task, description=stage)

    def warn(self, sentence: str) -> None:
        """Print something people should know; it holds no words of a call."""
        if self._json:
            self._log("warning", message=sentence)
        else:
            self.bar.console.print(Text.assemble(("warning:", "yellow"), f" {sentence}"))

    def failed(self, error: CallQAError) -> bool:
        """Log what ended the batch where the log is JSON; returns whether it is, else ``main`` prints it."""
        if self._json:
            self._log("failed", message=error.message, hint=error.hint)
        return self._json

    def started(self, pending: int, known: int) -> None:
        """Start counting: ``pending`` files to process, ``known`` ones in the ledger already."""
        self._total = pending
        self._started_at = self._printed_at = time.monotonic()
        self.bar.update(self._task, description="calls", total=pending)
        if self._json:
            self._log("started", pending=pending, known=known)
        elif not self.bar.live.is_started:
            sys.stderr.write(f"{pending} new files, {known} known\n")

    def finished(self, record: CallRecord) -> None:
        """Print the line of a file that is now in the store, and move the bar on."""
        now = time.monotonic()
        if self._last_at is not None and now - self._last_at > SAME_GROUP_S:
            self._whole_groups = self._done, self._last_at - self._started_at
        self._last_at = now
        self._done += 1
        if record.conversation is not None:
            self._audio_s += record.conversation.transcript.duration_s or 0.0
        self._print_line(record)
        self.bar.update(self._task, completed=self._done, detail=self._pace())
        if self._json:
            self._log("call", **_facts(record))
        elif not self.bar.live.is_started and time.monotonic() - self._printed_at > PLAIN_EVERY_S:
            self._printed_at = time.monotonic()
            sys.stderr.write(f"{self._done} of {self._total} files, {self._pace()}\n")

    def ended(self, tally: Tally) -> None:
        """Print the totals: what became of the files, and how long each stage took."""
        if self._json:
            self._log("ended", **tally.summary())
            return
        width = None if sys.stderr.isatty() else LOG_WIDTH
        console = Console(stderr=True, soft_wrap=True, highlight=False, width=width)
        console.print(_totals(tally))
        if not tally.files:
            console.print("nothing to do: no file there")
        elif not tally.processed:
            console.print("nothing to do: every file is in the ledger already")

    def _print_line(self, record: CallRecord) -> None:
        facts = _facts(record)
        outcome = str(facts["outcome"])
        score = "" if facts["score"] is None else f"{facts['score']:.0f}"
        line = Text.assemble(
            f"{_label(record)}  ",
            (f"{outcome.replace('_', ' '):<12}", STYLES.get(outcome, "")),
            f" {score:>4}  {facts['rubric'] or '':<12} {facts['reason']}".rstrip(),
        )
        try:
            Console(soft_wrap=True, highlight=False).print(line)
        except (OSError, SystemExit) as error:  # SystemExit is what Rich makes of a closed pipe
            discard_results()  # the batch matters more than its lines
            why = getattr(error, "strerror", None) or "nobody reads them"
            self.warn(f"no more lines about calls are printed: {why}")

    def _pace(self) -> str:
        """Audio done, where its length is known, and the speed; once enough files are done, the time left."""
        elapsed_s = max(time.monotonic() - self._started_at, 1e-6)
        pace = f"{clock(elapsed_s)} so far"
        if speed := self._audio_s / elapsed_s:
            pace = f"{clock(self._audio_s)} of audio, {speed:.1f}× real time"
        files, took_s = self._whole_groups
        if files < max(ENOUGH_FILES, ENOUGH_SHARE * self._total):
            return pace
        left_s = max(0.0, took_s / files * (self._total - files) - (elapsed_s - took_s))
        return f"{pace}, {clock(left_s)} left"

    def _log(self, event: str, **fields: Any) -> None:
        now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
        sys.stderr.write(json.dumps({"at": now, "event": event, **fields}, ensure_ascii=False) + "\n")
        sys.stderr.flush()


def _label(record: CallRecord) -> str:
    """The call id, followed by the file's name unless that starts with the id."""
    row = record.ledger
    name = row.path.rsplit("/", 1)[-1]
    if row.call_id is None:
        return name
    return row.call_id if name.startswith(row.call_id) else f"{row.call_id}  {name}"


def _facts(record: CallRecord) -> dict[str, Any]:
    """The fields of a call's log line; none of them holds words of the customer."""
    row = record.ledger
    facts = {"call_id": row.call_id, "file": row.path.rsplit("/", 1)[-1], "status": row.status}
    worst = min(record.scorecards, key=_worst_first, default=None)
    if worst is None:
        why = ": ".join(part for part in (row.reason, row.error) if part)
        return {**facts, "outcome": row.status, "score": None, "rubric": None, "reason": why}
    return {
        **facts,
        "outcome": worst.outcome,
        "score": worst.final_score,
        "rubric": worst.rubric.id,
        "reason": worst.why,
    }


def _worst_first(card: Scorecard) -> tuple[int, float]:
    order = {"fail": 0, "needs_review": 1, "pass": 2, "not_scored": 3}
    return order[card.outcome], card.final_score if card.final_score is not None else 101.0


def _totals(tally: Tally) -> Table:
    table = Table(show_header=False, box=None, pad_edge=False)
    outcomes = ", ".join(f"{n} {name.replace('_', ' ')}" for name, n in sorted(tally.outcomes.items()))
    table.add_row("files", str(tally.files), f"{tally.known} known from before" if tally.known else "")
    table.add_row("scored", str(tally.statuses["scored"]), outcomes)
    for status in ("skipped", "failed", "quarantined", "purged"):
        if tally.statuses[status]:
            reasons = ", ".join(f"{n} {why}" for (s, why), n in sorted(tally.reasons.items()) if s == status)
            table.add_row(status, str(tally.statuses[status]), reasons)
    if tally.processed:
        stages = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in tally.stage_s.items())
        if tally.audio_s and tally.wall_s:  # of transcripts the length may not be known
            table.add_row("audio", clock(tally.audio_s), f"{tally.audio_s / tally.wall_s:.1f}× real time")
        table.add_row("time", "", f"{tally.wall_s:.1f} s in all; {stages}".removesuffix("; "))
    for name, judged in sorted(tally.judged.items()):
        results = ", ".join(f"{n} {what.replace('_', ' ')}" for what, n in judged.results.most_common())
        cost = f"{judged.calls} requests, {judged.tokens:,} tokens, {judged.seconds:.1f} s"
        answered = f"{name}: {results}; {cost if judged.calls else 'none asked anew'}"
        table.add_row("judge", str(judged.results.total()), answered)
    for reason, n in tally.unasked.most_common(3):
        table.add_row("left", str(n), f"{reason}; the next run asks again")
    return table
