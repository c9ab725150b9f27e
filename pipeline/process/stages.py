"""Builds the stages that a worker uses for every call; no other module imports all of them.

The speech engine and the annotator hold models; the rest are functions. The other modules of ``process`` use
stages only through the class ``Stages``, so that tests can pass fakes and no stage depends on another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import pipeline
from pipeline import annotate, audio, intake, matching, privacy, score, speakers, transcribe
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    Conversation,
    FirstParty,
    Received,
    Scorecard,
    Transcript,
)
from pipeline.errors import FULL, RecordingError
from pipeline.interpreter import one_blas_thread
from pipeline.process.again import SecondPass, Wanted
from pipeline.process.cache import digest
from pipeline.process.judging import NO_STANDINGS, Standings, is_asked, load_judge
from pipeline.rubric import Rubric, select
from pipeline.rubric.judging import Judge
from pipeline.rubric.queries import Matcher
from pipeline.settings import Settings, TranscribeSettings
from pipeline.transcribe import Job, SpeechEngine
from pipeline.transcribe.again import parts_of

if TYPE_CHECKING:
    from pipeline.judge import LanguageModel

TRANSCRIPT_REVISION = 7
"""Increase this when a change to decoding, speakers or redaction changes what transcripts say."""
AGAIN_SHARE = 0.5
"""The largest share of the speech time of a call that is transcribed again."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """Digests of everything that results depend on besides the file and its metadata.

    Attributes:
        transcript: Digest of what shapes a transcript: engine, audio, speaker and privacy options.
        answers: Digest of what shapes the answers, given a transcript: annotator, rubrics and options.
    """

    transcript: str
    answers: str


@dataclass(frozen=True, slots=True)
class Stages:
    """Every stage, ready to use.

    Attributes:
        load_audio: Decodes a recording to a clip; refuses one that holds no call.
        read_transcript: Reads a transcript file of any known format.
        assign_and_redact: Assigns roles and removes private data; the clip is None for transcript files.
        score: For each of several calls, its scorecards under the rubrics that apply; none where none does.
        fingerprints: Digests of the stages and their options.
        load_lazy: Loads now what a stage would load with the first call, where it will surely be needed.
        again: Transcribes again the words that decide answers; None where the settings do not ask for it.
        judge: The language model that ``score`` asks; None where it asks none.
    """

    engine: SpeechEngine
    annotator: annotate.Annotator
    load_audio: Callable[[Received], AudioClip]
    read_transcript: Callable[[Received], Transcript]
    assign_and_redact: Callable[[Transcript, AudioClip | None, CallMetadata, FirstParty | None], Transcript]
    score: Callable[[Sequence[tuple[Conversation, CallMetadata]]], list[tuple[Scorecard, ...]]]
    rubrics: tuple[Rubric, ...]
    fingerprints: Fingerprints
    load_lazy: Callable[[], None] = lambda: None
    again: SecondPass | None = None
    judge: LanguageModel | None = None


def load_stages(
    settings: Settings,
    rubrics: tuple[Rubric, ...],
    fingerprints: Fingerprints,
    standings: Standings = NO_STANDINGS,
) -> Stages:
    """Build every stage and load its models; the speech engine loads its own with the first recording.

    Raises:
        ModelError: Weights are missing or damaged.
    """
    one_blas_thread()
    matcher = matching.load_matcher()
    judge = load_judge(settings, rubrics, standings)
    scoring = _Scoring(rubrics, settings.score.min_confidence, matcher, judge)
    return Stages(
        engine=_LazyEngine(settings.transcribe),
        annotator=annotate.load_annotator(settings.annotate, settings.privacy),
        load_audio=partial(load_audio, settings=settings),
        read_transcript=intake.read_transcript,
        assign_and_redact=partial(assign_and_redact, settings=settings),
        score=scoring.cards,
        rubrics=rubrics,
        fingerprints=fingerprints,
        load_lazy=matcher.load if any(rubric.by_meaning() for rubric in rubrics) else lambda: None,
        again=_second_pass(settings, scoring),
        judge=judge,
    )


def _second_pass(settings: Settings, scoring: _Scoring) -> SecondPass | None:
    again = transcribe.second(settings.transcribe)
    if again is None:
        return None
    return SecondPass(
        _LazyEngine(again, excerpts=True),
        again.model,
        scoring.wanted,
        lambda transcript: privacy.redact(transcript, settings.privacy)[0],
    )


def fingerprints(settings: Settings, rubrics: Sequence[Rubric]) -> Fingerprints:
    """Compute the fingerprints of the settings and rubrics, without loading a model."""
    transcript = digest(
        TRANSCRIPT_REVISION,
        transcribe.fingerprint(settings.transcribe),
        settings.audio.model_dump(mode="json"),
        settings.privacy.redact,
    )
    answers = digest(
        pipeline.__version__,  # scoring is cheap to redo, so it is redone with every release
        matching.fingerprint(),
        annotate.fingerprint(settings.annotate, settings.privacy),
        sorted(r.hash for r in rubrics),
        settings.score.min_confidence,
        settings.intake.min_audio_s,
        *([settings.judge.model] if is_asked(settings, rubrics) else []),
        *([transcribe.fingerprint(again)] if (again := transcribe.second(settings.transcribe)) else []),
    )
    return Fingerprints(transcript, answers)


def load_audio(received: Received, settings: Settings) -> AudioClip:
    """Decode a recording and remove from each channel what belongs to another.

    Raises:
        RecordingError: The recording holds no call, or its temporary file, if it is long, finds no space.
    """
    try:
        with intake.media(received) as path:
            return speakers.clean_channels(audio.load(path, min_duration_s=settings.intake.min_audio_s))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RecordingError(
            f"{received.path.name}: its audio does not fit in {tempfile.gettempdir()}",
            hint="free some space there, or name another folder in TMPDIR, and run again",
            reason="no_room",
        ) from error


def assign_and_redact(
    transcript: Transcript,
    clip: AudioClip | None,
    metadata: CallMetadata,
    first_party: FirstParty | None = None,
    *,
    settings: Settings,
) -> Transcript:
    """Assign roles, then remove private data as the settings say; warnings about the audio come first."""
    assigned = speakers.assign_roles(transcript, clip, metadata, settings.audio, first_party)
    redacted, _ = privacy.redact(assigned, settings.privacy)
    if clip is None:
        return redacted
    warnings, doubts = (*clip.warnings, *redacted.warnings), (*clip.doubts, *redacted.doubts)
    return replace(redacted, warnings=warnings, doubts=doubts)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What is needed to score: the rubrics, a matcher, and a judge where one is asked."""

    rubrics: tuple[Rubric, ...]
    min_confidence: float
    matcher: Matcher
    judge: Judge | None

    def cards(self, calls: Sequence[tuple[Conversation, CallMetadata]]) -> list[tuple[Scorecard, ...]]:
        """The scorecards of each call under the rubrics that apply to it."""
        by_call = self._answers(calls, self.judge)
        return [tuple(answered.card(rubric) for rubric, answered in answers) for answers in by_call]

    def wanted(self, calls: Sequence[tuple[Conversation, CallMetadata]]) -> list[Wanted]:
        """What to transcribe again in each call, by the rubrics that apply to it, without asking a judge."""
        answers = self._answers(calls, None)
        return [
            wanted(*call, answered, min_confidence=self.min_confidence, matcher=self.matcher)
            for call, answered in zip(calls, answers, strict=True)
        ]

    def _answers(
        self, calls: Sequence[tuple[Conversation, CallMetadata]], judge: Judge | None
    ) -> list[list[tuple[Rubric, score.Answered]]]:
        """Answer each call under each rubric that applies to it, all calls of a rubric together."""
        applying = []
        for conversation, metadata in calls:
            said = conversation.transcript
            applying.append(
                select(self.rubrics, metadata, duration_s=said.duration_s, language=said.language)
            )
        by_call: list[dict[str, score.Answered]] = [{} for _ in calls]
        for rubric in self.rubrics:
            places = [place for place, rubrics in enumerate(applying) if rubric in rubrics]
            asked: list[score.Asked] = [(calls[place][1], calls[place][0], {}) for place in places]
            answered = score.answer_calls(
                asked, rubric, min_confidence=self.min_confidence, matcher=self.matcher, judge=judge
            )
            for place, answers in zip(places, answered, strict=True):
                by_call[place][rubric.hash] = answers
        return [
            [(rubric, answers[rubric.hash]) for rubric in rubrics]
            for answers, rubrics in zip(by_call, applying, strict=True)
        ]


