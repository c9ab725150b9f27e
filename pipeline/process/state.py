"""One file on its way through the stages: the record that each of them takes and returns."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.conversation import (
    AudioClip,
    CallMetadata,
    CallRecord,
    Conversation,
    LedgerEntry,
    Received,
    Scorecard,
    StageRun,
    Transcript,
)
from pipeline.process.cache import digest
from pipeline.transcribe.again import Span


@dataclass(frozen=True, slots=True)
class CallState:
    """One file on its way through the stages; each returns it with its own result filled in.

    Attributes:
        received: The file.
        stages: What was done so far.
        clip: The sound, until the transcript has roles and is redacted.
        transcript: What was said; beside a clip, as the engine gave it: without roles, not redacted yet.
        conversation: The annotated call.
        heard_again: Whose words, from second to second, a larger model heard: they are in the transcript.
        scorecards: Its scores.
        ended: Its ledger row, once there is nothing more to do.
    """

    received: Received
    stages: tuple[StageRun, ...] = ()
    clip: AudioClip | None = None
    transcript: Transcript | None = None
    conversation: Conversation | None = None
    heard_again: tuple[Span, ...] = ()
    scorecards: tuple[Scorecard, ...] = ()
    ended: LedgerEntry | None = None

    @property
    def metadata(self) -> CallMetadata:
        """What is known of the call; files without metadata end when they are opened."""
        assert self.received.metadata is not None
        return self.received.metadata

    @property
    def n_turns(self) -> int:
        """How much was said."""
        return len(self.transcript.turns) if self.transcript else 0

    @property
    def sound_bytes(self) -> int:
        """Memory that its sound takes."""
        return self.clip.samples.nbytes if self.clip else 0

    @property
    def awaits_engine(self) -> bool:
        """Whether there is sound and no transcript of it yet."""
        return self.clip is not None and self.transcript is None

    def transcript_fingerprint(self, under: str) -> str:
        """What the transcript depends on, in one digest: a new agent name does not need a new transcript.

        Args:
            under: Fingerprint of all that shapes transcripts.
        """
        about = self.metadata
        return digest(self.received.sha256, about.language, about.agent_channel, about.direction, under)

    def record(self) -> CallRecord:
        """What goes into the store."""
        assert self.ended is not None
        metadata = self.metadata if self.conversation else None
        return CallRecord(self.ended, metadata, self.conversation, self.scorecards, self.stages)
