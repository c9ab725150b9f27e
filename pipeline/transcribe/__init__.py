"""Clips in, transcripts out: the speech engine behind one seam.

``load_engine`` picks the engine; ``Engine.transcribe`` takes any number of calls at once and
answers each with a ``Transcript`` or the ``RecordingError`` that stands in its place.
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
    """What every speech engine offers."""

    @property
    def fingerprint(self) -> str:
        """Changes when the same audio could give another transcript."""

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls; one that cannot be is an error in its place."""


def load_engine(settings: TranscribeSettings, *, excerpts: bool = False) -> Engine:
    """Load the engine the settings name, with its weights.

    Args:
        settings: Of the engine.
        excerpts: It will hear excerpts of some seconds only (``again``), each in less time then.

    Raises:
        ModelError: Its weights or its package are missing or damaged.
    """
    if settings.engine == "faster-whisper":
        from pipeline.transcribe.faster import FasterWhisperEngine

        return FasterWhisperEngine(settings)
    from pipeline.transcribe.engine import WhisperEngine

    return WhisperEngine(settings, excerpts=excerpts)


def one_thread_each() -> None:
    """From now on, every thread of this process multiplies alone: calls are spread over the cores.

    The threads inside a small network wait for each other busily; beside an engine that has every core
    at work, telling voices apart and judging took three times as long, and NumPy's took from the engine.
    """
    import torch
    from threadpoolctl import threadpool_limits

    torch.set_num_threads(1)
    threadpool_limits(1, user_api="blas")


def warning(settings: TranscribeSettings) -> str:
    """What keeps this processor from its fastest kernels, for people; empty where nothing does.

    Measures them where that was never done on this machine; imports no torch.
    """
    from pipeline.transcribe.probe import measured

    on_processor = settings.engine == "callqa" and settings.device != "cuda"
    return measured().warning if on_processor else ""
