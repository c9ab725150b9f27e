"""callqa's own speech engine: VAD, windows, batched decoding, word times, turns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from statistics import mode

import numpy as np
import torch

from pipeline import models
from pipeline.conversation import SAMPLE_RATE_HZ, Doubt, Engine, Transcript
from pipeline.errors import RecordingError, UsageError
from pipeline.interpreter import free_memory_returned
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import Job, fingerprint, foreign, one_torch_thread
from pipeline.transcribe.precision import choose
from pipeline.transcribe.recognition import FULL_CONTEXT_S, Recogniser
from pipeline.transcribe.vad import VoiceActivity
from pipeline.transcribe.windows import SpeechWindow, pack
from pipeline.turns import TimedWord, build_turns

EXCERPT_S = 12.0  # longest window of an excerpt, which is padded to 15 s
WINDOWS_A_THREAD = 20
"""Windows for each thread whose features are in memory at once: two batches (``recognition.BATCH_FRAMES``),
60 MB of *base*, however many calls there are."""


class WhisperEngine:
    """Whisper and the VAD, loaded once and used for any number of calls.

    Args:
        settings: The engine's settings.
        excerpts: The recordings are excerpts of a few seconds, so windows are shorter, at half the cost.
    """

    def __init__(self, settings: TranscribeSettings, *, excerpts: bool = False) -> None:
        one_torch_thread()
        self._settings = settings
        hardware = choose(settings.device, settings.precision, settings.threads)
        self._longest = int((EXCERPT_S if excerpts else FULL_CONTEXT_S) * SAMPLE_RATE_HZ)
        self._recogniser = Recogniser(models.load(settings.model), hardware, settings)
        for code in (*settings.languages, settings.language):
            if code and code not in self._recogniser.known_languages:
                raise UsageError(
                    f"settings: transcribe.language {code!r} is not a language of Whisper {settings.model}",
                    hint="give an ISO 639-1 code such as en or ur, or auto to detect it",
                )
        self._vad = VoiceActivity()
        self.fingerprint = fingerprint(settings)
        self._shares = [slice(k, None, hardware.threads) for k in range(hardware.threads)]
        """One share of the channels or windows for each thread."""

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls together; the result of a call that cannot be transcribed is its error."""
        sound = [bool(np.isfinite(job.clip.samples).all()) for job in jobs]
        results: dict[SpeechWindow, tuple[list[TimedWord], str]] = {}
        with free_memory_returned():
            windows = self._windows([(n, job) for n, job in enumerate(jobs) if sound[n]])
            together = WINDOWS_A_THREAD * len(self._shares)
            for begin in range(0, len(windows), together):
                longest_first = sorted(windows[begin : begin + together], key=lambda w: -w.n_samples)
                results.update(zip(longest_first, self._recognise(longest_first, jobs), strict=True))
        words: dict[int, list[TimedWord]] = defaultdict(list)
        likelier_samples: dict[int, Counter[str]] = defaultdict(Counter)
        for window in windows:
            heard, likelier = results[window]
            words[window.call] += heard
            likelier_samples[window.call][likelier] += window.n_samples if heard else 0
        return [
            self._transcript(job, words[n], likelier_samples[n]) if sound[n] else _not_numbers(job)
            for n, job in enumerate(jobs)
        ]

    def _windows(self, jobs: Sequence[tuple[int, Job]]) -> list[SpeechWindow]:
        """The speech of every channel packed into windows; the threads share the channels."""
        channels = [(n, c, samples) for n, job in jobs for c, samples in enumerate(job.clip.samples)]
        channels.sort(key=lambda entry: -len(entry[2]))
        shares, longest = [channels[share] for share in self._shares], self._longest
        spans = self._recogniser.map(lambda share: self._vad.spans([s for _, _, s in share], longest), shares)
        windows = []
        for share, share_spans in zip(shares, spans, strict=True):
            for (call, channel, _), channel_spans in zip(share, share_spans, strict=True):
                windows += pack(call, channel, channel_spans, longest)
        return sorted(windows, key=lambda w: (w.call, w.channel, w.spans))

    def _recognise(
        self, windows: Sequence[SpeechWindow], jobs: Sequence[Job]
    ) -> list[tuple[list[TimedWord], str]]:
        """The words of each window, and the other language it sounds like ("" if none); longest first."""
        audio = [w.audio(jobs[w.call].clip.samples[w.channel]) for w in windows]
        seconds = [len(a) / SAMPLE_RATE_HZ for a in audio]
        features = self._recogniser.map(self._recogniser.encode, audio)
        languages = self._languages(windows, jobs, features, seconds)
        terms = [(*self._settings.vocabulary, *jobs[w.call].names) for w in windows]
        recognised = self._recogniser.decode(features, seconds, languages, terms)
        codes = self._recogniser.tokenizer("en").all_language_codes
        likelier = [
            foreign.likelier(r.language_probability, codes, language, length_s)
            for r, language, length_s in zip(recognised, languages, seconds, strict=True)
        ]
        words = [w.place(r.words, r.language) for w, r in zip(windows, recognised, strict=True)]
        return list(zip(words, likelier, strict=True))

    def _stated_language(self, job: Job) -> str | None:
        """The language stated in the metadata, if the model knows it ("en-GB" is "en")."""
        code = (job.language or "").lower().replace("_", "-").split("-")[0]
        return code if code in self._recogniser.known_languages else None

    def _languages(
        self,
        windows: Sequence[SpeechWindow],
        jobs: Sequence[Job],
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
    ) -> list[str]:
        """The language of each window: the metadata's, else the settings', else detected from the audio."""
        allowed = self._settings.languages
        default = "" if allowed else self._settings.language
        languages = [self._stated_language(jobs[w.call]) or default for w in windows]
        unknown = [n for n, language in enumerate(languages) if not language]
        if unknown:
            detected = self._recogniser.languages(
                [features[n] for n in unknown],
                [seconds[n] for n in unknown],
                [windows[n].call for n in unknown],
                allowed,
            )
            for n, language in zip(unknown, detected, strict=True):
                languages[n] = language
        return [language or "en" for language in languages]

    def _transcript(self, job: Job, words: list[TimedWord], likelier: Counter[str]) -> Transcript:
        language = mode(word.language for word in words) if words else None
        engine = Engine("callqa", self._settings.model, self.fingerprint)
        transcript = job.transcript(build_turns(words), language, engine)
        return transcript.doubted(_other_language(words, likelier))


def _other_language(words: Sequence[TimedWord], likelier: Counter[str]) -> Iterator[Doubt]:
    """A doubt if more than half of the speech, counted in samples, sounds like another language."""
    strange = Counter({language: length for language, length in likelier.items() if language})
    enough = foreign.ENOUGH_S * SAMPLE_RATE_HZ
    if words and strange.total() >= enough and 2 * strange.total() > likelier.total():
        language, length = strange.most_common(1)[0]
        named = language if 2 * length > strange.total() else foreign.OTHER
        text = f"it was heard as {words[0].language or foreign.OTHER} and sounds like {named}"
        yield Doubt("other_language", text)


def _not_numbers(job: Job) -> RecordingError:
    return RecordingError(
        f"{job.call_id}: the audio has samples that are not numbers",
        hint="decode it again from the original recording",
        reason="not_finite",
    )
