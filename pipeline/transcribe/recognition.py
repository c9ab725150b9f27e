"""Turns the audio of windows into tokens: encoding, language detection, batched decoding, repeated decoding.

Each thread works on a window or a batch at a time, longest first. As in openai-whisper, a window that fails
the quality thresholds is decoded again at rising temperatures. If the model then still considers it to hold
no speech, its text is dropped.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import accumulate, groupby, pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from whisper.audio import HOP_LENGTH, SAMPLE_RATE, log_mel_spectrogram
from whisper.model import Whisper
from whisper.tokenizer import LANGUAGES, Tokenizer, get_tokenizer

from pipeline.interpreter import few_arenas
from pipeline.settings import TranscribeSettings
from pipeline.text.words import tokens
from pipeline.transcribe.alignment import AlignedWord, align
from pipeline.transcribe.decoding import MAX_NO_SPEECH, Decoded, Encoded, GreedyDecoder
from pipeline.transcribe.network import AudioEncoder, Decoder
from pipeline.transcribe.precision import Hardware
from pipeline.transcribe.vad import Samples

FULL_CONTEXT_S = 30.0  # what the network was trained on
LEAST_CONTEXT_S, MARGIN_S = 15.0, 3.0  # what a window is padded to, at least, and by
FRAME_SAMPLES = 320  # audio samples of one encoder frame
BATCH_FRAMES = 15_000  # most encoder frames in a batch (1,500 are 30 s): 90 MB of keys and values (base)
SEARCH_FRAMES = 9_000  # the same for a batch of beam search, in which each window has several beams
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)  # those of openai-whisper after 0
MAX_PROMPT_TOKENS = 200
# Beam search is used for windows whose mean log-probability is below this. A fifth of clean telephone windows
# are below the value of "unsure"; searching them removes most of the errors that searching all would remove.
SURE_LOG_PROBABILITY = {"off": float("-inf"), "unsure": -0.15, "all": 0.0}
SURE_LANGUAGE_S = 3.0  # shorter windows are not enough to detect a language
# What Whisper writes for noise. Such a text is kept only if the no-speech probability is low.
PHANTOMS = frozenset(
    {"you", "thank you", "thanks for watching", "thank you for watching", "bye", "the end", "so", ""}
)

In = TypeVar("In")
Out = TypeVar("Out")


@dataclass(frozen=True, slots=True)
class Recognised:
    """What was said in one window.

    Attributes:
        words: The words with their times in the window.
        language: ISO 639-1 code given to the decoder.
        language_probability: As in ``Decoded``.
    """

    words: list[AlignedWord]
    language: str
    language_probability: torch.Tensor | None


class Recogniser:
    """Whisper's network with all that is needed to turn audio into tokens."""

    def __init__(self, model: Whisper, hardware: Hardware, settings: TranscribeSettings) -> None:
        few_arenas()
        self.hardware = hardware
        self._sure = SURE_LOG_PROBABILITY[settings.beam]
        self._n_mels = model.dims.n_mels
        self._multilingual, self._num_languages = model.is_multilingual, model.num_languages
        self.known_languages = frozenset(list(LANGUAGES)[: model.num_languages])
        self._encoder = AudioEncoder(model, hardware)
        self._decoder = GreedyDecoder(Decoder(model, hardware), self.tokenizer("en"), hardware.device)
        self._pool = ThreadPoolExecutor(
            hardware.threads, "transcribe", initializer=lambda: torch.set_num_threads(1)
        )

    def tokenizer(self, language: str) -> Tokenizer:
        """The tokenizer of a language."""
        return get_tokenizer(self._multilingual, num_languages=self._num_languages, language=language)

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
        """Apply a function to each item, in the threads of the pool or, with one thread, in the caller's."""
        run = torch.inference_mode()(function)
        return list(map(run, items) if self.hardware.threads == 1 else self._pool.map(run, items))

    def encode(self, audio: Samples) -> torch.Tensor:
        """Encode the audio of a window into features (T, D).

        The audio is padded by 3 s, to at least 15 and at most 30 s, which the network was trained on. On 153
        channel-minutes this gives as many word errors as 30 s for every window (6.5 %), in four fifths of the
        time. Without padding, words are dropped and repeated: 1.6 % became 3 %, and windows of 12 s 13 %.
        The spectrogram is padded with zeros, not the audio with silence: the model is then more likely to
        reach the last word (3 % fewer word errors).
        """
        mel = log_mel_spectrogram(torch.from_numpy(audio), self._n_mels, padding=HOP_LENGTH)
        context_s = math.ceil(len(audio) / SAMPLE_RATE + MARGIN_S)
        context_s = min(max(context_s, LEAST_CONTEXT_S), FULL_CONTEXT_S)
        padded = F.pad(mel, (0, int(context_s * SAMPLE_RATE) // HOP_LENGTH - mel.shape[1]))
        return self._encoder(padded.to(self.hardware.device)).to(self.hardware.compute)

    def languages(
        self,
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
        calls: Sequence[int],
        allowed: Sequence[str],
    ) -> Iterator[str]:
        """Detect the language of windows, given the features, length and call of each.

        With a list of allowed languages, each window gets its own language, since people switch languages
        within a call. A window that is too short, and every window without such a list, gets the language
        that most of its call's speech sounds like.
        """
        if not self._multilingual:
            yield from ["en"] * len(features)
            return
        batches = self._batches(features, BATCH_FRAMES)
        detect = self._decoder.languages
        probability = torch.cat(self.map(lambda b: detect([features[n] for n in b], allowed), batches))
        codes = self.tokenizer("en").all_language_codes
        for n, call in enumerate(calls):
            odds = probability[n]
            if not allowed or seconds[n] < SURE_LANGUAGE_S:
                same = [k for k, other in enumerate(calls) if other == call]
                weight = torch.tensor([seconds[k] for k in same])
                odds = (probability[same] * weight[:, None]).sum(0)
            yield codes[int(odds.argmax())]

    def decode(
        self,
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
        languages: Sequence[str],
        terms: Sequence[Sequence[str]],
    ) -> list[Recognised]:
        """Decode windows (longest first), again where the result is poor, and find when each word was said.

        Args:
            features: One (T, D) per window.
            seconds: Length of each window.
            languages: ISO 639-1 code of each window.
            terms: Names that are likely in each window. A window whose text only repeats them is decoded
                again without them.
        """
        prompts = [self._prompt(names) for names in terms]
        windows = list(map(Encoded, features, seconds, languages, terms, prompts))
        batches = [[windows[n] for n in rows] for rows in self._batches(features, BATCH_FRAMES)]
        first = [result for batch in self.map(self._first, batches) for result in batch]
        unsure = {n: result for n, result in enumerate(first) if isinstance(result, Decoded)}
        searched = self._searched(windows, unsure)
        return [result if isinstance(result, Recognised) else searched[n] for n, result in enumerate(first)]

    def _first(self, windows: list[Encoded]) -> list[Recognised | Decoded]:
        """Decode a batch, and align at once what is sure: the attention of all batches would take 200 MB.

        Returns:
            ``Decoded``, without its attention, for the windows that are to be searched.
        """
        decoded, unsure = self._decoded(windows)
        sure = [n for n in range(len(windows)) if n not in unsure]
        aligned = dict(
            zip(sure, self._aligned([windows[n] for n in sure], [decoded[n] for n in sure]), strict=True)
        )
        nothing = torch.empty(0)
        return [aligned.get(n) or replace(d, attention=nothing) for n, d in enumerate(decoded)]

    def _searched(self, windows: Sequence[Encoded], unsure: Mapping[int, Decoded]) -> dict[int, Recognised]:
        """Decode unsure windows of all batches again with beam search, in batches for all threads."""
        places = list(unsure)
        rows = self._batches([windows[n].features for n in places], SEARCH_FRAMES)
        batches = [[places[k] for k in batch] for batch in rows]

        def search(batch: list[int]) -> list[Recognised]:
            own = [windows[n] for n in batch]
            return self._aligned(own, self._decoder.search(own, [unsure[n] for n in batch]))

        found = [one for batch in self.map(search, batches) for one in batch]
        return dict(zip(places, found, strict=True))

    def _aligned(self, windows: Sequence[Encoded], decoded: Sequence[Decoded]) -> list[Recognised]:
        """The words of decoded windows with their times; none where the text is a phantom."""
        kept = [
            replace(d, tokens=[], log_probabilities=[], text="") if _is_phantom(d) else d for d in decoded
        ]
        words = align(
            [d.tokens for d in kept],
            [d.log_probabilities for d in kept],
            [d.attention for d in kept],
            [max(round(w.seconds * SAMPLE_RATE) // FRAME_SAMPLES, 1) for w in windows],
            [self.tokenizer(d.language) for d in kept],
        )
        return [Recognised(w, d.language, d.language_probability) for w, d in zip(words, kept, strict=True)]

    def _decoded(self, windows: list[Encoded]) -> tuple[list[Decoded], set[int]]:
        """Decode a batch, and again the windows that fail; also return the places of those to be searched."""
        results = self._decoder.decode(windows, 0.0)
        misled = [
            n
            for n, (window, d) in enumerate(zip(windows, results, strict=True))
            if window.prompt and (not d.passes or _echoes(d.text, window.terms))
        ]
        unprompted = [replace(window, prompt=()) for window in windows]
        for n, again in self._again(unprompted, misled, 0.0):
            results[n] = again
        for temperature in TEMPERATURES:
            failed = [n for n, d in enumerate(results) if not d.passes and not d.silent]
            for n, again in self._again(unprompted, failed, temperature):
                if again.passes or again.mean_log_probability > results[n].mean_log_probability:
                    results[n] = again
        unsure = {
            n
            for n, d in enumerate(results)
            if d.passes and d.mean_log_probability < self._sure and n not in misled
        }
        return results, unsure

    def _again(
        self, windows: Sequence[Encoded], rows: Sequence[int], temperature: float
    ) -> Iterator[tuple[int, Decoded]]:
        """Decode some windows of a batch again; yield each one's place in the batch and result."""
        if rows:
            yield from zip(rows, self._decoder.decode([windows[n] for n in rows], temperature), strict=True)

    def _batches(self, features: Sequence[torch.Tensor], most: int) -> list[list[int]]:
        """Neighbouring windows in batches of about ``most`` frames or less, equally many for every thread."""
        total, threads = sum(map(len, features)), self.hardware.threads
        count = threads * -(-total // (threads * most))
        ends = accumulate(map(len, features))
        middles = [end - len(feature) / 2 for end, feature in zip(ends, features, strict=True)]
        by_batch = groupby(range(len(features)), lambda n: int(middles[n] * count / total))
        return [list(rows) for _, rows in by_batch]

    def _prompt(self, terms: Sequence[str]) -> Sequence[int]:
        """Names as tokens of preceding text; special tokens in them are encoded as plain text."""
        text = f" {', '.join(terms)}." if terms else ""
        encoded: list[int] = self.tokenizer("en").encode(text, disallowed_special=())
        return encoded[:MAX_PROMPT_TOKENS]


def _echoes(text: str, terms: Sequence[str]) -> bool:
    """Whether a text only repeats the prompt: it is one of the names, or has two in the prompt's order."""
    said, names = _plain(text), [_plain(term) for term in terms]
    lists_names = any(f"{name} {following}" in said for name, following in pairwise(names))
    return lists_names or said in names


def _is_phantom(decoded: Decoded) -> bool:
    return decoded.silent or (decoded.no_speech > MAX_NO_SPEECH and _plain(decoded.text) in PHANTOMS)


def _plain(text: str) -> str:
    return " ".join(token.text for token in tokens(text))
