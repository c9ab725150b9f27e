"""faster-whisper as an alternative engine with the same interface (extra ``faster-whisper``)."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline import models
from pipeline.conversation import NO_SPEECH, Engine, Transcript
from pipeline.errors import ModelError, RecordingError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.fingerprint import fingerprint
from pipeline.transcribe.job import Job
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
        self._identity = Engine("faster-whisper", settings.model, self.fingerprint)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls one after another."""
        return [self._transcript(job) for job in jobs]

    def _transcript(self, job: Job) -> Transcript:
        words: list[TimedWord] = []
        for channel in range(job.clip.n_channels):
            segments, info = self._pipeline.transcribe(
                job.clip.samples[channel],
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
        return Transcript(
            call_id=job.call_id,
            turns=turns,
            language=turns[0].language if turns else job.language,
            duration_s=round(job.clip.duration_s, 3),
            engine=self._identity,
            channels=job.clip.n_channels,
            warnings=() if turns else (f"{NO_SPEECH} in the recording",),
        )
