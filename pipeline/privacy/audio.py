"""Redacted audio: the spans silenced or beeped over, everything else untouched."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipeline.privacy import PrivateSpan

BEEP_HZ = 1000.0
BEEP_LEVEL = 0.1  # of full scale: heard clearly, startles nobody


def blank(
    samples: NDArray[np.float32],
    sample_rate_hz: int,
    spans: Sequence[PrivateSpan],
    how: Literal["silence", "beep"] = "silence",
) -> NDArray[np.float32]:
    """A copy of the audio in which nothing of the spans can be heard.

    Every channel is blanked, not only the speaker's: echo and an agent reading a number back leak
    it to the other side.

    Args:
        samples: float32, shape (n_channels, n_samples).
        sample_rate_hz: Of the samples.
        spans: From ``privacy.find`` or ``privacy.redact``; those without times are passed over.
        how: Digital silence, or a 1 kHz tone.
    """
    out = samples.copy()
    for span in spans:
        if span.start_s is None or span.end_s is None:
            continue
        start = max(0, int(span.start_s * sample_rate_hz))
        end = min(out.shape[1], int(np.ceil(span.end_s * sample_rate_hz)))
        if how == "silence" or end <= start:
            out[:, start:end] = 0.0
        else:
            phase = 2 * np.pi * BEEP_HZ * np.arange(end - start) / sample_rate_hz
            out[:, start:end] = (BEEP_LEVEL * np.sin(phase)).astype(np.float32)
    return out
