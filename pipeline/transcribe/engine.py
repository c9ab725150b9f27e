"""callqa's own speech engine: voice activity, windows, batched decoding, word times, turns."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np
import torch
from whisper.audio import log_mel_spectrogram
from whisper.tokenizer import Tokenizer, get_tokenizer

from pipeline import models
from pipeline.conversation import SAMPLE_RATE_HZ, Engine, Transcript
from pipeline.errors import RecordingError
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import alignment
from pipeline.transcribe.decoding import Decoded, GreedyDecoder
from pipeline.transcribe.job import Job
from pipeline.transcribe.network import Decoder, Encoder
from pipeline.transcribe.precision import choose
from pipeline.transcribe.turns import HeardWord, build_turns
from pipeline.transcribe.vad import Samples, VoiceActivity
from pipeline.transcribe.windows import Window, pack

REVISION = "2"  # raise when the same audio could give other words
LONGEST_S = 28.0  # the model was trained on 30
JOIN_PAUSE_S = 2.0  # spans further apart are decoded apart
MARGIN_S = 0.5  # silence after a window, by which the model sees that it ends
FRAME_SAMPLES = 320  # audio samples of one encoder frame
BATCH_ROWS, BATCH_FRAMES = 32, 12_000  # of a decoding batch: 150 MB of keys and values with base
GROUP_BATCHES = 4  # batches per thread whose features are held at once
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)  # openai-whisper's, after 0

In = TypeVar("In")
Out = TypeVar("Out")


class WhisperEngine:
    """Whisper and voice activity, loaded once, used for any number of calls."""

    def __init__(self, settings: TranscribeSettings) -> None:
        self.settings = settings
        self.hardware = choose(settings.device, settings.precision, settings.threads)
        weights = models.locate(settings.model)
        model = models.load(settings.model)
        self._dims = model.dims
        self._multilingual, self._num_languages = model.is_multilingual, model.num_languages
        self._tokenizers: dict[str | None, Tokenizer] = {}
        self._vad = VoiceActivity()
        self._encoder = Encoder(model, self.hardware)
        self._decoder = GreedyDecoder(
            Decoder(model, self.hardware), self._tokenizer("en"), self.hardware.device
        )
        self._pool = ThreadPoolExecutor(
            self.hardware.threads, "transcribe", initializer=lambda: torch.set_num_threads(1)
        )
        options = (REVISION, weights.sha256, self.hardware.device, self.hardware.precision, settings.language)
        self.fingerprint = hashlib.sha256(repr(options).encode()).hexdigest()[:16]
        self.identity = Engine("callqa", settings.model, self.fingerprint)

    def transcribe(self, jobs: Sequence[Job]) -> list[Transcript | RecordingError]:
        """Transcribe calls together; one that cannot be is an error in its place."""
        faults = {n: fault for n, job in enumerate(jobs) if (fault := _fault(job))}
        windows = self._windows([(n, job) for n, job in enumerate(jobs) if n not in faults])
        windows.sort(key=lambda w: (-w.n_samples, w.call, w.channel, w.spans))
        heard: dict[int, list[HeardWord]] = defaultdict(list)
        for group in _groups(windows, self.hardware.threads * GROUP_BATCHES):
            for window, words in zip(group, self._recognise(group, jobs), strict=True):
                heard[window.call] += words
        return [
            faults[n] if n in faults else self._transcript(job, heard[n]) for n, job in enumerate(jobs)
        ]

    def _windows(self, jobs: Sequence[tuple[int, Job]]) -> list[Window]:
        """Speech of every channel, packed; channels are spread over the threads."""
        channels = [(n, c, job.clip.samples[c]) for n, job in jobs for c in _channels(job)]
        channels.sort(key=lambda entry: -len(entry[2]))
        shares = [channels[k :: self.hardware.threads] for k in range(self.hardware.threads)]
        longest, pause = int(LONGEST_S * SAMPLE_RATE_HZ), int(JOIN_PAUSE_S * SAMPLE_RATE_HZ)
        found = self._map(lambda share: self._vad.spans([s for _, _, s in share], longest), shares)
        return [
            window
            for share, spans in zip(shares, found, strict=True)
            for (call, channel, _), spoken in zip(share, spans, strict=True)
            for window in pack(call, channel, spoken, longest, pause)
        ]

    @torch.inference_mode()
    def _recognise(self, windows: Sequence[Window], jobs: Sequence[Job]) -> list[list[HeardWord]]:
        audio = [w.audio(jobs[w.call].clip.samples[w.channel]) for w in windows]
        features = self._map(self._encode, audio)
        languages = [jobs[w.call].language or self.settings.language for w in windows]

        def work(rows: range) -> list[list[HeardWord]]:
            seconds = [len(audio[n]) / SAMPLE_RATE_HZ for n in rows]
            decoded = self._decoder.decode(
                [features[n] for n in rows], seconds, [languages[n] for n in rows]
            )
            return self._words([windows[n] for n in rows], [audio[n] for n in rows], decoded)

        batches = _batches([len(f) for f in features], self.hardware.threads)
        return [words for batch in self._map(work, batches) for words in batch]

    @torch.inference_mode()
    def _encode(self, audio: Samples) -> torch.Tensor:
        """Audio of a window to features (T, D) of no more than its own length and the margin."""
        frames = min(-(-(len(audio) + int(MARGIN_S * SAMPLE_RATE_HZ)) // FRAME_SAMPLES), self._dims.n_audio_ctx)
        padded = np.zeros(frames * FRAME_SAMPLES, np.float32)
        padded[: len(audio)] = audio[: len(padded)]
        mel = log_mel_spectrogram(torch.from_numpy(padded), self._dims.n_mels)
        return self._encoder(mel.to(self.hardware.device)).to(self.hardware.compute)

    @torch.inference_mode()
    def _words(
        self, windows: Sequence[Window], audio: Sequence[Samples], decoded: Sequence[Decoded]
    ) -> list[list[HeardWord]]:
        aligned = alignment.align(
            [d.tokens for d in decoded],
            [d.log_probabilities for d in decoded],
            [d.attention for d in decoded],
            [max(len(a) // FRAME_SAMPLES, 1) for a in audio],
            [self._tokenizer(d.language) for d in decoded],
        )
        return [
            [window.heard(word, result.language) for word in words]
            for window, words, result in zip(windows, aligned, decoded, strict=True)
        ]

    def _transcript(self, job: Job, heard: list[HeardWord]) -> Transcript:
        turns = build_turns(heard)
        spoken = [turn.language for turn in turns for _ in turn.words]
        return Transcript(
            call_id=job.call_id,
            turns=turns,
            language=max(set(spoken), key=spoken.count) if spoken else job.language,
            duration_s=round(job.clip.duration_s, 3),
            engine=self.identity,
            channels=job.clip.n_channels,
            warnings=() if turns else ("no speech was found in the recording",),
        )

    def _tokenizer(self, language: str | None) -> Tokenizer:
        if language not in self._tokenizers:
            self._tokenizers[language] = get_tokenizer(
                self._multilingual, num_languages=self._num_languages, language=language, task="transcribe"
            )
        return self._tokenizers[language]

    def _map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
        def run(item: In) -> Out:
            with torch.inference_mode():
                return function(item)

        return list(self._pool.map(run, items))


def _fault(job: Job) -> RecordingError | None:
    """What makes a clip impossible to transcribe."""
    if not np.isfinite(job.clip.samples).all():
        return RecordingError(
            f"{job.call_id}: the audio has samples that are not numbers",
            hint="decode it again from the original recording",
            reason="not_finite",
        )
    return None


def _channels(job: Job) -> tuple[int, ...]:
    return tuple(range(job.clip.n_channels)) if job.channels is None else job.channels


def _groups(windows: Sequence[Window], batches: int) -> list[Sequence[Window]]:
    """Windows whose features are held at once, so that memory does not grow with the calls."""
    groups: list[Sequence[Window]] = []
    begin, frames = 0, 0
    for n, window in enumerate(windows):
        frames += window.n_samples // FRAME_SAMPLES
        if frames >= batches * BATCH_FRAMES:
            groups.append(windows[begin : n + 1])
            begin, frames = n + 1, 0
    return [*groups, windows[begin:]] if begin < len(windows) else groups


def _batches(frames: Sequence[int], threads: int) -> list[range]:
    """Neighbouring windows (longest first) cut into batches of at most the two limits."""
    share = -(-len(frames) // threads)  # work for every thread where there is enough
    rows = min(BATCH_ROWS, max(share, 1))
    batches, begin = [], 0
    while begin < len(frames):
        end = min(begin + max(min(rows, BATCH_FRAMES // frames[begin]), 1), len(frames))
        batches.append(range(begin, end))
        begin = end
    return batches
