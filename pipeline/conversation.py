"""The data classes that all stages share: words, turns, transcripts, conversations, scorecards, records.

They are frozen dataclasses that hold tuples. Times are seconds from the start of the recording, as float, and
None where a source (chat, e-mail) has none. ``contract`` turns them into public JSON. At run time this module
imports only the standard library and ``errors``, so any stage may import it.
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
"""The sample rate of the speech engine; every recording is resampled to it when it is decoded."""

NO_SPEECH = "no speech was found"
"""The message for a recording in which nobody speaks."""

Role = Literal["agent", "customer", "system", "unknown"]
RoleSpan = tuple[Role, float, float]
"""A span of speech: the speaker's role, and start and end in seconds."""
Direction = Literal["inbound", "outbound", "internal", "unknown"]
Medium = Literal["voice", "chat", "email"]
SentimentLabel = Literal["negative", "neutral", "positive"]
Answer = Literal["yes", "no", "na", "undetermined"]
Awaited = Literal["people", "judge"]
"""What an answer waits for: enough agreement with people to be scored, or a judge that could not be asked."""
Outcome = Literal["pass", "fail", "needs_review", "not_scored"]
LedgerStatus = Literal["scored", "skipped", "failed", "quarantined", "purged"]
FirstParty = Literal["agent", "customer"]
DoubtKind = Literal["recognised_weakly", "other_language", "too_quiet", "clipped"]
"""Why words may be wrong: some were recognised with low confidence and may be invented; all may be invented,
as the call is in another language than declared; some may be missing, as speech is too faint, or clipped."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A warning that affects answers: words of the call may be invented or missing.

    Attributes:
        said: What is wrong, as a sentence for people; it is also one of the warnings.
        role: Whose words are affected; None for everybody's.
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
        warnings: Sentences for people about what was wrong with the file or was repaired.
        codec: Codec of the file, e.g. ``wav/ulaw``, ``mp3``, ``ogg/opus``.
        source_sample_rate_hz: Sample rate of the file; the audio has no frequencies above half of it.
        doubled_s: Spans (start, end) in seconds in which two channels carried the same sound, which was then
            kept on the first of them only.
        doubts: Those of the warnings that affect answers.
    """

    samples: npt.NDArray[np.float32]
    warnings: tuple[str, ...] = ()
    codec: str = ""
    source_sample_rate_hz: int = SAMPLE_RATE_HZ
    doubled_s: tuple[tuple[float, float], ...] = ()
    doubts: tuple[Doubt, ...] = ()

    @property
    def n_channels(self) -> int:
        """Number of channels."""
        return int(self.samples.shape[0])

    @property
    def duration_s(self) -> float:
        """Length of the recording in seconds."""
        return float(self.samples.shape[1]) / SAMPLE_RATE_HZ


def _reduce(item: Any) -> tuple[type[Any], tuple[Any, ...]]:
    """Pickle as one constructor call, which is three times as fast; processes exchange thousands of words."""
    return type(item), tuple([getattr(item, name) for name in item.__slots__])


@dataclass(frozen=True, slots=True)
class Word:
    """One recognised word; ``text`` has no surrounding spaces, ``confidence`` is 0..1."""

    text: str
    start_s: float
    end_s: float
    confidence: float | None = None

    __reduce__ = _reduce


@dataclass(frozen=True, slots=True)
class Sentiment:
    """A sentiment ``score`` from -1 (negative) to 1 (positive), and its label."""

    score: float
    label: SentimentLabel


@dataclass(frozen=True, slots=True)
class Turn:
    """Uninterrupted speech of one speaker, or one message of a chat or e-mail.

    Attributes:
        turn: Position in the conversation, from 0.
        text: What was said, as recognised or written.
        start_s: Start in seconds from the start of the recording; None for text without times.
        end_s: End in seconds; never before ``start_s``.
        channel: Index of the audio channel; None when unknown or mono.
        confidence: Mean word probability 0..1; None when the source gives none.
        words: The words with their times; empty when the source gives none.
        language: ISO 639-1 code when known.
        sentiment: Filled by ``annotate``.
        speaker: The source's name, number or label for the speaker. ``speakers`` removes it when it assigns
            roles, because it may be a person's name or telephone number.
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
    """What produced a transcript; ``fingerprint`` changes whenever its output may change."""

    name: str
    model: str
    fingerprint: str = ""


@dataclass(frozen=True, slots=True)
class Transcript:
    """Who said what and when, from a recogniser, a chat or an e-mail.

    ``channels`` is the number of audio channels used (1 = mono, speakers guessed; 2 = one speaker per
    channel; 0 = no audio). ``role_confidence`` (0..1) says how sure it is who the agent is and who the
    customer; it is None when the source states the roles. ``warnings`` are sentences for people, ``doubts``
    those of the warnings that affect answers.
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
        """The same transcript with further doubts, and their sentences added to the warnings."""
        more = tuple(doubts)
        warnings = (*self.warnings, *(doubt.said for doubt in more))
        return replace(self, warnings=warnings, doubts=(*self.doubts, *more))

    def said_of(self, *kinds: DoubtKind) -> tuple[str, ...]:
        """The sentences of doubts of these kinds."""
        return tuple(doubt.said for doubt in self.doubts if doubt.kind in kinds)


