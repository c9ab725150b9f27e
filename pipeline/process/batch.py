"""A batch: its plan, what is needed to run it, and the tally of its results; ``loop`` runs it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Protocol

from pipeline import transcribe
from pipeline.conversation import CallRecord, LedgerEntry, Received, StageRun
from pipeline.process.cache import StageCache, given_id
from pipeline.process.calls import open_file, work_fingerprint
from pipeline.process.prefetch import Prefetch
from pipeline.process.stages import Fingerprints, Stages
from pipeline.settings import FlowSettings


@dataclass(frozen=True, slots=True)
class Plan:
    """What a batch has to do.

    Attributes:
        pending: Files still to process.
        known: Ledger rows of files that need no work.
        new_ids: The new id of each known recording that now comes under another call id, by the old one.
    """

    pending: tuple[Received, ...]
    known: tuple[LedgerEntry, ...] = ()
    new_ids: Mapping[str, str] = field(default_factory=dict)


def plan(received: Sequence[Received], ledger: Mapping[str, LedgerEntry], current: Fingerprints) -> Plan:
    """Leave out files that are stored under the current fingerprints, and known files of erased calls."""
    pending: list[Received] = []
    known: list[LedgerEntry] = []
    new_ids: dict[str, str] = {}
    for item in received:
        row = ledger.get(str(item.path))
        if row is not None and _is_up_to_date(row, item, current):
            known.append(row)
            continue
        pending.append(item)
        if row is None or row.call_id is None or item.metadata is None or row.audio_sha256 != item.sha256:
            continue
        if given_id(row.call_id) != item.metadata.call_id:
            new_ids[row.call_id] = item.metadata.call_id
    return Plan(tuple(pending), tuple(known), new_ids)


def _is_up_to_date(row: LedgerEntry, item: Received, current: Fingerprints) -> bool:
    if row.status == "purged":  # unless another recording has come under the name
        return row.audio_sha256 in {None, item.sha256} or item.sha256 is None
    if item.fault is not None and item.fault.reason == "missing":  # the manifest outlives the recording
        return row.status != "failed" or row.reason == "missing"
    if item.fault is not None and item.sha256 is None:  # intake has looked again
        return row.error == item.fault.message
    return item.sha256 is not None and row.fingerprint == work_fingerprint(item, current)


@dataclass(slots=True)
class JudgeUse:
    """What a language model was asked about one criterion in this batch, and what that cost.

    Attributes:
        results: Number of answers by ``rubric.judging.Result``, including answers kept from earlier runs.
        calls: Requests made.
        tokens: Tokens read and written.
        seconds: Seconds spent waiting for the model.
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
        """The counts and costs as a JSON-ready dict."""
        results = dict(sorted(self.results.items()))
        return {**results, "calls": self.calls, "tokens": self.tokens, "seconds": round(self.seconds, 3)}


@dataclass(slots=True)
class Tally:
    """Running counts of what became of the files of one batch; it holds no word of any call.

    Attributes:
        statuses: Files by ledger status, including files known from earlier runs.
        known: How many of these files needed no work.
        known_statuses: The statuses of those files.
        outcomes: Scorecards by outcome.
        reasons: Files that were not scored, by status and reason.
        stage_s: Seconds of work by stage, summed over calls.
        audio_s: Seconds of audio transcribed.
        wall_s: Duration of the batch in seconds.
        autofails: Scorecards with an auto-fail.
        lowest: The ten lowest final scores as (score, call id, rubric id).
        judged: What a language model was asked and what it cost, by ``rubric/criterion``.
        unasked: Answers for which the language model could not be asked, by reason.
    """

    statuses: Counter[str] = field(default_factory=Counter)
    known: int = 0
    known_statuses: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[str] = field(default_factory=Counter)
    reasons: Counter[tuple[str, str]] = field(default_factory=Counter)
    stage_s: dict[str, float] = field(default_factory=dict)
    audio_s: float = 0.0
    wall_s: float = 0.0
    autofails: int = 0
    lowest: list[tuple[float, str, str]] = field(default_factory=list)
    judged: dict[str, JudgeUse] = field(default_factory=dict)
    unasked: Counter[str] = field(default_factory=Counter)

    @property
    def files(self) -> int:
        """Number of files received: the sum of all statuses."""
        return self.statuses.total()

    @property
    def processed(self) -> int:
        """Number of files processed in this batch."""
        return self.files - self.known

    @property
    def unusable(self) -> int:
        """Number of files that a person should look at."""
        return self.statuses["failed"] + self.statuses["quarantined"]

    @property
    def exit_code(self) -> int:
        """0 when every file is scored or knowingly skipped, else 3; a second run gives the same."""
        return 3 if self.unusable else 0

    def add_known(self, rows: Sequence[LedgerEntry]) -> None:
        """Count files known from earlier runs."""
        self.known += len(rows)
        self.known_statuses.update(row.status for row in rows)
        for row in rows:
            self._count(row)

    def add(self, record: CallRecord) -> None:
        """Count one processed file."""
        self._count(record.ledger)
        for stage in record.stages:
            if stage.stage == "judge":
                self.judged.setdefault(f"{stage.rubric_id}/{stage.criterion_id}", JudgeUse()).add(stage)
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

    def add_processed(self, other: Tally) -> None:
        """Count what another batch processed, for the shares of several batches together."""
        self.statuses += other.statuses - other.known_statuses
        self.outcomes += other.outcomes
        self.autofails += other.autofails
        self.audio_s += other.audio_s
        self.wall_s += other.wall_s

    def summary(self) -> dict[str, Any]:
        """The run as a JSON-ready dict of counts, seconds and ids; it holds no word of any call."""
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
            "judge": {name: judged.summary() for name, judged in sorted(self.judged.items())},
            "exit_code": self.exit_code,
        }

    def _count(self, row: LedgerEntry) -> None:
        self.statuses[row.status] += 1
        if row.status not in {"scored", "purged"}:
            self.reasons[row.status, row.reason] += 1


