"""The nouns every stage speaks: words, turns, transcripts, conversations, scorecards.

Frozen dataclasses with tuples inside. Times are seconds from the start of the recording, as
float, and ``None`` where a source (chat, e-mail) has none. Their public JSON is ``contract``'s: every
file carries ``"schema": "callqa.<noun>/1"``.
This module imports the standard library and ``errors`` only, so any stage may import it
(numpy by name only, for the type of a clip's samples).
"""

from __future__ import annotations

import datetime as dt
import zoneinfo
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pipeline.errors import RecordingError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

SAMPLE_RATE_HZ = 16_000
"""Every clip is resampled to this rate once, on decoding: it is what the recogniser hears."""

NO_SPEECH = "no speech was found"
"""Said of a recording in which nobody speaks."""

Role = Literal["agent", "customer", "system", "unknown"]
Direction = Literal["inbound", "outbound", "internal", "unknown"]
Medium = Literal["voice", "chat", "email"]
SentimentLabel = Literal["negative", "neutral", "positive"]
Answer = Literal["yes", "no", "na", "undetermined"]
Awaited = Literal["people", "judge"]
"""What an answer waits for: people who confirm answers like it; a language model that could not be asked."""
Outcome = Literal["pass", "fail", "needs_review", "not_scored"]
LedgerStatus = Literal["scored", "skipped", "failed", "quarantined", "purged"]
FirstParty = Literal["agent", "customer"]
DoubtKind = Literal["recognised_weakly", "other_language", "too_quiet", "clipped"]
"""Words may be invented; all of them may be, being in another language than declared; words may be missing
without a trace, because speech is faint; or because samples are cut off at full scale."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning that answers depend on: why words of a call may be invented or missing.

    Attributes:
        kind: What is wrong.
        said: The same in a sentence for people, which stands among the warnings too.
        role: Whose words; None: anybody's.
    """

    kind: DoubtKind
    said: str
    role: Role | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AudioClip:
    """Decoded audio of one recording.

    Attributes:
        samples: float32, shape (n_channels, n_samples), nominally -1..1, at ``SAMPLE_RATE_HZ``. A long
            recording is a ``numpy.memmap`` of an unlinked temporary file: read it by slices.
        warnings: Sentences for people about what was wrong with the file or mended in it.
        codec: Of the source, e.g. ``wav/ulaw``, ``mp3``, ``ogg/opus``.
        source_sample_rate_hz: Of the source; half of it bounds the bandwidth heard.
        doubled_s: Seconds (start, end) in which two channels carried the same sound; kept on the first alone.
        doubts: Which of the warnings answers depend on.
    """

    samples: npt.NDArray[np.float32]
    warnings: tuple[str, ...] = ()
    codec: str = ""
    source_sample_rate_hz: int = SAMPLE_RATE_HZ
    doubled_s: tuple[tuple[float, float], ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def n_channels(self) -> int:
        """How many channels the recording has."""
        return int(self.samples.shape[0])

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return float(self.samples.shape[1]) / SAMPLE_RATE_HZ


def _by_values(noun: Any) -> tuple[type[Any], tuple[Any, ...]]:
    """Pickled as one call, three times as fast: thousands of words and answers cross processes."""
    return type(noun), tuple([getattr(noun, name) for name in noun.__slots__])


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; ``text`` has no surrounding space, ``confidence`` is 0..1."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None

    __reduce__ = _by_values


@dataclass(frozen=True, slots=True)
class Sentiment:
    """``score`` in -1 (negative) .. 1 (positive) and its three-way label."""

    score: float
    label: SentimentLabel


@dataclass(frozen=True, slots=True)
class Turn:
    """One speaker's uninterrupted stretch of speech (or one chat message).

    Attributes:
        turn: Position in the conversation, from 0.
        role: Who speaks.
        text: What was said, as recognised or written.
        start_s: Start in seconds from the start of the recording; None for text without times.
        end_s: End in seconds; never before ``start_s``.
        channel: Audio channel index it was heard on; None when unknown or mono.
        confidence: Mean word probability 0..1; None when the source gives none.
        words: Word times, empty when the source gives none.
        language: ISO 639-1 code when known.
        sentiment: Filled by ``annotate``.
        speaker: How the source tells this speaker from the others: a name, a number, a party. Only until
            ``speakers`` has given roles: it may be somebody's name or telephone number, and is not kept.
    """

    turn: int
    role: Role
    text: str
    start_s: float | None = None
    end_s: float | None = None
    channel: int | None = None
    confidence: float | None = None
    words: tuple[Word, ...] = ()
    language: str | None = None
    sentiment: Sentiment | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Engine:
    """What produced a transcript; ``fingerprint`` changes when its output could."""

    name: str
    model: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Who said what when, from any recogniser, chat or e-mail.

    ``channels`` is the number of audio channels that were told apart (1 = mono, speakers
    guessed; 2 = one speaker a channel; 0 = no audio). ``role_confidence`` (0..1) is how sure it is
    who is agent and who customer, None when the source states the roles itself. ``warnings`` are
    sentences for people, ``doubts`` those of them that answers depend on.
    """

    call_id: str
    turns: tuple[Turn, ...]
    language: str | None = None
    duration_s: float | None = None
    engine: Engine = Engine(name="unknown", model="unknown")
    channels: int = 0
    medium: Medium = "voice"
    warnings: tuple[str, ...] = ()
    role_confidence: float | None = None
    doubts: tuple[Doubt, ...] = ()

    def doubted(self, doubts: Iterable[Doubt]) -> Transcript:
        """The same with further doubts, and their sentences among the warnings."""
        more = tuple(doubts)
        warnings = (*self.warnings, *(doubt.said for doubt in more))
        return replace(self, warnings=warnings, doubts=(*self.doubts, *more))

    def said_of(self, *kinds: DoubtKind) -> tuple[str, ...]:
        """The sentences of doubts of these kinds."""
        return tuple(doubt.said for doubt in self.doubts if doubt.kind in kinds)


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """What the telephone system knows about a call.

    Attributes:
        call_id: Identity in the store. From the source, else from the audio's SHA-256.
        started_at: Aware datetime; None when the source does not say (never guessed).
        timezone: IANA name of the site's zone, for day and shift boundaries.
        agent_channel: Audio channel of the agent; None to use the default or the evidence.
        hold_spans: Seconds (start, end) the telephone system reports as hold.
        extra: Any other columns of the source, kept for conditions and SQL.
    """

    call_id: str
    client: str | None = None
    site: str | None = None
    queue: str | None = None
    team: str | None = None
    agent_id: str | None = None
    agent_name: str | None = None
    customer_ref: str | None = None
    direction: Direction = "unknown"
    medium: Medium = "voice"
    started_at: dt.datetime | None = None
    timezone: str | None = None
    language: str | None = None
    agent_channel: int | None = None
    hold_spans: tuple[tuple[float, float], ...] = ()
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def zone(self) -> zoneinfo.ZoneInfo:
        """The site's zone; UTC where it is not given or unknown."""
        try:
            return zoneinfo.ZoneInfo(self.timezone or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return zoneinfo.ZoneInfo("UTC")

    @property
    def started_local(self) -> dt.datetime | None:
        """The start by the site's own clock, without zone."""
        return self.started_at and self.started_at.astimezone(self.zone).replace(tzinfo=None)


Noted = Literal["name", "clock"]
"""A file name that does not fit its template; two sources that disagree about the time."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file that came in, before anyone has listened to it.

    Attributes:
        path: Where it lies.
        kind: a ``recording`` is transcribed first, a ``transcript`` goes straight to ``annotate``.
        sha256: Hex digest of the bytes; None when they could not be read.
        metadata: What is known of the call; None when the file cannot become one.
        fault: Why it cannot become a call; its ``reason`` goes to the ledger.
        part: Number of the dialog inside a vCon that this is; None for a file of its own.
        container: The vCon, where ``path`` is not it (its second and later dialogs).
        warnings: Sentences for people, e.g. two sources that disagree about the start time.
        noted: Kinds of warnings that concern the whole batch.
        media: The recording itself, where the vCon only names it and it was found on this machine.
        first_party: Who the first party of a transcript is, by the settings of its place.
    """

    path: Path
    kind: Literal["recording", "transcript"]
    sha256: str | None
    metadata: CallMetadata | None
    size_bytes: int | None = None
    mtime_ns: int | None = None
    fault: RecordingError | None = None
    warnings: tuple[str, ...] = ()
    part: int | None = None
    container: Path | None = None
    noted: frozenset[Noted] = frozenset()
    media: Path | None = None
    first_party: FirstParty | None = None


FINDING_KINDS = frozenset({
    "apology", "call_kind", "closing", "competitor", "contact_reason", "disclosure", "empathy", "greeting",
    "hold", "interruption", "lowest_point", "offer_help", "overtalk", "pause", "pii", "profanity", "promise",
    "risk", "silence", "topic",
})  # fmt: skip
"""Families of facts callqa looks for by itself."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact heard in the call, with where it was heard.

    Attributes:
        kind: Family: one of ``FINDING_KINDS``, or one that a user's own phrase list adds.
        label: Which one of the family, e.g. ``churn``.
        turn: Turn it was heard in; None for facts of the whole call.
        text: The words themselves (typed placeholders for private data).
        value: Number or normalised value where one applies, e.g. seconds of silence.
        source: Versioned name of the component that found it, e.g. ``callqa.risk.v1``.
    """

    kind: str
    label: str
    turn: int | None
    start_s: float | None
    end_s: float | None
    text: str
    value: float | str | None
    source: str


@dataclass(frozen=True, slots=True)
class RoleSentiment:
    """Sentiment of one role over the call; ``quarters`` has None where the role was silent."""

    score: float
    quarters: tuple[float | None, float | None, float | None, float | None]
    change: float | None
    lowest_score: float
    lowest_turn: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A transcript with everything ``annotate`` heard in it.

    ``metrics`` maps the names listed in ``pipeline.metrics`` to a number, or to None where the
    recording cannot tell (mono, no times): None is "unknown", never zero.
    """

    transcript: Transcript
    findings: tuple[Finding, ...] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    sentiment: Mapping[str, RoleSentiment] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer rests on: the quote, who said it, when, and the rule that fired.

    ``start_s`` and ``end_s`` are of the quote's words, not of the turn they stand in.
    """

    turn: int | None
    role: Role
    start_s: float | None
    end_s: float | None
    quote: str
    rule: str
    strength: float = 1.0

    __reduce__ = _by_values


@dataclass(frozen=True, slots=True)
class Searched:
    """Where a rule looked, so that a miss can be checked by a person."""

    what: str
    role: str = "any"
    start_s: float | None = None
    end_s: float | None = None
    turns: int = 0

    __reduce__ = _by_values


@dataclass(frozen=True, slots=True)
class CriterionAnswer:
    """The answer to one criterion with the points it earned, and what it waits for, if anything."""

    id: str
    answer: Answer
    points: float | None
    max_points: float
    weight: float
    critical: bool = False
    scored: bool = True
    evidence: tuple[Evidence, ...] = ()
    searched: Searched | None = None
    nearest: Evidence | None = None
    reason: str = ""
    awaits: Awaited | None = None

    __reduce__ = _by_values

    def with_evidence(self, change: Callable[[Evidence], Evidence]) -> CriterionAnswer:
        """The same answer with another form of all it rests on, the nearest miss included."""
        nearest = change(self.nearest) if self.nearest else None
        return replace(self, evidence=tuple(map(change, self.evidence)), nearest=nearest)


@dataclass(frozen=True, slots=True)
class SectionScore:
    """One section's score 0..100, or None when nothing in it applied."""

    id: str
    score: float | None
    criteria: tuple[CriterionAnswer, ...]
    weight: float = 1.0
    auto_failed: bool = False


@dataclass(frozen=True, slots=True)
class RubricRef:
    """Which rubric, and exactly which text of it: ``hash`` is of its content."""

    id: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """One call answered against one rubric.

    ``raw_score`` ignores auto-fails, ``final_score`` applies the rubric's policy; both are
    0..100, or None when nothing could be scored. ``scorer`` is the fingerprint of what gave the
    answers: under the same one, the same criterion has the same answer.
    """

    call_id: str
    rubric: RubricRef
    raw_score: float | None
    final_score: float | None
    outcome: Outcome
    sections: tuple[SectionScore, ...]
    autofail_reasons: tuple[str, ...] = ()
    review_reasons: tuple[str, ...] = ()
    critical_score: float | None = None
    pass_mark: float | None = None
    warnings: tuple[str, ...] = ()
    scorer: str = ""

    @property
    def answers(self) -> tuple[CriterionAnswer, ...]:
        """Every answer, in the rubric's order."""
        return tuple(answer for section in self.sections for answer in section.criteria)

    def with_answers(self, change: Callable[[CriterionAnswer], CriterionAnswer]) -> Scorecard:
        """The same card with another form of each answer; its figures stay."""
        sections = (replace(s, criteria=tuple(map(change, s.criteria))) for s in self.sections)
        return replace(self, sections=tuple(sections))

    @property
    def why(self) -> str:
        """Why it did not pass: the auto-fails, the doubts, or the dearest misses; "" when it did."""
        if self.outcome == "pass":
            return ""
        if self.autofail_reasons:
            return "auto-fail: " + _first(self.autofail_reasons, 2, "; ")
        if self.review_reasons:
            return _first(self.review_reasons, 1, "; ")
        missed = [a for a in self.answers if a.scored and a.answer == "no"]
        missed.sort(key=lambda a: -(a.max_points - (a.points or 0.0)) * a.weight)
        if missed:
            return "missed " + _first([a.id for a in missed], 3, ", ")
        below = self.outcome == "fail" and self.pass_mark is not None
        return f"below the pass mark of {self.pass_mark:g}" if below else ""


def _first(told: Sequence[str], count: int, between: str) -> str:
    """The first of several, and how many more there are."""
    more = len(told) - count
    return between.join(told[:count]) + (f", and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage's work on one call: how long it took and under which fingerprint.

    A language model's has a row a criterion, with what the answer cost when it was asked.

    Attributes:
        rubric_id: Whose criterion a language model was asked about; "" for other stages.
        criterion_id: Which criterion it was asked about; "" for other stages.
        calls: Requests to it.
        prompt_tokens: Tokens it read, as its server counts.
        answer_tokens: Tokens it wrote.
        result: What came of it: ``rubric.judging.Result``.
        asked: Requests of this very run, 0 where the answer was kept from before.
    """

    stage: str
    fingerprint: str
    engine: str
    model: str
    seconds: float
    rubric_id: str = ""
    criterion_id: str = ""
    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0
    result: str = ""
    asked: int = 0


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """What became of one file received. The ledger adds up: every file has exactly one row.

    ``fingerprint`` is of everything the result depends on (audio, metadata, engine, annotator,
    rubrics, options): a file whose stored row has the same one needs no work.
    """

    path: str
    audio_sha256: str | None
    call_id: str | None
    status: LedgerStatus
    reason: str = ""
    stage: str = ""
    error: str = ""
    hint: str = ""
    size_bytes: int | None = None
    mtime_ns: int | None = None
    warnings: tuple[str, ...] = ()
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class CallRecord:
    """Everything the store keeps of one processed file, loaded in one transaction.

    ``metadata``, ``conversation`` and ``scorecards`` are absent when the file never became a call.
    """

    ledger: LedgerEntry
    metadata: CallMetadata | None = None
    conversation: Conversation | None = None
    scorecards: tuple[Scorecard, ...] = ()
    stages: tuple[StageRun, ...] = ()


ReviewState = Literal["submitted", "acknowledged", "disputed", "upheld", "overturned"]


@dataclass(frozen=True, slots=True)
class Review:
    """What a person said about one answer, or about a whole scorecard. Never replaces the machine's.

    Attributes:
        review_id: Digest of the rest; saving the same review again changes nothing.
        rubric_hash: The exact rubric text the person answered.
        criterion_id: None for a review of the whole scorecard (acknowledged, disputed, a comment).
        machine_answer: What the machine had answered then.
        human_answer: None when the person gave no answer of their own.
        reviewed_at: Aware datetime.
        state: ``submitted`` for answers; agents acknowledge or dispute, supervisors uphold or overturn.
        source: File it came in.
        extra: ``grade`` and ``machine_grade`` on a graded scale; ``blind``, the packet it was said in,
            when the machine's answers were hidden; ``how``, when the whole call was confirmed at once.
    """

    review_id: str
    call_id: str
    rubric_hash: str
    criterion_id: str | None
    machine_answer: str | None
    human_answer: str | None
    reviewer: str
    reviewed_at: dt.datetime
    reason: str = ""
    state: ReviewState = "submitted"
    source: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)

    @property
    def said(self) -> str | None:
        """The person's grade on a graded scale, else the answer."""
        return self.extra.get("grade") or self.human_answer

    @property
    def machine_said(self) -> str | None:
        """The machine's grade on a graded scale, else its answer."""
        return self.extra.get("machine_grade") or self.machine_answer


@dataclass(frozen=True, slots=True)
class SampledCall:
    """One call chosen for review, and how: only draws with a known probability say anything about rates."""

    sample_id: str
    call_id: str
    method: Literal["random", "risk"]
    stratum: str
    seed: int | None
    probability: float | None
    reason: str
    created_at: dt.datetime
    extra: Mapping[str, str] = field(default_factory=dict)
