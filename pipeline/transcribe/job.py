"""The input of a speech engine."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.conversation import AudioClip


@dataclass(frozen=True, slots=True)
class Job:
    """One call to transcribe.

    Attributes:
        call_id: The call's id, which its transcript gets.
        clip: The call's audio.
        language: ISO 639-1 code from the metadata; None to go by the settings.
        names: Names that are likely in this call, in addition to the vocabulary of the settings.
    """

    call_id: str
    clip: AudioClip
    language: str | None = None
    names: tuple[str, ...] = ()
