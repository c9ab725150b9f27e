"""callqa's own speech engine: voice activity, windows, batched decoding, word times, turns."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from whisper.tokenizer import LANGUAGES

from pipeline import models
from pipeline.conversation import NO_SPEECH, OTHER_LANGUAGE, SAMPLE_RATE_HZ, Engine, Transcript
from pipeline.errors import RecordingError, UsageError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import alignment
from pipeline.transcribe.decoding import Decoded
from pipeline.transcribe.identity import fingerprint
from pipeline.transcribe.job import Job
from pipeline.transcribe.precision import choose, return_free_memory
from pipeline.transcribe.recognition import BATCH_FRAMES, FRAME_SAMPLES, Recogniser
from pipeline.transcribe.vad import Samples, VoiceActivity
from pipeline.transcribe.windows import Window, pack
from pipeline.turns import HeardWord, build_turns

LONGEST_S = 30.0  # what the model was trained on
WEAK_CONFIDENCE = 0.6  # mean of a window's words, under which it may be of another language
GROUP_FRAMES = 4 * BATCH_FRAMES  # features held at once: 100 MB with base


class WhisperEngine:
    """Whisper and voice activity, loaded once, used for any number of calls."""

    def __init__(self, settings: TranscribeSettings) -> None:
        self._settings = settings
        for code in (*settings.languages, *((settings.language,) if settings.language else ())):
            if code not in LANGUAGES:
                raise UsageError(
                    f"settings: transcribe.language {code!r} is not a language of Whisper",
                    hint="give an ISO 639-1 code such as en or ur, or auto to detect it",
                )
        self.hardware = choose(settings.device, settings.precision, settings.threads)
        self._recogniser = Recogniser(models.load(settings.model), self.hardware, settings)
        self._vad = VoiceActivity()
        self.fingerprint = fingerprint(settings)
        self.identity = Engine("callqa", settings.model, self.fingerprint)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls together; one that cannot be is an error in its place."""
        faults = {n: fault for n, job in enumerate(jobs) if (fault := _fault(job))}
        windows = self._windows([(n, job) for n, job in enumerate(jobs) if n not in faults])
        heard: dict[int, list[HeardWord]] = defaultdict(list)
        doubts: dict[int, Counter[str]] = defaultdict(Counter)
        for group in _groups(windows):
            for window, (words, likelier) in zip(group, self._recognise(group, jobs), strict=True):
                heard[window.call] += words
                doubts[window.call][likelier] += len(words)
            return_free_memory()
        return [
            faults[n] if n in faults else self._transcript(job, heard[n], doubts[n])
            for n, job in enumerate(jobs)
        ]

    def _windows(self, jobs: Sequence[tuple[int, Job]]) -> list[Window]:
        """Speech of every channel, packed; channels are spread over the threads."""
        channels = [(n, c, job.clip.samples[c]) for n, job in jobs for c in _channels(job)]
        channels.sort(key=lambda entry: -len(entry[2]))
        shares = [channels[k :: self.hardware.threads] for k in range(self.hardware.threads)]
        longest = int(LONGEST_S * SAMPLE_RATE_HZ)
        found = self._recogniser.map(lambda share: self._vad.spans([s for _, _, s in share], longest), shares)
        windows = [
            window
            for share, spans in zip(shares, found, strict=True)
            for (call, channel, _), spoken in zip(share, spans, strict=True)
            for window in pack(call, channel, spoken, longest)
        ]
        return sorted(windows, key=lambda w: (w.call, w.channel, w.spans))

    def _recognise(self, windows: Sequence[Window], jobs: Sequence[Job]) -> list[tuple[list[HeardWord], str]]:
        """Words of a group of windows, decoded longest first, and the language a weak one sounds like."""
        order = sorted(range(len(windows)), key=lambda n: -windows[n].n_samples)
        ordered = [windows[n] for n in order]
        audio = [w.audio(jobs[w.call].clip.samples[w.channel]) for w in ordered]
        seconds = [len(a) / SAMPLE_RATE_HZ for a in audio]
        features = self._recogniser.map(self._recogniser.encode, audio)
        languages = self._languages(ordered, jobs, features, seconds)
        decoded = self._recogniser.decode(features, seconds, languages)
        found: list[list[HeardWord]] = [[] for _ in windows]
        shares = [list(range(k, len(order), self.hardware.threads)) for k in range(self.hardware.threads)]

        def work(rows: list[int]) -> list[list[HeardWord]]:
            return self._words(
                [ordered[n] for n in rows], [audio[n] for n in rows], [decoded[n] for n in rows]
            )

        placed = self._recogniser.map(work, shares)
        for rows, share in zip(shares, placed, strict=True):
            for n, words in zip(rows, share, strict=True):
                found[order[n]] = words
        named = None if self._settings.languages else self._settings.language
        held = [_own_language(jobs[w.call]) or named for w in ordered]
        asked = [
            n
            for n, place in enumerate(order)
            if found[place] and (held[n] or _mean_confidence(found[place]) < WEAK_CONFIDENCE)
        ]
        likelier = self._sounds_like(asked, ordered, features, seconds, languages)
        return [(found[n], likelier[place]) for place, n in sorted(enumerate(order), key=lambda at: at[1])]

    def _sounds_like(
        self,
        asked: Sequence[int],
        windows: Sequence[Window],
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
        languages: Sequence[str],
    ) -> list[str]:
        """For some windows the language they sound like, where it is another; else "".

        Asked of words that are weak, and of every window whose language was declared: other speech than
        declared is made into words of the declared language, often with confidence.
        """
        told = [""] * len(windows)
        if asked and self._recogniser.is_multilingual:
            found = self._recogniser.languages(
                [features[n] for n in asked],
                [seconds[n] for n in asked],
                [windows[n].call for n in asked],
                (),
            )
            for n, language in zip(asked, found, strict=True):
                told[n] = language if language != languages[n] else ""
        return told

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
    ) -> list[list[HeardWord]]:
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

    def _transcript(self, job: Job, heard: list[HeardWord], likelier: Counter[str]) -> Transcript:
        turns = build_turns(heard)
        spoken = [turn.language for turn in turns for _ in turn.words]
        return Transcript(
            call_id=job.call_id,
            turns=turns,
            language=max(set(spoken), key=spoken.count) if spoken else job.language,
            duration_s=round(job.clip.duration_s, 3),
            engine=self.identity,
            channels=job.clip.n_channels,
            warnings=tuple(_warnings(heard, likelier)),
        )


