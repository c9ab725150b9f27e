"""callqa's own speech engine: voice activity, windows, batched decoding, word times, turns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from whisper.tokenizer import LANGUAGES

from pipeline import models
from pipeline.conversation import NO_SPEECH, SAMPLE_RATE_HZ, Doubt, Engine, Transcript
from pipeline.errors import RecordingError, UsageError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import alignment, foreign
from pipeline.transcribe.decoding import Decoded
from pipeline.transcribe.fingerprint import fingerprint
from pipeline.transcribe.job import Job
from pipeline.transcribe.precision import choose, return_free_memory
from pipeline.transcribe.recognition import FRAME_SAMPLES, FULL_CONTEXT_S, Recogniser
from pipeline.transcribe.vad import Samples, VoiceActivity
from pipeline.transcribe.windows import Window, pack
from pipeline.turns import TimedWord, build_turns

EXCERPT_S, EXCERPT_CONTEXT_S = 12.0, 15.0  # of a window of an excerpt, and what the network is given
GROUP = 64  # windows whose features are held at once, so that memory does not grow with the calls: 200 MB


class WhisperEngine:
    """Whisper and voice activity, loaded once, used for any number of calls.

    Args:
        settings: Of the engine.
        excerpts: The recordings will be excerpts of some seconds: windows are shorter, at half the cost.
    """

    def __init__(self, settings: TranscribeSettings, *, excerpts: bool = False) -> None:
        self._settings = settings
        for code in (*settings.languages, *((settings.language,) if settings.language else ())):
            if code not in LANGUAGES:
                raise UsageError(
                    f"settings: transcribe.language {code!r} is not a language of Whisper",
                    hint="give an ISO 639-1 code such as en or ur, or auto to detect it",
                )
        self.hardware = choose(settings.device, settings.precision, settings.threads)
        longest_s, context_s = (
            (EXCERPT_S, EXCERPT_CONTEXT_S) if excerpts else (FULL_CONTEXT_S, FULL_CONTEXT_S)
        )
        self._longest = int(longest_s * SAMPLE_RATE_HZ)
        self._recogniser = Recogniser(models.load(settings.model), self.hardware, settings, context_s)
        self._vad = VoiceActivity()
        self.fingerprint = fingerprint(settings)
        self.identity = Engine("callqa", settings.model, self.fingerprint)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls together; one that cannot be is an error in its place."""
        faults = {n: fault for n, job in enumerate(jobs) if (fault := _fault(job))}
        windows = self._windows([(n, job) for n, job in enumerate(jobs) if n not in faults])
        found: dict[Window, tuple[list[TimedWord], str]] = {}
        for group in _groups(windows):
            longest_first = sorted(group, key=lambda w: -w.n_samples)
            found.update(zip(longest_first, self._recognise(longest_first, jobs), strict=True))
            return_free_memory()
        heard: dict[int, list[TimedWord]] = defaultdict(list)
        doubts: dict[int, Counter[str]] = defaultdict(Counter)
        for window in windows:
            words, likelier = found[window]
            heard[window.call] += words
            doubts[window.call][likelier] += window.n_samples if words else 0
        return [
            faults[n] if n in faults else self._transcript(job, heard[n], doubts[n])
            for n, job in enumerate(jobs)
        ]

    def _windows(self, jobs: Sequence[tuple[int, Job]]) -> list[Window]:
        """Speech of every channel, packed; channels are spread over the threads."""
        channels = [(n, c, samples) for n, job in jobs for c, samples in enumerate(job.clip.samples)]
        channels.sort(key=lambda entry: -len(entry[2]))
        shares = [channels[k :: self.hardware.threads] for k in range(self.hardware.threads)]
        longest = self._longest
        found = self._recogniser.map(lambda share: self._vad.spans([s for _, _, s in share], longest), shares)
        windows = [
            window
            for share, spans in zip(shares, found, strict=True)
            for (call, channel, _), spoken in zip(share, spans, strict=True)
            for window in pack(call, channel, spoken, longest)
        ]
        return sorted(windows, key=lambda w: (w.call, w.channel, w.spans))

    def _recognise(self, windows: Sequence[Window], jobs: Sequence[Job]) -> list[tuple[list[TimedWord], str]]:
        """Words of windows, longest first, and the other language each sounds like, or ""."""
        audio = [w.audio(jobs[w.call].clip.samples[w.channel]) for w in windows]
        seconds = [len(a) / SAMPLE_RATE_HZ for a in audio]
        features = self._recogniser.map(self._recogniser.encode, audio)
        languages = self._languages(windows, jobs, features, seconds)
        terms = [(*self._settings.vocabulary, *jobs[w.call].names) for w in windows]
        decoded = self._recogniser.decode(features, seconds, languages, terms)
        words: list[list[TimedWord]] = [[] for _ in windows]
        shares = [slice(k, None, self.hardware.threads) for k in range(self.hardware.threads)]
        placed = self._recogniser.map(lambda s: self._words(windows[s], audio[s], decoded[s]), shares)
        for share, own in zip(shares, placed, strict=True):
            words[share] = own
        codes = self._recogniser.tokenizer("en").all_language_codes
        likelier = [
            foreign.likelier(d.sounds, codes, language, length_s)
            for d, language, length_s in zip(decoded, languages, seconds, strict=True)
        ]
        return list(zip(words, likelier, strict=True))

    def _languages(
        self,
        windows: Sequence[Window],
        jobs: Sequence[Job],
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
    ) -> list[str]:
        """The language of each window: the call's own, the settings', or told from the sound."""
        allowed = self._settings.languages
        fixed = [_own_language(jobs[w.call]) or ("" if allowed else self._settings.language) for w in windows]
        open_ = [n for n, language in enumerate(fixed) if not language]
        if open_:
            told = self._recogniser.languages(
                [features[n] for n in open_],
                [seconds[n] for n in open_],
                [windows[n].call for n in open_],
                allowed,
            )
            for n, language in zip(open_, told, strict=True):
                fixed[n] = language
        return [language or "en" for language in fixed]

    def _words(
        self, windows: Sequence[Window], audio: Sequence[Samples], decoded: Sequence[Decoded]
    ) -> list[list[TimedWord]]:
        aligned = alignment.align(
            [d.tokens for d in decoded],
            [d.log_probabilities for d in decoded],
            [d.attention for d in decoded],
            [max(len(a) // FRAME_SAMPLES, 1) for a in audio],
            [self._recogniser.tokenizer(d.language) for d in decoded],
        )
        return [
            window.place(words, result.language)
            for window, words, result in zip(windows, aligned, decoded, strict=True)
        ]

    def _transcript(self, job: Job, heard: list[TimedWord], likelier: Counter[str]) -> Transcript:
        turns = build_turns(heard)
        spoken = [turn.language for turn in turns for _ in turn.words]
        transcript = Transcript(
            call_id=job.call_id,
            turns=turns,
            language=max(set(spoken), key=spoken.count) if spoken else job.language,
            duration_s=round(job.clip.duration_s, 3),
            engine=self.identity,
            channels=job.clip.n_channels,
            warnings=() if heard else (f"{NO_SPEECH} in the recording",),
        )
        return transcript.doubted(_other_language(heard, likelier))


def _other_language(heard: Sequence[TimedWord], likelier: Counter[str]) -> Iterator[Doubt]:
    """That most speech sounds like another language; lengths are in samples."""
    strange = Counter({language: length for language, length in likelier.items() if language})
    enough = foreign.ENOUGH_S * SAMPLE_RATE_HZ
    if heard and strange.total() >= enough and 2 * strange.total() > likelier.total():
        language, length = strange.most_common(1)[0]
        named = language if 2 * length > strange.total() else foreign.OTHER
        said = f"it was heard as {heard[0].language or foreign.OTHER} and sounds like {named}"
        yield Doubt("other_language", said)


def _fault(job: Job) -> RecordingError | None:
    """What makes a clip impossible to transcribe."""
    if not np.isfinite(job.clip.samples).all():
        return RecordingError(
            f"{job.call_id}: the audio has samples that are not numbers",
            hint="decode it again from the original recording",
            reason="not_finite",
        )
    return None


def _own_language(job: Job) -> str | None:
    """The language the metadata states, where Whisper knows it ("en-GB" is "en")."""
    code = (job.language or "").lower().replace("_", "-").split("-")[0]
    return code if code in LANGUAGES else None


def _groups(windows: Sequence[Window]) -> Iterator[Sequence[Window]]:
    """Windows in as few groups as may be, all about as large."""
    count = -(-len(windows) // GROUP)
    for n in range(count):
        yield windows[n * len(windows) // count : (n + 1) * len(windows) // count]
