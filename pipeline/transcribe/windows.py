"""Speech packed into windows that are decoded in one pass.

Between voice activity and decoding. A window holds one or more spans of one channel, cut only
at pauses and joined without the silence between them, so that silence, hold and the other
party's talk are not decoded; ``place`` converts times back to the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby, takewhile

import numpy as np

from pipeline.conversation import SAMPLE_RATE_HZ
from pipeline.transcribe.alignment import AlignedWord
from pipeline.transcribe.vad import Samples, SpeechSpan
from pipeline.turns import TimedWord

TOO_SHORT_WORDS, TOO_SHORT_S = 3, 0.03  # this many words at the end, each shorter than this, are invented
END_REACH_S = 0.6  # further from the end of speech, the last word is not the last of the speech


@dataclass(frozen=True, slots=True)
class SpeechWindow:
    """Consecutive spans of one channel of one call.

    Attributes:
        call: Index of the call in the batch.
        channel: Channel it is of.
        spans: Its spans, in order, in samples of the channel.
    """

    call: int
    channel: int
    spans: tuple[SpeechSpan, ...]

    @property
    def n_samples(self) -> int:
        """Length of the joined audio."""
        return sum(span.end - span.start for span in self.spans)

    def audio(self, samples: Samples) -> Samples:
        """The joined audio: float32 (n_samples,) out of the channel's samples."""
        return np.concatenate([samples[span.start : span.end] for span in self.spans])

    def place(self, words: Sequence[AlignedWord], language: str | None) -> list[TimedWord]:
        """Convert word times to the recording, each word within the span that it was recognised in.

        Attention begins a phrase's first word with the padding before it and puts the pause after
        it into its full stop, so a span's first and last word are given the start and end that voice
        activity found. Several words at the end that are shorter than 0.03 s each are invented and left out.
        """
        too_short = sum(1 for _ in takewhile(lambda w: w.end_s - w.start_s < TOO_SHORT_S, reversed(words)))
        spoken = words[: len(words) - too_short] if too_short >= TOO_SHORT_WORDS else words
        placed: list[TimedWord] = []
        for (span, shift_s), group in groupby(spoken, lambda word: self._span_at(word.heard_s)):
            of_span = list(group)
            span_start_s, span_end_s, voice_start_s, voice_end_s = (at / SAMPLE_RATE_HZ for at in span)
            for n, word in enumerate(of_span):
                # if the first word ends before the voice begins, the voice was noticed late
                late = word.end_s + shift_s <= voice_start_s
                low_s = voice_start_s if n == 0 and not late else span_start_s
                start_s, end_s = (
                    min(max(t + shift_s, low_s), span_end_s) for t in (word.start_s, word.end_s)
                )
                last = n + 1 == len(of_span)
                if last and start_s < voice_end_s and abs(voice_end_s - end_s) < END_REACH_S:
                    end_s = voice_end_s
                placed.append(TimedWord(word.text, start_s, end_s, word.confidence, self.channel, language))
        return placed

    def _span_at(self, time_s: float) -> tuple[SpeechSpan, float]:
        """The span that a window time lies in, and the seconds to add for the time in the recording."""
        offset = 0
        for span in self.spans:
            if time_s * SAMPLE_RATE_HZ < offset + span.end - span.start or span is self.spans[-1]:
                break
            offset += span.end - span.start
        return span, (span.start - offset) / SAMPLE_RATE_HZ


def pack(call: int, channel: int, spans: Sequence[SpeechSpan], longest: int) -> list[SpeechWindow]:
    """Fill windows with spans, in order.

    Full windows are both cheaper and more accurate than many short ones: the encoder works on at least 15 s,
    and the model gets the whole phrase.

    Args:
        call: Index of the call in the batch.
        channel: Channel the spans are of.
        spans: In order; none longer than ``longest``.
        longest: Samples a window may hold.
    """
    windows: list[list[SpeechSpan]] = []
    filled = longest
    for span in spans:
        length = span.end - span.start
        if filled + length > longest:
            windows.append([])
            filled = 0
        windows[-1].append(span)
        filled += length
    return [SpeechWindow(call, channel, tuple(w)) for w in windows]