class Observer(Protocol):
    """Is called while a batch runs, for instance to show progress."""

    def started(self, pending: int, known: int) -> None:
        """The batch begins, with this many files to process and this many known already."""

    def finished(self, record: CallRecord) -> None:
        """One file is done and its record is in the store."""


class Unobserved:
    """An observer that does nothing."""

    def started(self, pending: int, known: int) -> None:
        """Do nothing."""

    def finished(self, record: CallRecord) -> None:
        """Do nothing."""


@dataclass
class Batch:
    """A plan with everything needed to run it.

    Attributes:
        load_stages: Loads the stages and their models; picklable, so that worker processes can call it too.
        cache: Transcripts kept between runs.
        load: Writes the records of a group to the store in one transaction.
        flow: How many files make a group, and where groups are processed.
        observer: Is called as files are finished.
        reworded: Ids of rubrics whose stored scores are under an older text.
        notes: What a person should know before the run, one sentence each.
    """

    plan: Plan
    load_stages: Callable[[], Stages]
    cache: StageCache
    load: Callable[[Sequence[CallRecord]], None]
    flow: FlowSettings
    observer: Observer = field(default_factory=Unobserved)
    reworded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)
    _prefetch: Prefetch | None = field(default=None, init=False, repr=False)

    @cached_property
    def stages(self) -> Stages:
        """The stages, loaded at their first use."""
        if self._has_recordings:
            transcribe.one_torch_thread()  # now: imported beside the threads that open files, it takes longer
        return self.load_stages()

    @property
    def _has_recordings(self) -> bool:
        return any(item.kind == "recording" and item.fault is None for item in self.left)

    def warm_up(self) -> None:
        """Load the models now; the speech engine's model only when there is a recording to transcribe."""
        stages = self.stages
        if self._has_recordings:
            with ExitStack() as on_failure, ThreadPoolExecutor(1) as pool:
                prefetch = on_failure.enter_context(self.prefetch())
                lazy = pool.submit(stages.load_lazy)
                stages.engine.transcribe([])  # loads the engine's model
                lazy.result()
                on_failure.pop_all()  # success: keep the prefetch open
            self._prefetch = prefetch

    def leave(self) -> None:
        """The batch is being ended early: ask a language model nothing more, so that nothing waits for it."""
        if "stages" in self.__dict__ and self.stages.judge:
            self.stages.judge.leave()

    @property
    def left(self) -> tuple[Received, ...]:
        """Files not yet processed; groups are counted in their order."""
        return self.plan.pending[self.tally.processed :]

    def groups(self) -> Iterator[tuple[Received, ...]]:
        """The files left, in order, a group at a time."""
        pending = self.left
        for start in range(0, len(pending), self.flow.window):
            yield pending[start : start + self.flow.window]

    def prefetch(self) -> Prefetch:
        """Open the files left ahead of time, while the engine loads or transcribes the group before."""
        started, self._prefetch = self._prefetch, None
        open_one = partial(open_file, stages=self.stages, cache=self.cache)
        return started or Prefetch(tuple(self.groups()), open_one)

    def start(self) -> None:
        """Count the known files and tell the observer how much there is to do; later calls do nothing."""
        if self.tally.files:
            return
        self.tally.add_known(self.plan.known)
        self.observer.started(len(self.plan.pending), len(self.plan.known))

    def count(self, records: Sequence[CallRecord]) -> None:
        """Count records that were written to the store, and tell the observer."""
        for record in records:
            self.tally.add(record)
            self.observer.finished(record)
