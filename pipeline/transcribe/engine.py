"""callqa's own speech engine: voice activity, windows, decoding, words, turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import whisper
from whisper.audio import N_FRAMES, log_mel_spectrogram, pad_or_trim
from whisper.timing import find_alignment
from whisper.tokenizer import get_tokenizer

from pipeline import models
from pipeline.conversation import SAMPLE_RATE_HZ, Engine, Transcript
from pipeline.errors import RecordingError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe.identity import fingerprint
from pipeline.transcribe.job import Job
from pipeline.transcribe.turns import HeardWord, build_turns
from pipeline.transcribe.vad import Samples, VoiceActivity
from pipeline.transcribe.windows import Window, pack

LONGEST_S = 28.0


class WhisperEngine:
    """Whisper weights and voice activity, loaded once, used for any number of calls."""

    def __init__(self, settings: TranscribeSettings) -> None:
        self.settings = settings
        self.device = _device(settings.device)
        self.weights = models.locate(settings.model)
        self.model = models.load(settings.model, self.device)
        self.vad = VoiceActivity()
        if settings.threads:
            torch.set_num_threads(settings.threads)
        self.fingerprint = fingerprint(settings)
        self.identity = Engine("callqa", settings.model, self.fingerprint)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls; one that cannot be is an error in its place."""
        return [self._one(job) for job in jobs]

    def _one(self, job: Job) -> Transcript | RecordingError:
        clip = job.clip
        if not np.isfinite(clip.samples).all():
            return RecordingError(
                f"{job.call_id}: audio has samples that are not numbers", reason="not_finite"
            )
        channels = tuple(range(clip.n_channels)) if job.channels is None else job.channels
        longest = int(LONGEST_S * SAMPLE_RATE_HZ)
        spans = self.vad.spans([clip.samples[c] for c in channels], longest)
        heard: list[HeardWord] = []
        language = job.language or self.settings.language
        for channel, found in zip(channels, spans, strict=True):
            for window in pack(0, channel, found, longest, longest):
                words, language = self._decode(window, window.audio(clip.samples[channel]), language)
                heard += words
        return Transcript(
            call_id=job.call_id,
            turns=build_turns(heard),
            language=language,
            duration_s=round(clip.duration_s, 3),
            engine=self.identity,
            channels=clip.n_channels,
            warnings=() if heard else ("no speech was found in the recording",),
        )

    def _decode(
        self, window: Window, audio: Samples, language: str | None
    ) -> tuple[list[HeardWord], str | None]:
        mel = log_mel_spectrogram(audio, self.model.dims.n_mels, padding=N_FRAMES * 160)
        mel = pad_or_trim(mel, N_FRAMES).to(self.device)
        options = whisper.DecodingOptions(
            language=language, without_timestamps=True, fp16=self.device != "cpu"
        )
        result = whisper.decode(self.model, mel, options)
        tokenizer = get_tokenizer(
            self.model.is_multilingual, num_languages=self.model.num_languages, language=result.language
        )
        frames = len(audio) // 160
        words = find_alignment(self.model, tokenizer, list(result.tokens), mel, frames)
        heard = []
        for word in words:
            if word.word.strip():
                start_s, end_s = window.to_recording(word.start, word.end)
                heard.append(
                    HeardWord(
                        word.word, start_s, end_s, float(word.probability), window.channel, result.language
                    )
                )
        return heard, result.language


def _device(wanted: str) -> str:
    if wanted == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    return wanted
