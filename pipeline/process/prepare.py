"""Before the work: check everything a person may have got wrong, and find out what is new.

Settings, rubrics, paths and database are checked before any model is loaded; a run that has
nothing to do never loads one. ``open`` then loads the models and wires the stages together: this
is the one place that names them all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pipeline
from pipeline import annotate, intake, matchers, models, rubric, score, speakers, transcribe
from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    Conversation,
    FirstParty,
    Received,
    Scorecard,
    Transcript,
)
from pipeline.errors import RecordingError
from pipeline.process.again import SecondHearing, Wanted, wanted
from pipeline.process.batch import Batch, Nobody, Observer, Plan, plan
from pipeline.process.cache import StageCache
from pipeline.process.capacity import threads_per_worker
from pipeline.process.files import load_sound
from pipeline.process.tools import Fingerprints, Tools, digest
from pipeline.rubric import Rubric
from pipeline.rubric.queries import Matcher
from pipeline.settings import Settings, TranscribeSettings
from pipeline.store import Store

OnWait = Callable[[str], None]
SHOWN_QUEUES = 5
"""How many queues one sentence names."""
HEARING_REVISION = 3
"""Raised when decoding, speakers or redaction change what a transcript says."""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A batch whose inputs are sound; ``open`` loads the models.

    Attributes:
        notes: What a person should know of the files received, a sentence each.
    """

    plan: Plan
    settings: Settings
    rubrics: tuple[Rubric, ...]
    fingerprints: Fingerprints
    on_wait: OnWait | None = None
    reworded: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    def open(self, observer: Observer | None = None) -> Batch:
        """Everything to carry the plan out; models are loaded when first used."""
        settings = self.settings
        if any(item.kind == "recording" for item in self.plan.pending):
            slow = transcribe.warning(settings.transcribe)  # measured here, not by workers beside each other
            if slow and self.on_wait:
                self.on_wait(slow)
        if settings.flow.runner != "thread" and not settings.transcribe.threads:
            shared = {"threads": threads_per_worker(settings.flow)}
            settings = settings.model_copy(
                update={"transcribe": settings.transcribe.model_copy(update=shared)}
            )
        return Batch(
            plan=self.plan,
            make_tools=partial(load_tools, settings, self.rubrics, self.fingerprints),
            cache=StageCache(settings.state_dir),
            load=_Loader(settings, self.rubrics, self.on_wait),
            flow=settings.flow,
            observer=observer or Nobody(),
            reworded=self.reworded,
        )


@dataclass(frozen=True, slots=True)
class _Loader:
    """Puts a window into the store, which is held open for that long only."""

    settings: Settings
    rubrics: tuple[Rubric, ...]
    on_wait: OnWait | None

    def __call__(self, records: Sequence[CallRecord]) -> None:
        """Load in one transaction."""
        with open_store(self.settings, self.on_wait) as store:
            store.load(records, self.rubrics)


def prepare(paths: Sequence[Path], settings: Settings, on_wait: OnWait | None = None) -> Prepared:
    """Check the inputs and find out what is new.

    Args:
        paths: Files, folders and manifests.
        settings: Resolved.
        on_wait: Told in a sentence what slows the work: another process that holds the database, here and in
            every load; a processor whose fastest kernels are not known.

    Raises:
        UsageError: A path, setting or manifest is wrong.
        RubricError: A rubric does not say something answerable.
        ModelError: The model is not known or its weights are not to be found.
        StoreError: The database cannot be used.
    """
    rubrics = load_rubrics(settings)
    under = fingerprints(settings, rubrics)
    again = transcribe.second(settings.transcribe)
    if again is not None and models.locate(again.model).source == "download":
        models.pull(again.model)  # before a whole window has been heard in vain
    store = open_store(settings, on_wait)
    if not store.is_lake and not store.path.exists():  # made by the first load: faults here leave nothing
        received = tuple(intake.discover(paths, settings.intake))
        notes = (*intake.notable(received), *_unnamed_queues(received, rubrics))
        return Prepared(Plan(received), settings, rubrics, under, on_wait, notes=notes)
    with store:
        received = tuple(intake.discover(paths, settings.intake, ledger=store.ledger))
        ledger = store.ledger([str(item.path) for item in received])
        reworded = store.reworded(rubrics)
    notes = (*intake.notable(received), *_unnamed_queues(received, rubrics))
    return Prepared(plan(received, ledger, under), settings, rubrics, under, on_wait, reworded, notes)


def _unnamed_queues(received: Sequence[Received], rubrics: Sequence[Rubric]) -> list[str]:
    """Queues by numbers that no rubric asks for, in a sentence; their calls would be left out."""
    if not all(one.applies_to.queue for one in rubrics):
        return []
    asked = {name.casefold() for one in rubrics for name in one.applies_to.queue}
    queues = [item.metadata.queue or "" for item in received if item.metadata]
    numbers = [queue for queue in queues if queue.isdecimal() and queue not in asked]
    if not numbers:
        return []
    some = sorted(set(numbers))[:SHOWN_QUEUES]
    what = f"{len(numbers)} of {len(received)} calls are of queues {', '.join(some)}, which no rubric is for"
    return [f'{what}; where they have names: [intake] queues = {{"{some[0]}" = "support"}}']


def open_store(settings: Settings, on_wait: OnWait | None = None) -> Store:
    """The store of the settings, for writing; a context manager."""
    return Store(settings.store.db, lock_timeout_s=settings.store.lock_timeout_s, on_wait=on_wait)