@dataclass(frozen=True, slots=True)
class CallMetadata:
    """What the telephone system or a manifest says about a call.

    Attributes:
        call_id: The call's key in the store: from the source, else made from the audio's SHA-256.
        started_at: Aware datetime; None when the source does not say (never guessed).
        timezone: IANA name of the site's zone, for day and shift boundaries.
        agent_channel: Audio channel of the agent; None when the source does not say.
        hold_spans: Spans (start, end) in seconds that the telephone system reports as hold.
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
        """The site's time zone; UTC where it is not given or not known."""
        try:
            return zoneinfo.ZoneInfo(self.timezone or "UTC")
        except (zoneinfo.ZoneInfoNotFoundError, ValueError):
            return zoneinfo.ZoneInfo("UTC")

    @property
    def started_local(self) -> dt.datetime | None:
        """The start in the site's local time, as a naive datetime."""
        return self.started_at and self.started_at.astimezone(self.zone).replace(tzinfo=None)


Noted = Literal["name", "clock", "start", "table"]
"""``name``: a file name does not fit its template; ``clock``: two sources disagree about the time;
``start``: a start was given, but not in a form with one meaning; ``table``: a list of calls was not used."""


@dataclass(frozen=True, slots=True)
class Received:
    """A file as ``intake`` found it, before it is opened.

    Attributes:
        kind: A ``recording`` is transcribed first, a ``transcript`` goes straight to ``annotate``.
        sha256: Hex digest of the bytes; None when they could not be read.
        metadata: What is known about the call; None when the file cannot become a call.
        fault: Why it cannot become a call; its ``reason`` goes to the ledger.
        part: Number of the dialog inside a vCon; None for any other file.
        container: The vCon file, where ``path`` is not it (for its second and later dialogs).
        warnings: Sentences for people, e.g. two sources disagree about the start time.
        noted: Kinds of warnings that concern the whole batch.
        media: The recording that a vCon only refers to, where it was found on this machine.
        first_party: Who the first party of a transcript is, from the settings for its folder.
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
"""The kinds of findings that callqa looks for without a user's own phrase lists."""
TIMING_FINDINGS = frozenset({"hold", "interruption", "overtalk", "silence"})
"""Those that depend on when people speak, not on their words."""
LISTED_FINDINGS = FINDING_KINDS - TIMING_FINDINGS - {"competitor"}
"""Those found by callqa's own lists of words, which know the languages ``text.language.LISTED``."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A fact found in a call, and where.

    Attributes:
        kind: One of ``FINDING_KINDS``, or a kind that a user's own phrase list adds.
        label: The label within its kind, e.g. ``churn``.
        turn: The turn it was found in; None for facts of the whole call.
        text: The words themselves (placeholders such as ``[CARD]`` for private data).
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
    """Sentiment of one role over the call; ``quarters`` has None where the role is silent."""

    score: float
    quarters: tuple[float | None, float | None, float | None, float | None]
    change: float | None
    lowest_score: float
    lowest_turn: int


@dataclass(frozen=True, slots=True)
class Conversation:
    """A transcript with everything that ``annotate`` found in it.

    ``metrics`` maps the names listed in ``pipeline.metrics`` to a number, or to None where the recording
    cannot tell (mono, no times): None means "unknown", not zero.
    """

    transcript: Transcript
    findings: tuple[Finding, ...] = ()
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    sentiment: Mapping[str, RoleSentiment] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evidence:
    """A quote that an answer rests on, with who said it, when, and the rule that matched.

    ``start_s`` and ``end_s`` are the times of the quote's words, not of their whole turn.
    """

    turn: int | None
    role: Role
    start_s: float | None
    end_s: float | None
    quote: str
    rule: str
    strength: float = 1.0

    __reduce__ = _reduce


@dataclass(frozen=True, slots=True)
class Searched:
    """What a rule looked for and where, so that a person can check why it found nothing."""

    what: str
    role: str = "any"
    start_s: float | None = None
    end_s: float | None = None
    turns: int = 0

    __reduce__ = _reduce


@dataclass(frozen=True, slots=True)
class CriterionAnswer:
    """The answer to one criterion, with the points it earned and what it still waits for, if anything."""

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

    __reduce__ = _reduce

    def with_evidence(self, change: Callable[[Evidence], Evidence]) -> CriterionAnswer:
        """The same answer with each piece of evidence changed, and the nearest miss too."""
        nearest = change(self.nearest) if self.nearest else None
        return replace(self, evidence=tuple(map(change, self.evidence)), nearest=nearest)


@dataclass(frozen=True, slots=True)
class SectionScore:
    """The score of one section, 0..100, or None when none of its criteria applied."""

    id: str
    score: float | None
    criteria: tuple[CriterionAnswer, ...]
    weight: float = 1.0
    auto_failed: bool = False


@dataclass(frozen=True, slots=True)
class RubricRef:
    """Identifies a rubric and, by the ``hash`` of its content, exactly one text of it."""

    id: str
    version: str
    hash: str


@dataclass(frozen=True, slots=True)
class Scorecard:
    """The answers and scores of one call under one rubric.

    ``raw_score`` ignores auto-fails, ``final_score`` applies the rubric's policy for them; both are 0..100,
    or None when nothing could be scored. ``scorer`` is the fingerprint of what gave the answers: the same
    scorer gives the same criterion the same answer.
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
        """The same scorecard with each answer changed; the scores stay as they are."""
        sections = (replace(s, criteria=tuple(map(change, s.criteria))) for s in self.sections)
        return replace(self, sections=tuple(sections))

    @property
    def why(self) -> str:
        """Why the call did not pass: auto-fails, review reasons, or the costliest misses; "" when it did."""
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


