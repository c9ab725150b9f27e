"""Speech packed into windows the recogniser hears at once.

Between voice activity and decoding. A window holds one or more spans of one channel, cut only
at pauses and joined without the silence between them, so that silence, hold and the other
party's talk cost nothing; ``heard`` leads a word of it back to the recording.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.conversation import SAMPLE_RATE_HZ
from pipeline.transcribe.alignment import AlignedWord
from pipeline.transcribe.turns import HeardWord
from pipeline.transcribe.vad import Samples, Span


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

    def heard(self, word: AlignedWord, language: str | None) -> HeardWord:
        """Place a word in the recording: in the span it was heard in, and inside it."""
        offset = 0
        for span in self.spans:
            if word.heard_s * SAMPLE_RATE_HZ < offset + span.end - span.start or span is self.spans[-1]:
                break
            offset += span.end - span.start
        shift = (span.start - offset) / SAMPLE_RATE_HZ
        low, high = span.start / SAMPLE_RATE_HZ, span.end / SAMPLE_RATE_HZ
        start_s, end_s = (min(max(t + shift, low), high) for t in (word.start_s, word.end_s))
        return HeardWord(word.text, start_s, end_s, word.confidence, self.channel, language)


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
