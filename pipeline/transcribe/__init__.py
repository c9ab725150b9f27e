"""Speech recognition: audio clips in, transcripts out, whichever engine does the work.

``load_engine`` loads the engine that the settings name. ``SpeechEngine.transcribe`` takes any number of calls
at once and returns, for each, a ``Transcript`` or the ``RecordingError`` that prevented it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from pipeline import conversation, models
from pipeline.conversation import NO_SPEECH, AudioClip, Transcript, Turn
from pipeline.errors import RecordingError
from pipeline.settings import TranscribeSettings

__all__ = [
    "Job",
    "SpeechEngine",
    "fingerprint",
    "load_engine",
    "one_torch_thread",
    "second",
    "warning",
]

REVISION = "9"  # raise when the same audio could give other words
WITHOUT_EFFECT = {"threads", "again", "again_model"}
"""Settings that do not change the first transcript of a call."""


@dataclass(frozen=True, slots=True)
class Job:
    """One call to transcribe.

    Attributes:
        language: ISO 639-1 code from the metadata; None to go by the settings.
        names: Names that are likely in this call, in addition to the vocabulary of the settings.
    """

    call_id: str
    clip: AudioClip
    language: str | None = None
    names: tuple[str, ...] = ()

    def transcript(
        self, turns: tuple[Turn, ...], language: str | None, engine: conversation.Engine
    ) -> Transcript:
        """The transcript with these turns; ``language`` is None if there are none."""
        return Transcript(
            call_id=self.call_id,
            turns=turns,
            language=language or self.language,
            duration_s=round(self.clip.duration_s, 3),
            engine=engine,
            channels=self.clip.n_channels,
            warnings=() if turns else (f"{NO_SPEECH} in the recording",),
        )


class SpeechEngine(Protocol):
    """The interface of every speech engine."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same audio could give a different transcript."""

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls; the result of a call that cannot be transcribed is its error."""


def load_engine(settings: TranscribeSettings, *, excerpts: bool = False) -> SpeechEngine:
    """Load the engine that the settings name, with its weights.

    Args:
        settings: The engine's settings.
        excerpts: The engine will only get excerpts of a few seconds (see ``again``). It then uses shorter
            windows, which take less time.

    Raises:
        ModelError: The engine's weights or package are missing or damaged.
    """
    if settings.engine == "faster-whisper":
        from pipeline.transcribe.faster import FasterWhisperEngine

        return FasterWhisperEngine(settings)
    from pipeline.transcribe.engine import WhisperEngine

    return WhisperEngine(settings, excerpts=excerpts)


def fingerprint(settings: TranscribeSettings) -> str:
    """Digest of all that a transcript depends on besides its audio: weights, options, revision of this code.

    Raises:
        ModelError: The model is not known, or its weights cannot be found or read.
    """
    weights = models.locate(settings.model)
    options = settings.model_dump_json(exclude=WITHOUT_EFFECT | {"model"})
    return hashlib.sha256(f"{REVISION}|{weights.sha256}|{options}".encode()).hexdigest()[:16]


def second(settings: TranscribeSettings) -> TranscribeSettings | None:
    """The settings of the second, larger engine; None where no second transcription is set."""
    if settings.again == "off":
        return None
    return settings.model_copy(update={"model": settings.again_model, "again": "off"})


def one_torch_thread() -> None:
    """Import torch, and make each of its operations use one thread: callqa spreads calls over the cores.

    The threads of a small network spin while they wait for each other. While the engine occupied every
    core, separating voices and scoring took three times as long.
    """
    import torch

    torch.set_num_threads(1)


def warning(settings: TranscribeSettings) -> str:
    """A warning for the user where the fastest kernels cannot be used on this processor; else "".

    Measures the kernels if that was never done on this machine. Does not import torch.
    """
    from pipeline.transcribe.probe import measured

    on_processor = settings.engine == "callqa" and settings.device != "cuda"
    return measured().warning if on_processor else ""
