"""The state of one file between two stages: what each stage takes and returns."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    Received,
    RoleSpan,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.process.cache import digest


@dataclass(frozen=True, slots=True)
class CallState:
    """The state of one file between two stages; each stage returns a copy with its result filled in.

    Attributes:
        stages: The stages that ran so far.
        clip: The audio, until the transcript has roles and is redacted.
        transcript: The transcript; while there is a clip, it has no roles yet and is not redacted.
        transcribed_again: Role, start and end in seconds of each part that a larger model transcribed.
        ended: The ledger row, once there is nothing more to do.
    """

    received: Received
    stages: tuple[StageRun, ...] = ()
    clip: AudioClip | None = None
    transcript: Transcript | None = None
    conversation: Conversation | None = None
    transcribed_again: tuple[RoleSpan, ...] = ()
    scorecards: tuple[Scorecard, ...] = ()
    ended: LedgerEntry | None = None

    @property
    def metadata(self) -> CallMetadata:
        """The metadata of the call; a file without metadata ends when it is opened."""
        assert self.received.metadata is not None
        return self.received.metadata

    @property
    def n_turns(self) -> int:
        """Number of turns; 0 without a transcript."""
        return len(self.transcript.turns) if self.transcript else 0

    @property
    def sound_bytes(self) -> int:
        """Bytes of memory that the audio takes."""
        return self.clip.samples.nbytes if self.clip else 0

    @property
    def awaits_engine(self) -> bool:
        """Whether there is audio but no transcript of it yet."""
        return self.clip is not None and self.transcript is None

    def transcript_fingerprint(self, settings_fingerprint: str) -> str:
        """A digest of what the transcript depends on: the file, some metadata, and settings' fingerprint."""
        sha256, known = self.received.sha256, self.metadata
        return digest(sha256, known.language, known.agent_channel, known.direction, settings_fingerprint)

    def record(self) -> CallRecord:
        """The record to load into the store."""
        assert self.ended is not None
        metadata = self.metadata if self.conversation else None
        return CallRecord(self.ended, metadata, self.conversation, self.scorecards, self.stages)