def _first(reasons: Sequence[str], count: int, separator: str) -> str:
    """The first ``count`` reasons, and how many more there are."""
    more = len(reasons) - count
    return separator.join(reasons[:count]) + (f", and {more} more" if more > 0 else "")


@dataclass(frozen=True, slots=True)
class StageRun:
    """One stage's work on one call: how long it took and under which fingerprint.

    The stage ``judge`` has one per criterion that a language model was asked about, with the cost of the
    answer when it was first asked. The attributes below are filled only there.

    Attributes:
        calls: Requests to the language model.
        prompt_tokens: Tokens it read, as its server counts.
        answer_tokens: Tokens it wrote.
        result: The kind of result: ``rubric.judging.Result``.
        asked: Requests made in this run; 0 where the answer was kept from an earlier run.
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
    """What became of one received file; every file has exactly one row in the ledger.

    ``fingerprint`` is a digest of everything the result depends on (audio, metadata, engine, annotator,
    rubrics, options): a file whose stored row has the same fingerprint need not be processed again.
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

    ``metadata``, ``conversation`` and ``scorecards`` are missing when the file did not become a call.
    """

    ledger: LedgerEntry
    metadata: CallMetadata | None = None
    conversation: Conversation | None = None
    scorecards: tuple[Scorecard, ...] = ()
    stages: tuple[StageRun, ...] = ()


ReviewState = Literal["submitted", "acknowledged", "disputed", "upheld", "overturned"]


@dataclass(frozen=True, slots=True)
class Review:
    """A reviewer's opinion on one answer or on a whole scorecard; it never replaces the machine's answer.

    Attributes:
        review_id: Digest of the other fields; saving the same review again changes nothing.
        rubric_hash: Hash of the rubric text that the reviewer used.
        criterion_id: None for a review of the whole scorecard (acknowledged, disputed, a comment).
        machine_answer: The machine's answer at the time of the review.
        human_answer: The reviewer's answer; None when the reviewer gave none.
        reviewed_at: Aware datetime.
        state: ``submitted`` for answers; agents acknowledge or dispute, supervisors uphold or overturn.
        source: The file it was imported from.
        extra: ``grade`` and ``machine_grade`` on a graded scale; ``blind``, the packet of the review, when
            the machine's answers were hidden; ``how``, when the whole call was confirmed at once.
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
        """The reviewer's grade on a graded scale, else the answer."""
        return self.extra.get("grade") or self.human_answer

    @property
    def machine_said(self) -> str | None:
        """The machine's grade on a graded scale, else its answer."""
        return self.extra.get("machine_grade") or self.machine_answer

    @property
    def is_confirmation(self) -> bool:
        """Whether it only confirms an answer with the whole call; a person's own answer counts before it."""
        return "how" in self.extra


@dataclass(frozen=True, slots=True)
class SampledCall:
    """A call drawn for review, and how; rates can be estimated only from draws with a known probability."""

    sample_id: str
    call_id: str
    method: Literal["random", "risk"]
    stratum: str
    seed: int | None
    probability: float | None
    reason: str
    created_at: dt.datetime
    extra: Mapping[str, str] = field(default_factory=dict)
