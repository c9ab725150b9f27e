"""A batch: what is new, everything to carry it out, what became of it; ``loop`` carries it out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

from pipeline.conversation import CallRecord, LedgerEntry, Received, StageRun
from pipeline.process.cache import StageCache
from pipeline.process.calls import open_file, work_fingerprint
from pipeline.process.prefetch import Prefetch
from pipeline.process.stages import Fingerprints, Stages
from pipeline.settings import FlowSettings

Load = Callable[[Sequence[CallRecord]], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch has to do: ``pending`` files, and rows of the ledger that stand as they are."""

    pending: tuple[Received, ...]
    known: tuple[LedgerEntry, ...] = ()


def plan(received: Sequence[Received], ledger: Mapping[str, LedgerEntry], under: Fingerprints) -> Plan:
    """Leave out what is in the store under the same fingerprint, and what was erased on purpose."""
    pending: list[Received] = []
    known: list[LedgerEntry] = []
    for item in received:
        row = ledger.get(str(item.path))
        if row is not None and _stands(row, item, under):
            known.append(row)
        else:
            pending.append(item)
    return Plan(tuple(pending), tuple(known))


def _stands(row: LedgerEntry, item: Received, under: Fingerprints) -> bool:
    if row.status == "purged":
        return True
    return item.sha256 is not None and row.fingerprint == work_fingerprint(item, under)


@dataclass(slots=True)
class Judged:
    """What a language model was asked about one criterion, and what that cost in this batch.

    Attributes:
        results: Answers by what came of them (``rubric.judging.Result``), those kept from before included.
        calls: Requests made.
        tokens: Tokens read and written.
        seconds: Spent waiting for it.
    """

    results: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    tokens: int = 0
    seconds: float = 0.0

    def add(self, stage: StageRun) -> None:
        """Count one answer."""
        self.results[stage.result] += 1
        if stage.asked:
            self.calls += stage.asked
            self.tokens += stage.prompt_tokens + stage.answer_tokens
            self.seconds += stage.seconds

    def summary(self) -> dict[str, Any]:
        """In JSON."""
        results = dict(sorted(self.results.items()))
        return {**results, "calls": self.calls, "tokens": self.tokens, "seconds": round(self.seconds, 3)}


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
        judged: What a language model was asked and cost, by rubric and criterion, as ``rubric/criterion``.
        unasked: Why it could not be asked, where it could not.
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
    judged: dict[str, Judged] = field(default_factory=dict)
    unasked: Counter[str] = field(default_factory=Counter)

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

    def add_known(self, rows: Sequence[LedgerEntry]) -> None:
        """Count rows of earlier runs."""
        self.known += len(rows)
        for row in rows:
            self._count(row)

    def add(self, record: CallRecord) -> None:
        """Count one processed file."""
        self._count(record.ledger)
        for stage in record.stages:
            if stage.stage == "judge":
                self.judged.setdefault(f"{stage.rubric_id}/{stage.criterion_id}", Judged()).add(stage)
            if stage.stage != "judge" or stage.asked:
                self.stage_s[stage.stage] = self.stage_s.get(stage.stage, 0.0) + stage.seconds
        if any(s.stage == "transcribe" and s.seconds > 0 for s in record.stages) and record.conversation:
            self.audio_s += record.conversation.transcript.duration_s or 0.0
        for card in record.scorecards:
            self.outcomes[card.outcome] += 1
            self.autofails += bool(card.autofail_reasons)
            self.unasked.update(a.reason for a in card.answers if a.awaits == "judge")
            if card.final_score is not None:
                self.lowest = sorted([*self.lowest, (card.final_score, card.call_id, card.rubric.id)])[:10]

    def summary(self) -> dict[str, Any]:
        """The run in JSON: counts, seconds, ids; no word of any call."""
        return {
            "schema": "callqa.run/1",
            "files": self.files,
            "known": self.known,
            "statuses": dict(sorted(self.statuses.items())),
            "outcomes": dict(sorted(self.outcomes.items())),
            "autofails": self.autofails,
            "reasons": [
                {"status": status, "reason": reason, "files": n}
                for (status, reason), n in sorted(self.reasons.items())
            ],
            "lowest": [{"score": s, "call_id": c, "rubric": r} for s, c, r in self.lowest],
            "audio_s": round(self.audio_s, 3),
            "wall_s": round(self.wall_s, 3),
            "stage_s": {name: round(seconds, 3) for name, seconds in self.stage_s.items()},
            "judge": {name: one.summary() for name, one in sorted(self.judged.items())},
            "exit_code": self.exit_code,
        }

    def _count(self, row: LedgerEntry) -> None:
        self.statuses[row.status] += 1
        if row.status not in {"scored", "purged"}:
            self.reasons[row.status, row.reason] += 1


