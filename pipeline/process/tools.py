"""The stages one worker has ready: built once, used for every call.

Two of them hold models (the speech engine, the annotator); the rest are functions. ``process``
knows them only by their shapes here, so a test hands in fakes and no stage meets another.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

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
class Fingerprints:
    """What results depend on besides the file and its metadata; known without loading a model.

    Attributes:
        hearing: Of all that shapes a transcript: engine, audio, speaker and privacy options.
        judging: Of all that shapes the answers, given a transcript: annotator, rubrics, options.
    """

    hearing: str
    judging: str


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
        score: Scorecards of every rubric that applies, for each of many calls; empty where none does.
        rubrics: Those rubrics, for the store.
        fingerprints: Of all of these and their options.
        load_lazy: Loads what a stage would load with the first call, where it will surely be needed.
        spent: What a language model cost for a call just scored, by call id.
        leave: Called when the run is being ended: nothing more is asked of a language model.
    """

    engine: Engine
    annotator: Annotator
    load_audio: Callable[[Received], AudioClip]
    job: Callable[[AudioClip, CallMetadata], Any]
    read_transcript: Callable[[Received], Transcript]
    assign_roles: Callable[[Transcript, AudioClip | None, CallMetadata, FirstParty | None], Transcript]
    redact: Callable[[Transcript], Transcript]
    score: Callable[[Sequence[tuple[Conversation, CallMetadata]]], list[tuple[Scorecard, ...]]]
    rubrics: tuple[Any, ...]
    fingerprints: Fingerprints
    load_lazy: Callable[[], None] = lambda: None
    spent: Callable[[str], tuple[StageRun, ...]] = lambda call_id: ()
    leave: Callable[[], None] = lambda: None


def digest(*parts: object) -> str:
    """Hex SHA-256 of the canonical JSON of the parts."""
    body = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
