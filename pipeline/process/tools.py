"""The stages one worker has ready: built once, used for every call.

Two of them hold models (the speech engine, the annotator); the rest are functions. ``process``
knows them only by their shapes here, so a test hands in fakes and no stage meets another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from pipeline.conversation import AudioClip, CallMetadata, Conversation, Scorecard, Transcript
from pipeline.errors import RecordingError
from pipeline.settings import Settings


class Engine(Protocol):
    """Clips to transcripts, many at a time; ``fingerprint`` changes when its output could."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def transcribe(self, jobs: Sequence[Any]) -> list[Transcript | RecordingError]: ...  # noqa: D102


class Annotator(Protocol):
    """Transcripts to conversations; ``fingerprint`` changes when its output could."""

    @property
    def fingerprint(self) -> str: ...  # noqa: D102

    def annotate(  # noqa: D102
        self, transcripts: Sequence[Transcript], metadata: Sequence[CallMetadata]
    ) -> Iterator[Conversation]: ...


@dataclass(frozen=True, slots=True)
class Tools:
    """Every stage of one call, ready to use.

    Attributes:
        engine: The speech engine, models loaded.
        annotator: The annotator, models loaded.
        load_audio: A recording to a clip; refuses what holds no call.
        job: What the engine is asked: the clip, its language, the channels to hear.
        read_transcript: A transcript file of any known format to a transcript.
        assign_roles: ``speakers.assign_roles``; the clip is None for transcript files.
        redact: Removes private data from a transcript before anything of it is written.
        score: Scorecards of every rubric that applies; empty when none does.
        rubrics: Those rubrics, for the store.
        hearing: Fingerprint of all that shapes a transcript, beyond the recording and its metadata.
        judging: Fingerprint of all that shapes the answers, given a transcript.
    """

    engine: Engine
    annotator: Annotator
    load_audio: Callable[[Path], AudioClip]
    job: Callable[[AudioClip, CallMetadata], Any]
    read_transcript: Callable[[Path, str], Transcript]
    assign_roles: Callable[[Transcript, AudioClip | None, CallMetadata], Transcript]
    redact: Callable[[Transcript], Transcript]
    score: Callable[[Conversation, CallMetadata], tuple[Scorecard, ...]]
    rubrics: tuple[Any, ...]
    hearing: str
    judging: str


def digest(*parts: object) -> str:
    """Hex SHA-256 of the canonical JSON of the parts."""
    body = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()


def fingerprints(engine: str, annotator: str, rubrics: Sequence[str], settings: Settings) -> tuple[str, str]:
    """The ``hearing`` and ``judging`` fingerprints, from those of the parts and the options."""
    hearing = digest(engine, settings.audio.model_dump(mode="json"), settings.privacy.model_dump(mode="json"))
    judging = digest(annotator, sorted(rubrics), settings.score.min_confidence, settings.intake.min_audio_s)
    return hearing, judging
