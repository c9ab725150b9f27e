"""Speech packed into windows the recogniser hears at once.

Between voice activity and decoding. A window holds one or more spans of one channel, cut only
at pauses and joined without the silence between them, so that silence, hold and the other
party's talk cost nothing; ``place`` leads its words back to the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import takewhile

import numpy as np

from pipeline.conversation import SAMPLE_RATE_HZ
from pipeline.transcribe.alignment import AlignedWord
from pipeline.transcribe.vad import Samples, Span
from pipeline.turns import TimedWord

CRUSHED = 3  # words
END_REACH_S = 0.6  # further from the end of speech, the last word is not what was last heard


@dataclass(frozen=True, slots=True)
class Window:
    """Consecutive spans of one channel of one call.

    Attributes:
        call: Index of the call in the batch.
        channel: Channel it was heard on.
        spans: Its spans, in order, in samples of the channel.
    """

    call: int
    channel: int
    spans: tuple[Span, ...]

    @property
    def n_samples(self) -> int:
        """Length of the joined audio."""
        return sum(span.end - span.start for span in self.spans)

    def audio(self, samples: Samples) -> Samples:
        """The joined audio: float32 (n_samples,) out of the channel's samples."""
        return np.concatenate([samples[span.start : span.end] for span in self.spans])

    def place(self, words: Sequence[AlignedWord], language: str | None) -> list[TimedWord]:
        """Lead aligned words back to the recording: each into the span it was heard in.

        Attention begins a phrase's first word with the padding before it and puts the pause after
        it into its full stop, so a span's first and last word are given the start and end that voice
        activity heard. Words squeezed into no time at the end were made up.
        """
        crushed = list(takewhile(lambda w: w.end_s - w.start_s < 0.03, reversed(words)))
        spoken = words[: len(words) - len(crushed)] if len(crushed) >= CRUSHED else words
        placed: list[TimedWord] = []
        spans: list[Span] = []
        for word in spoken:
            span, shift_s = self._span_at(word.heard_s)
            first = not spans or spans[-1] is not span
            voiced = (
                word.end_s + shift_s > span.voice_start / SAMPLE_RATE_HZ
            )  # else the voice was noticed late
            low = (span.voice_start if first and voiced else span.start) / SAMPLE_RATE_HZ
            high = span.end / SAMPLE_RATE_HZ
            start_s, end_s = (min(max(t + shift_s, low), high) for t in (word.start_s, word.end_s))
            placed.append(TimedWord(word.text, start_s, end_s, word.confidence, self.channel, language))
            spans.append(span)
        for n, (word_, span) in enumerate(zip(placed, spans, strict=True)):
            speech_end_s = span.voice_end / SAMPLE_RATE_HZ
            last = n + 1 == len(placed) or spans[n + 1] is not span
            if last and word_.start_s < speech_end_s and abs(speech_end_s - word_.end_s) < END_REACH_S:
                placed[n] = replace(word_, end_s=speech_end_s)
        return placed

    def _span_at(self, time_s: float) -> tuple[Span, float]:
        """The span a window time lies in, and what leads from window to recording, in seconds."""
        offset = 0
        for span in self.spans:
            if time_s * SAMPLE_RATE_HZ < offset + span.end - span.start or span is self.spans[-1]:
                break
            offset += span.end - span.start
        return span, (span.start - offset) / SAMPLE_RATE_HZ


def pack(call: int, channel: int, spans: Sequence[Span], longest: int) -> list[Window]:
    """Fill windows with spans, in order.

    Full windows are both cheaper and more accurate than many short ones: the encoder always
    works on 30 s, and the model hears a phrase in its context.

    Args:
        call: Index of the call in the batch.
        channel: Channel the spans are of.
        spans: In order; none longer than ``longest``.
        longest: Samples a window may hold.
    """
    windows: list[list[Span]] = []
    filled = longest
    for span in spans:
        length = span.end - span.start
        if filled + length > longest:
            windows.append([])
            filled = 0
        windows[-1].append(span)
        filled += length
    return [Window(call, channel, tuple(w)) for w in windows]
