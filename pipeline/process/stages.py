"""The stages one worker has ready: built once, used for every call; the one place that names them all.

Two of them hold models (the speech engine, the annotator); the rest are functions. The other modules of
``process`` know them only by their shapes here, so a test hands in fakes and no stage meets another.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import pipeline
from pipeline import annotate, audio, intake, matching, rubric, score, speakers, transcribe
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    Conversation,
    FirstParty,
    Received,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.errors import RecordingError
from pipeline.process.again import SecondHearing, Wanted, wanted
from pipeline.process.cache import FULL, digest
from pipeline.process.judging import NOBODY, Standings, is_asked, load_judge
from pipeline.rubric import Rubric
from pipeline.rubric.judging import Judge
from pipeline.rubric.queries import Matcher
from pipeline.settings import Settings, TranscribeSettings
from pipeline.transcribe import Engine, Job

TRANSCRIPT_REVISION = 3
"""Raised when decoding, speakers or redaction change what a transcript says."""


@dataclass(frozen=True, slots=True)
class Fingerprints:
    """What results depend on besides the file and its metadata; known without loading a model.

    Attributes:
        transcript: Of all that shapes a transcript: engine, audio, speaker and privacy options.
        answers: Of all that shapes the answers, given a transcript: annotator, rubrics, options.
    """

    transcript: str
    answers: str


@dataclass(frozen=True, slots=True)
class Stages:
    """Every stage of one call, ready to use.

    Attributes:
        engine: The speech engine.
        annotator: The annotator, models loaded.
        load_audio: A recording to a clip; refuses what holds no call.
        read_transcript: A transcript file of any known format to a transcript.
        assign_and_redact: Who speaks, and private data removed; the clip is None for transcript files.
        score: Scorecards of every rubric that applies, for each of many calls; empty where none does.
        rubrics: Those rubrics, for the store.
        fingerprints: Of all of these and their options.
        load_lazy: Loads what a stage would load with the first call, where it will surely be needed.
        again: Hears again what answers hang on; None where the settings do not ask for it.
        spent: What a language model cost for a call just scored, by call id.
        leave: Called when the run is being ended: nothing more is asked of a language model.
    """

    engine: Engine
    annotator: annotate.Annotator
    load_audio: Callable[[Received], AudioClip]
    read_transcript: Callable[[Received], Transcript]
    assign_and_redact: Callable[[Transcript, AudioClip | None, CallMetadata, FirstParty | None], Transcript]
    score: Callable[[Sequence[tuple[Conversation, CallMetadata]]], list[tuple[Scorecard, ...]]]
    rubrics: tuple[Rubric, ...]
    fingerprints: Fingerprints
    load_lazy: Callable[[], None] = lambda: None
    again: SecondHearing | None = None
    spent: Callable[[str], tuple[StageRun, ...]] = lambda call_id: ()
    leave: Callable[[], None] = lambda: None


def load_stages(
    settings: Settings, rubrics: tuple[Rubric, ...], under: Fingerprints, standings: Standings = NOBODY
) -> Stages:
    """Every stage, models loaded; the speech engine loads with the first recording.

    Raises:
        ModelError: Weights are missing or damaged.
    """
    transcribe.one_thread_each()
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
        fingerprints=under,
        load_lazy=matcher.load if any(one.by_meaning() for one in rubrics) else lambda: None,
        again=_second_hearing(settings, scoring),
        spent=judge.spent if judge is not None else lambda call_id: (),
        leave=judge.leave if judge is not None else lambda: None,
    )


def _second_hearing(settings: Settings, scoring: _Scoring) -> SecondHearing | None:
    again = transcribe.second(settings.transcribe)
    if again is None:
        return None
    return SecondHearing(
        _LazyEngine(again, excerpts=True),
        again.model,
        scoring.wanted,
        lambda transcript: annotate.redact(transcript, settings.privacy)[0],
    )


def fingerprints(settings: Settings, rubrics: Sequence[Rubric]) -> Fingerprints:
    """What results depend on, without loading a model."""
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
    """A recording's sound, each channel without what belongs to another.

    Raises:
        RecordingError: It holds no call; or temporary files, in which long sound waits, have no room.
    """
    try:
        with intake.media(received) as path:
            return speakers.clean_channels(audio.load(path, min_duration_s=settings.intake.min_audio_s))
    except OSError as error:
        if error.errno not in FULL:
            raise
        raise RecordingError(
            f"{received.path.name}: its sound has no room in {tempfile.gettempdir()}",
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
    """Say who speaks, then remove private data by the policy; warnings about the sound come first."""
    assigned = speakers.assign_roles(transcript, clip, metadata, settings.audio, first_party)
    redacted, _ = annotate.redact(assigned, settings.privacy)
    if clip is None:
        return redacted
    warnings, doubts = (*clip.warnings, *redacted.warnings), (*clip.doubts, *redacted.doubts)
    return replace(redacted, warnings=warnings, doubts=doubts)


@dataclass(frozen=True, slots=True)
class _Scoring:
    """What scores: rubrics, the matcher, and a judge where one is asked."""

    rubrics: tuple[Rubric, ...]
    min_confidence: float
    matcher: Matcher
    judge: Judge | None

    def cards(self, asked: Sequence[tuple[Conversation, CallMetadata]]) -> list[tuple[Scorecard, ...]]:
        """Scorecards of each call under the rubrics that apply to it, a rubric's calls together."""
        found = self._answers(asked, self.judge)
        return [tuple(answered.card(one) for one, answered in answers) for answers in found]

    def wanted(self, asked: Sequence[tuple[Conversation, CallMetadata]]) -> list[Wanted]:
        """What to hear again in each call, by the rubrics that apply to it; no judge is asked for that."""
        return [
            wanted(
                said,
                about,
                [(one, told.answers) for one, told in answers],
                min_confidence=self.min_confidence,
                matcher=self.matcher,
            )
            for (said, about), answers in zip(asked, self._answers(asked, None), strict=True)
        ]

    def _answers(
        self, asked: Sequence[tuple[Conversation, CallMetadata]], judge: Judge | None
    ) -> list[list[tuple[Rubric, score.Answered]]]:
        """The answers of each call under each of the rubrics that apply to it."""
        chosen = [
            rubric.select(
                self.rubrics, about, duration_s=said.transcript.duration_s, language=said.transcript.language
            )
            for said, about in asked
        ]
        found: list[dict[str, score.Answered]] = [{} for _ in asked]
        for one in self.rubrics:
            own = [place for place, applying in enumerate(chosen) if one in applying]
            calls: list[score.Asked] = [(asked[place][1], asked[place][0], {}) for place in own]
            answered = score.answers(
                calls, one, min_confidence=self.min_confidence, matcher=self.matcher, judge=judge
            )
            for place, answers in zip(own, answered, strict=True):
                found[place][one.hash] = answers
        return [
            [(one, answers[one.hash]) for one in applying]
            for answers, applying in zip(found, chosen, strict=True)
        ]


class _LazyEngine:
    """The speech engine, loaded when first asked: transcript files need none."""

    def __init__(self, settings: TranscribeSettings, *, excerpts: bool = False) -> None:
        self._settings, self._excerpts = settings, excerpts
        self._engine: Engine | None = None
        self.fingerprint = transcribe.fingerprint(settings)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """As the engine does."""
        self._engine = self._engine or transcribe.load_engine(self._settings, excerpts=self._excerpts)
        return self._engine.transcribe(jobs)
