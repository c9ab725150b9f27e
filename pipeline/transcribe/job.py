"""What a transcriber is asked."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.conversation import AudioClip


@dataclass(frozen=True, slots=True)
class Job:
    """One call to transcribe.

    Attributes:
        call_id: Whose transcript it becomes.
        clip: Its audio.
        language: ISO 639-1 code from metadata; None for what the settings say.
        names: To be expected in this call, besides those of the settings.
    """

    call_id: str
    clip: AudioClip
    language: str | None = None
    names: tuple[str, ...] = ()
