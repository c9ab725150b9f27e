"""Speech recognition: audio clips in, transcripts out, whichever engine does the work.

``load_engine`` loads the engine that the settings name. ``Engine.transcribe`` takes any number of calls
at once and returns, for each, a ``Transcript`` or the ``RecordingError`` that prevented it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from pipeline.conversation import Transcript
from pipeline.errors import RecordingError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.fingerprint import fingerprint, second
from pipeline.transcribe.job import Job

__all__ = [
    "Engine",
    "Job",
    "fingerprint",
    "load_engine",
    "one_thread_each",
    "second",
    "warning",
]


class Engine(Protocol):
    """The interface of every speech engine."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the same audio could give a different transcript."""

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls; the result of a call that cannot be transcribed is its error."""


def load_engine(settings: TranscribeSettings, *, excerpts: bool = False) -> Engine:
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


def one_thread_each() -> None:
    """Make torch and BLAS use one thread each in this process, which spreads calls over the cores instead.

    The threads of a small network spin while they wait for each other. While the engine occupied every
    core, separating voices and scoring took three times as long, and NumPy's threads slowed the engine.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def warning(settings: TranscribeSettings) -> str:
    """A warning for the user where the fastest kernels cannot be used on this processor; else "".

    Measures the kernels if that was never done on this machine. Does not import torch.
    """
    from pipeline.transcribe.probe import measured

    on_processor = settings.engine == "callqa" and settings.device != "cuda"
    return measured().warning if on_processor else ""
