"""faster-whisper as an alternative engine with the same interface (extra ``faster-whisper``)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import models
from pipeline.conversation import Engine, Transcript
from pipeline.errors import ModelError, RecordingError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import Job, fingerprint
from pipeline.turns import TimedWord, build_turns


class FasterWhisperEngine:
    """faster-whisper's batched pipeline with its own VAD, run on one channel at a time."""

    def __init__(self, settings: TranscribeSettings) -> None:
        try:
            import faster_whisper
        except ImportError as error:
            raise ModelError(
                "the faster-whisper engine is not installed", hint="pip install 'callqa[faster-whisper]'"
            ) from error
        self._settings = settings
        model = faster_whisper.WhisperModel(
            str(models.ctranslate2_folder(settings.model)),
            device=settings.device,
            compute_type="default" if settings.precision == "auto" else settings.precision,
            cpu_threads=settings.threads,
        )
        self._pipeline = faster_whisper.BatchedInferencePipeline(model)
        self.fingerprint = fingerprint(settings)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls one after another."""
        return [self._transcript(job) for job in jobs]

    def _transcript(self, job: Job) -> Transcript:
        words: list[TimedWord] = []
        for channel, samples in enumerate(job.clip.samples):
            segments, info = self._pipeline.transcribe(
                samples,
                language=job.language or self._settings.language,
                multilingual=len(self._settings.languages) > 1,
                hotwords=" ".join((*self._settings.vocabulary, *job.names)) or None,
                beam_size=1,
                word_timestamps=True,
            )
            words += [
                TimedWord(w.word, w.start, w.end, w.probability, channel, info.language)
                for segment in segments
                for w in segment.words or ()
            ]
        turns = build_turns(words)
        engine = Engine("faster-whisper", self._settings.model, self.fingerprint)
        return job.transcript(turns, turns[0].language if turns else None, engine)