def load_rubrics(settings: Settings) -> tuple[Rubric, ...]:
    """The rubrics of the settings, or all that ship.

    Raises:
        RubricError: One of them is wrong.
    """
    return tuple(rubric.load(name) for name in settings.score.rubrics or rubric.shipped())


def fingerprints(settings: Settings, rubrics: Sequence[Rubric]) -> Fingerprints:
    """What results depend on, without loading a model."""
    hearing = digest(
        HEARING_REVISION,
        transcribe.fingerprint(settings.transcribe),
        settings.audio.model_dump(mode="json"),
        settings.privacy.redact,
    )
    judging = digest(
        pipeline.__version__,  # scoring is cheap to redo, so it is redone with every release
        matchers.fingerprint(),
        annotate.fingerprint(settings.annotate, settings.privacy),
        sorted(r.hash for r in rubrics),
        settings.score.min_confidence,
        settings.intake.min_audio_s,
        *([transcribe.fingerprint(again)] if (again := transcribe.second(settings.transcribe)) else []),
    )
    return Fingerprints(hearing, judging)


def load_tools(settings: Settings, rubrics: tuple[Rubric, ...], under: Fingerprints) -> Tools:
    """Every stage, models loaded.

    Raises:
        ModelError: Weights are missing or damaged.
    """
    transcribe.one_thread_each()
    matcher = matchers.load_matcher()

    def load_audio(received: Received) -> AudioClip:
        return load_sound(received, settings)

    def job(clip: AudioClip, metadata: CallMetadata) -> transcribe.Job:
        return transcribe.Job(metadata.call_id, clip, metadata.language)

    def assign_roles(
        transcript: Transcript,
        clip: AudioClip | None,
        metadata: CallMetadata,
        first_party: FirstParty | None = None,
    ) -> Transcript:
        return speakers.assign_roles(transcript, clip, metadata, settings.audio, first_party)

    def redact(transcript: Transcript) -> Transcript:
        return annotate.redact(transcript, settings.privacy)[0]

    def score_calls(asked: Sequence[tuple[Conversation, CallMetadata]]) -> list[tuple[Scorecard, ...]]:
        return _score(asked, rubrics, settings.score.min_confidence, matcher)

    def wanted_of(asked: Sequence[tuple[Conversation, CallMetadata]]) -> list[Wanted]:
        return _wanted(asked, rubrics, settings.score.min_confidence, matcher)

    again = transcribe.second(settings.transcribe)
    return Tools(
        engine=_LazyEngine(settings.transcribe),
        annotator=annotate.load_annotator(settings.annotate, settings.privacy),
        load_audio=load_audio,
        job=job,
        read_transcript=intake.read_transcript,
        assign_roles=assign_roles,
        redact=redact,
        score=score_calls,
        rubrics=rubrics,
        fingerprints=under,
        load_lazy=matcher.load if any(one.by_meaning() for one in rubrics) else lambda: None,
        again=SecondHearing(_LazyEngine(again, excerpts=True), again.model, wanted_of) if again else None,
    )


def _score(
    asked: Sequence[tuple[Conversation, CallMetadata]],
    rubrics: tuple[Rubric, ...],
    min_confidence: float,
    matcher: Matcher,
) -> list[tuple[Scorecard, ...]]:
    """Scorecards of each call under the rubrics that apply to it, a rubric's calls together."""
    found = _answered(asked, rubrics, min_confidence, matcher)
    return [tuple(answered.card(one) for one, answered in answers) for answers in found]


def _answered(
    asked: Sequence[tuple[Conversation, CallMetadata]],
    rubrics: tuple[Rubric, ...],
    min_confidence: float,
    matcher: Matcher,
) -> list[list[tuple[Rubric, score.Answered]]]:
    """The answers of each call under each of the rubrics that apply to it."""
    chosen = [
        rubric.select(
            rubrics, about, duration_s=said.transcript.duration_s, language=said.transcript.language
        )
        for said, about in asked
    ]
    found: list[dict[str, score.Answered]] = [{} for _ in asked]
    for one in rubrics:
        own = [place for place, wanted in enumerate(chosen) if one in wanted]
        calls: list[score.Asked] = [(asked[place][1], asked[place][0], {}) for place in own]
        answered = score.answers(calls, one, min_confidence=min_confidence, matcher=matcher)
        for place, answers in zip(own, answered, strict=True):
            found[place][one.hash] = answers
    return [
        [(one, answers[one.hash]) for one in wanted] for answers, wanted in zip(found, chosen, strict=True)
    ]


def _wanted(
    asked: Sequence[tuple[Conversation, CallMetadata]],
    rubrics: tuple[Rubric, ...],
    min_confidence: float,
    matcher: Matcher,
) -> list[Wanted]:
    """What to hear again in each call, by the rubrics that apply to it."""
    found = _answered(asked, rubrics, min_confidence, matcher)
    return [
        wanted(
            said,
            about,
            [(one, told.answers) for one, told in answers],
            min_confidence=min_confidence,
            matcher=matcher,
        )
        for (said, about), answers in zip(asked, found, strict=True)
    ]


class _LazyEngine:
    """The speech engine, loaded when first asked: transcript files need none."""

    def __init__(self, settings: TranscribeSettings, *, excerpts: bool = False) -> None:
        self._settings, self._excerpts = settings, excerpts
        self._engine: transcribe.Engine | None = None
        self.fingerprint = transcribe.fingerprint(settings)

    def transcribe(self, jobs: Sequence[transcribe.Job]) -> list[Transcript | RecordingError]:
        """As the engine does."""
        self._engine = self._engine or transcribe.load_engine(self._settings, excerpts=self._excerpts)
        return self._engine.transcribe(jobs)