def wanted(
    conversation: Conversation,
    metadata: CallMetadata,
    answered: Sequence[tuple[Rubric, score.Answered]],
    *,
    min_confidence: float,
    matcher: Matcher,
) -> Wanted:
    """The words of a call nearest to changing an answer, and the names to expect in them."""
    answers = [(rubric, given.answers) for rubric, given in answered]
    spans = score.words_that_decide(
        conversation, metadata, answers, min_confidence=min_confidence, matcher=matcher
    )
    companies = [name for rubric, _ in answered for name in rubric.company]
    names = dict.fromkeys(name for name in (metadata.agent_name, metadata.client, *companies) if name)
    return Wanted(parts_of(conversation.transcript, spans, AGAIN_SHARE), tuple(names))


class _LazyEngine:
    """The speech engine, loaded at its first use, because transcript files need none."""

    def __init__(self, settings: TranscribeSettings, *, excerpts: bool = False) -> None:
        self._settings, self._excerpts = settings, excerpts
        self._engine: SpeechEngine | None = None
        self.fingerprint = transcribe.fingerprint(settings)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe as ``SpeechEngine.transcribe`` does."""
        self._engine = self._engine or transcribe.load_engine(self._settings, excerpts=self._excerpts)
        return self._engine.transcribe(jobs)