def nothing_new(job: Plan) -> Tally:
    """The tally of a batch with nothing to do."""
    tally = Tally()
    tally.add_known(job.known)
    return tally


class Observer(Protocol):
    """Who is told while a batch runs."""

    def started(self, pending: int, known: int) -> None:
        """The batch begins."""

    def finished(self, record: CallRecord) -> None:
        """One file has reached its end and is in the store."""


class Unobserved:
    """The observer of a batch of which nobody is told."""

    def started(self, pending: int, known: int) -> None:
        """Do nothing."""

    def finished(self, record: CallRecord) -> None:
        """Do nothing."""


@dataclass
class Batch:
    """A plan with everything to carry it out.

    Attributes:
        plan: What to do.
        load_stages: Loads the models; picklable, so that worker processes can load theirs.
        cache: Transcripts kept between runs.
        load: Puts a window's records into the store, in one transaction.
        flow: Files a window, and where windows are processed.
        observer: Told of progress.
        reworded: Ids of rubrics whose stored scores are of an older text.
        tally: What has become of the files so far; complete when the batch is.
    """

    plan: Plan
    load_stages: Callable[[], Stages]
    cache: StageCache
    load: Load
    flow: FlowSettings
    observer: Observer = field(default_factory=Unobserved)
    reworded: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)
    _prefetch: Prefetch | None = field(default=None, init=False, repr=False)

    @cached_property
    def stages(self) -> Stages:
        """The stages, loaded when first asked for.

        Raises:
            ModelError: Weights are missing or damaged.
        """
        return self.load_stages()

    def warm_up(self) -> None:
        """Load the models now, the speech engine's only when a recording waits for it.

        Raises:
            ModelError: Weights are missing or damaged.
        """
        stages = self.stages
        if any(item.kind == "recording" and item.fault is None for item in self.left):
            with ExitStack() as if_it_fails, ThreadPoolExecutor(1) as beside:
                self._prefetch = if_it_fails.enter_context(self.prefetch())
                lazy = beside.submit(stages.load_lazy)
                stages.engine.transcribe([])
                lazy.result()
                if_it_fails.pop_all()

    def leave(self) -> None:
        """The batch is being ended: let nothing of it wait for long."""
        if "stages" in self.__dict__:
            self.stages.leave()

    @property
    def left(self) -> tuple[Received, ...]:
        """Files not yet counted; windows are counted in order."""
        return self.plan.pending[self.tally.processed :]

    def windows(self) -> Iterator[tuple[Received, ...]]:
        """The files left, in windows, in order."""
        pending = self.left
        for start in range(0, len(pending), self.flow.window):
            yield pending[start : start + self.flow.window]

    def prefetch(self) -> Prefetch:
        """The files left, in windows, each opened while the engine is at the one before, or loads.

        Raises:
            ModelError: Weights are missing or damaged.
        """
        begun, self._prefetch = self._prefetch, None
        if begun is not None:
            return begun
        return Prefetch(tuple(self.windows()), partial(open_file, stages=self.stages, cache=self.cache))

    def start(self) -> None:
        """Count the rows that stand, and tell the observer how much there is to do; once."""
        if self.tally.files:
            return
        self.tally.add_known(self.plan.known)
        self.observer.started(len(self.plan.pending), len(self.plan.known))

    def count(self, records: Sequence[CallRecord]) -> None:
        """Count records that are in the store, and tell the observer."""
        for record in records:
            self.tally.add(record)
            self.observer.finished(record)
