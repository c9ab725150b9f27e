"""Audio of windows to tokens: encoding, language, batched decoding, and second tries.

Part of ``transcribe``. Windows are worked on longest first, a window or a batch per thread. A
window that fails the quality gates is decoded again at rising temperatures, as openai-whisper
does; what still is not speech by the model's own account is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import pairwise
from typing import TypeVar

import torch
import torch.nn.functional as F  # noqa: N812  (torch's own convention)
from whisper.audio import HOP_LENGTH, SAMPLE_RATE, log_mel_spectrogram
from whisper.model import Whisper
from whisper.tokenizer import Tokenizer, get_tokenizer

from pipeline.settings import TranscribeSettings
from pipeline.text.words import tokens
from pipeline.transcribe.decoding import MAX_NO_SPEECH, Decoded, Encoded, GreedyDecoder
from pipeline.transcribe.network import Decoder, Encoder
from pipeline.transcribe.precision import Hardware, few_arenas
from pipeline.transcribe.vad import Samples

FULL_CONTEXT_S = 30.0  # what the network was trained on
FRAME_SAMPLES = 320  # audio samples of one encoder frame
BATCH_ROWS, BATCH_FRAMES = 32, 18_000  # of a decoding batch: 220 MB of keys and values with base
TEMPERATURES = (0.2, 0.4, 0.6, 0.8, 1.0)  # openai-whisper's, after 0
MAX_PROMPT_TOKENS = 200
SEARCH_ROWS = 8  # windows searched at once, each with its beams
# Below this mean log-probability a window is searched. A fifth of clean telephone windows lie
# below the middle one, and searching them takes off most of the errors that searching all does.
SURE_LOG_PROBABILITY = {"off": float("-inf"), "unsure": -0.15, "all": 0.0}
SURE_LANGUAGE_S = 3.0  # shorter windows are too little to tell a language by
# What Whisper writes for noise; real only where the model also believes there is speech.
PHANTOMS = frozenset(
    {"you", "thank you", "thanks for watching", "thank you for watching", "bye", "the end", "so", ""}
)

In = TypeVar("In")
Out = TypeVar("Out")


class Recogniser:
    """The network with everything around it that turns audio into tokens."""

    def __init__(
        self,
        model: Whisper,
        hardware: Hardware,
        settings: TranscribeSettings,
        context_s: float = FULL_CONTEXT_S,
    ) -> None:
        few_arenas()
        self._mel_frames = int(context_s * SAMPLE_RATE / HOP_LENGTH)
        self.hardware = hardware
        self._sure = SURE_LOG_PROBABILITY[settings.beam]
        self._dims = model.dims
        self.is_multilingual, self._num_languages = model.is_multilingual, model.num_languages
        self._tokenizers: dict[str, Tokenizer] = {}
        self._encoder = Encoder(model, hardware)
        self._decoder = GreedyDecoder(Decoder(model, hardware), self.tokenizer("en"), hardware.device)
        self._pool = ThreadPoolExecutor(
            hardware.threads, "transcribe", initializer=lambda: torch.set_num_threads(1)
        )

    def tokenizer(self, language: str) -> Tokenizer:
        """The tokenizer of a language."""
        if language not in self._tokenizers:
            self._tokenizers[language] = get_tokenizer(
                self.is_multilingual, num_languages=self._num_languages, language=language, task="transcribe"
            )
        return self._tokenizers[language]

    def map(self, function: Callable[[In], Out], items: Iterable[In]) -> list[Out]:
        """Apply a function on the threads, in order; with one thread, right here."""

        def run(item: In) -> Out:
            with torch.inference_mode():
                return function(item)

        if self.hardware.threads == 1:
            return [run(item) for item in items]
        return list(self._pool.map(run, items))

    def encode(self, audio: Samples) -> torch.Tensor:
        """Audio of a window to features (T, D).

        Both halves are given the full 30 s they were trained on: with only as many frames as
        there is audio, words are dropped and repeated (word errors went from 1.6 % to 3 %; of windows of
        12 s, from 3.4 % to 13 %, but with 15 s to 2.9 %).
        The rest is filled with zeros after the spectrogram, not before: the model then reads on
        to the last word more surely than before digital silence (3 % fewer word errors).
        """
        mel = log_mel_spectrogram(torch.from_numpy(audio), self._dims.n_mels, padding=HOP_LENGTH)
        padded = F.pad(mel, (0, self._mel_frames - mel.shape[1]))
        return self._encoder(padded.to(self.hardware.device)).to(self.hardware.compute)

    def languages(
        self,
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
        calls: Sequence[int],
        allowed: Sequence[str],
    ) -> list[str]:
        """Tell the language of windows.

        With an allow-list each window is told apart (people switch in mid-call) unless it is too
        short to; without one, a call has the language most of its speech sounds like.
        """
        if not self.is_multilingual:
            return ["en"] * len(features)
        batches = self._batches(len(features))
        found = self.map(lambda b: self._decoder.languages([features[n] for n in b], allowed), batches)
        probability = torch.cat(found)
        codes = self.tokenizer("en").all_language_codes
        told = []
        for n, call in enumerate(calls):
            if not allowed or seconds[n] < SURE_LANGUAGE_S:
                same = [k for k, other in enumerate(calls) if other == call]
                weight = torch.tensor([seconds[k] for k in same])
                told.append(codes[int((probability[same] * weight[:, None]).sum(0).argmax())])
            else:
                told.append(codes[int(probability[n].argmax())])
        return told

    def decode(
        self,
        features: Sequence[torch.Tensor],
        seconds: Sequence[float],
        languages: Sequence[str],
        terms: Sequence[Sequence[str]],
    ) -> list[Decoded]:
        """Decode windows (longest first), with second tries for those that need them.

        Args:
            features: One (T, D) per window.
            seconds: Length of each window.
            languages: Code per window.
            terms: Names to expect in each window; one that echoes them is decoded again without.
        """
        prompts = [self._prompt(expected) for expected in terms]
        windows = list(map(Encoded, features, seconds, languages, terms, prompts))
        batches = [[windows[n] for n in rows] for rows in self._batches(len(windows))]
        return [d for batch in self.map(self._decoded, batches) for d in batch]

    def _decoded(self, windows: list[Encoded]) -> list[Decoded]:
        """A batch, with its second tries: in the same thread, while the others take further batches."""
        results = self._decoder.decode(windows, 0.0)
        echoed = {
            n
            for n, (window, d) in enumerate(zip(windows, results, strict=True))
            if window.prompt and not (d.passes and not _echoes(d.text, window.terms))
        }
        unprompted = [replace(window, prompt=()) for window in windows]
        for n, again in self._again(unprompted, sorted(echoed), 0.0):
            results[n] = again
        for temperature in TEMPERATURES:
            failed = [n for n, d in enumerate(results) if not d.passes and not d.silent]
            for n, again in self._again(unprompted, failed, temperature):
                if again.passes or again.mean_log_probability > results[n].mean_log_probability:
                    results[n] = again
        unsure = [
            n
            for n, d in enumerate(results)
            if d.passes and d.mean_log_probability < self._sure and n not in echoed
        ]
        for begin in range(0, len(unsure), SEARCH_ROWS):
            rows = unsure[begin : begin + SEARCH_ROWS]
            searched = self._decoder.search([windows[n] for n in rows], [results[n] for n in rows])
            for n, again in zip(rows, searched, strict=True):
                results[n] = again
        return [_emptied(d) if _is_phantom(d) else d for d in results]

    def _again(
        self, windows: Sequence[Encoded], rows: Sequence[int], temperature: float
    ) -> Iterator[tuple[int, Decoded]]:
        """Some windows of a batch decoded again, each with its number."""
        if rows:
            yield from zip(rows, self._decoder.decode([windows[n] for n in rows], temperature), strict=True)

    def _batches(self, count: int) -> list[range]:
        """Neighbouring windows in batches of at most the two limits, a share for each thread."""
        share = -(-count // self.hardware.threads)
        rows = max(min(BATCH_ROWS, BATCH_FRAMES // (self._mel_frames // 2), share), 1)
        return [range(begin, min(begin + rows, count)) for begin in range(0, count, rows)]

    def _prompt(self, terms: Sequence[str]) -> Sequence[int]:
        """Names to expect, as text heard before; they come from files, so nothing in them is a command."""
        text = f" {', '.join(terms)}." if terms else ""
        tokens: list[int] = self.tokenizer("en").encode(text, disallowed_special=())
        return tokens[:MAX_PROMPT_TOKENS]


def _echoes(text: str, terms: Sequence[str]) -> bool:
    """Whether a text is the names to expect themselves: nothing but one of them, or two in list order."""
    said, named = _plain(text), [_plain(term) for term in terms]
    listed = any(f"{one} {two}" in said for one, two in pairwise(named))
    return listed or said in named


def _is_phantom(decoded: Decoded) -> bool:
    return decoded.silent or (decoded.no_speech > MAX_NO_SPEECH and _plain(decoded.text) in PHANTOMS)


def _emptied(decoded: Decoded) -> Decoded:
    return Decoded([], [], decoded.attention[:, :1], decoded.language, decoded.no_speech, "", False)


def _plain(text: str) -> str:
    return " ".join(token.text for token in tokens(text))
