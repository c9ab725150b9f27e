"""All windows of a batch: what is new, how it goes, what became of it.

The loop hears one window while the window before it is judged and loaded, so that everything
but the engine costs next to no time. Each window is one transaction: a kill between two windows,
or inside one, leaves the store as if the later calls had not been started.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field

from pipeline.conversation import CallRecord, LedgerEntry, Received
from pipeline.process.cache import StageCache
from pipeline.process.calls import Heard, give_up, hear, is_transient, judge, work_fingerprint
from pipeline.process.tools import Tools

RETRY_DELAYS_S = (1.0, 5.0)
Load = Callable[[Sequence[CallRecord]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch has to do: ``pending`` files, and rows of the ledger that stand as they are."""

    pending: tuple[Received, ...]
    known: tuple[LedgerEntry, ...] = ()


def plan(received: Sequence[Received], ledger: Mapping[str, LedgerEntry], tools: Tools) -> Plan:
    """Leave out what is in the store under the same fingerprint, and what was erased on purpose."""
    pending: list[Received] = []
    known: list[LedgerEntry] = []
    for item in received:
        row = ledger.get(str(item.path))
        if row is not None and _stands(row, item, tools):
            known.append(row)
        else:
            pending.append(item)
    return Plan(tuple(pending), tuple(known))


def _stands(row: LedgerEntry, item: Received, tools: Tools) -> bool:
    if item.sha256 is None or row.audio_sha256 != item.sha256:
        return False
    return row.status == "purged" or row.fingerprint == work_fingerprint(item, tools)


@dataclass(slots=True)
class Tally:
    """What became of the files of one batch, added up as it goes; no word of any call.

    Attributes:
        statuses: Files by ledger status, those of earlier runs included.
        known: How many of them needed no work.
        outcomes: Scorecards by outcome.
        reasons: Files that were not scored, by status and reason.
        stage_s: Seconds of work by stage, summed over calls.
        audio_s: Length of the recordings heard.
        wall_s: Length of the batch.
        autofails: Scorecards with an auto-fail.
        lowest: Lowest final scores as (score, call id, rubric id).
    """

    statuses: Counter[str] = field(default_factory=Counter)
    known: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    stage_s: dict[str, float] = field(default_factory=dict)
    audio_s: float = 0.0
    wall_s: float = 0.0
    autofails: int = 0
    lowest: list[tuple[float, str, str]] = field(default_factory=list)

    @property
    def files(self) -> int:
        """Every file received; the statuses add up to it."""
        return self.statuses.total()

    @property
    def processed(self) -> int:
        """Files that were worked on in this batch."""
        return self.files - self.known

    @property
    def unusable(self) -> int:
        """Files a person should look at."""
        return self.statuses["failed"] + self.statuses["quarantined"]

    @property
    def exit_code(self) -> int:
        """0 when all is scored or knowingly skipped, else 3; the same on a second run."""
        return 3 if self.unusable else 0

    def stand(self, rows: Sequence[LedgerEntry]) -> None:
        """Count rows of earlier runs."""
        self.known += len(rows)
        for row in rows:
            self._count(row)

    def add(self, record: CallRecord) -> None:
        """Count one processed file."""
        self._count(record.ledger)
        for stage in record.stages:
            self.stage_s[stage.stage] = self.stage_s.get(stage.stage, 0.0) + stage.seconds
        if any(s.stage == "transcribe" and s.seconds > 0 for s in record.stages) and record.conversation:
            self.audio_s += record.conversation.transcript.duration_s or 0.0
        for card in record.scorecards:
            self.outcomes[card.outcome] += 1
            self.autofails += bool(card.autofail_reasons)
            if card.final_score is not None:
                self.lowest = sorted([*self.lowest, (card.final_score, card.call_id, card.rubric.id)])[:10]

    def _count(self, row: LedgerEntry) -> None:
        self.statuses[row.status] += 1
        if row.status not in {"scored", "purged"}:
            self.reasons[row.status, row.reason] += 1


class Observer:
    """What a batch tells while it runs; the command line and the flow override what they show."""

    def started(self, pending: int, known: int) -> None:
        """The batch begins."""

    def finished(self, record: CallRecord) -> None:
        """One file has reached its end and is in the store."""


def windows(pending: Sequence[Received], size: int) -> Iterator[tuple[Received, ...]]:
    """The files in windows of ``size``, in order."""
    for start in range(0, len(pending), size):
        yield tuple(pending[start : start + size])


def run_batch(
    job: Plan, tools: Tools, cache: StageCache, load: Load, window: int, observer: Observer | None = None
) -> Tally:
    """Process every pending file, window by window, without Prefect.

    Args:
        job: What to do.
        tools: The stages.
        cache: Transcripts kept between runs.
        load: Puts a window's records into the store, in one transaction.
        window: Files a window.
        observer: Told of progress.

    Raises:
        CallQAError: Something a person must mend before the batch can go on.
    """
    observer = observer or Observer()
    tally = Tally()
    tally.stand(job.known)
    observer.started(len(job.pending), len(job.known))
    started = time.monotonic()
    with ThreadPoolExecutor(1, thread_name_prefix="judge") as behind:
        before: Future[list[CallRecord]] | None = None
        for received in windows(job.pending, window):
            heard = hear_patiently(received, tools, cache)
            _settle(before, tally, observer)
            before = behind.submit(_judge_and_load, heard, tools, load)
        _settle(before, tally, observer)
    tally.wall_s = time.monotonic() - started
    return tally


def hear_patiently(
    received: Sequence[Received], tools: Tools, cache: StageCache
) -> Sequence[Heard | CallRecord]:
    """``hear`` with another try after a transient fault; rows that say so when none helps."""
    for delay_s in (*RETRY_DELAYS_S, None):
        try:
            return hear(received, tools, cache)
        except Exception as error:
            if not is_transient(error):
                raise
            if delay_s is None:
                return give_up(received, error)
            time.sleep(delay_s)
    raise AssertionError("unreachable")


def _judge_and_load(heard: Sequence[Heard | CallRecord], tools: Tools, load: Load) -> list[CallRecord]:
    records = [judge(item, tools) if isinstance(item, Heard) else item for item in heard]
    load(records)
    return records


def _settle(window: Future[list[CallRecord]] | None, tally: Tally, observer: Observer) -> None:
    for record in window.result() if window else []:
        tally.add(record)
        observer.finished(record)