def _mean_confidence(words: Sequence[HeardWord]) -> float:
    return sum(word.confidence or 0.0 for word in words) / len(words)


def _warnings(heard: Sequence[HeardWord], likelier: Counter[str]) -> Iterator[str]:
    """That nobody speaks, or that most words are weak and sound like another language."""
    if not heard:
        yield f"{NO_SPEECH} in the recording"
        return
    language, count = likelier.most_common(1)[0] if likelier else ("", 0)
    if language and 2 * count > len(heard):
        yield f"{OTHER_LANGUAGE} {heard[0].language or 'another language'} and sounds like {language}"


def _fault(job: Job) -> RecordingError | None:
    """What makes a clip impossible to transcribe."""
    if not np.isfinite(job.clip.samples).all():
        return RecordingError(
            f"{job.call_id}: the audio has samples that are not numbers",
            hint="decode it again from the original recording",
            reason="not_finite",
        )
    missing = [c for c in _channels(job) if not 0 <= c < job.clip.n_channels]
    if missing:
        return RecordingError(
            f"{job.call_id}: channel {missing[0]} was asked for, the recording has {job.clip.n_channels}",
            hint="correct the channel in the call's metadata",
            reason="no_such_channel",
        )
    return None


def _channels(job: Job) -> tuple[int, ...]:
    return tuple(range(job.clip.n_channels)) if job.channels is None else job.channels


def _own_language(job: Job) -> str | None:
    """The language the metadata states, where Whisper knows it ("en-GB" is "en")."""
    code = (job.language or "").lower().replace("_", "-").split("-")[0]
    return code if code in LANGUAGES else None


def _groups(windows: Sequence[Window]) -> list[Sequence[Window]]:
    """Windows whose features are held at once, so that memory does not grow with the calls."""
    groups: list[Sequence[Window]] = []
    begin, frames = 0, 0
    for n, window in enumerate(windows):
        frames += window.n_samples // FRAME_SAMPLES
        if frames >= GROUP_FRAMES:
            groups.append(windows[begin : n + 1])
            begin, frames = n + 1, 0
    return [*groups, windows[begin:]] if begin < len(windows) else groups
