"""Find out why a recording was recognised with low confidence, from its sound and its metadata.

Words recognised with low confidence are often invented. What a person should do about it (ask for another
level or codec, name the language) depends on the cause, so every cause that can be measured is reported.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, CallMetadata, Doubt, Transcript
from pipeline.text.words import count_words

WEAK_CONFIDENCE = 0.5
"""Mean word confidence below which a call is reported; good calls have 0.7 to 0.95 with every model tried."""
QUIET_DBFS = -55.0
"""Speech is normally at -17 to -25 dBFS. Of the words of three composed 16-bit calls, 0.3 % are lost at -23,
0.5 % at -49, 0.3 % at -53, 1.0 % at -58, 3 % at -63 and 26 % at -69; the others keep a good confidence."""
NOISY_DB = 6.0
"""Speech less than this above the level between turns is hidden by noise."""
TELEPHONE_RATE_HZ = 8000
LOSSY_CODECS = ("gsm", "amr", "adpcm", "g723", "g726", "g729", "speex", "truespeech", "evrc", "lpc")
MIN_S = 0.5
"""Least amount of sound from which a level is computed."""


def doubts(
    transcript: Transcript, clip: AudioClip | None, metadata: CallMetadata, crowded: bool
) -> Iterator[Doubt]:
    """A doubt for each channel with too quiet speech, and one with the causes when confidence is low overall.

    The language in the metadata is the one the recogniser had to use; ``crowded`` is whether more than two
    voices share a channel.
    """
    if clip is not None:
        yield from _too_quiet(transcript, clip)
    weighted = [(t.confidence, count_words(t.text)) for t in transcript.turns if t.confidence is not None]
    n_words = sum(count for _, count in weighted)
    if not n_words:
        return
    mean = sum(confidence * count for confidence, count in weighted) / n_words
    if mean >= WEAK_CONFIDENCE:
        return
    causes = [*_causes(transcript, clip, metadata, crowded)] or ["why cannot be told from the sound"]
    said = f"recognised weakly (mean word confidence {mean:.2f}): {', '.join(causes)}"
    yield Doubt("recognised_weakly", said)


def _too_quiet(transcript: Transcript, clip: AudioClip) -> Iterator[Doubt]:
    """A doubt for each channel whose speech is so quiet that some of it may be missing."""
    roles = {0 if clip.n_channels == 1 else turn.channel: turn.role for turn in transcript.turns}
    for channel in sorted(c for c in roles if c is not None):
        speech_db, _ = _levels(transcript, clip, {channel})
        if speech_db is not None and speech_db < QUIET_DBFS:
            role = roles[channel] if clip.n_channels > 1 and roles[channel] != "unknown" else None
            whose = "speech" if clip.n_channels == 1 else f"speech on channel {channel}"
            whose = f"the {role}'s speech" if role else whose
            said = (
                f"too quiet: {whose} is {-speech_db:.0f} dB below full scale, "
                "so words may be missing; ask for a louder recording"
            )
            yield Doubt("too_quiet", said, role)


def _causes(
    transcript: Transcript, clip: AudioClip | None, metadata: CallMetadata, crowded: bool
) -> Iterator[str]:
    if clip is not None:
        yield from _acoustic_causes(transcript, clip)
    if language_doubts := transcript.said_of("other_language"):
        yield from language_doubts
    elif metadata.language:
        yield f"it was heard as {metadata.language}, as its data say: is that what was spoken?"
    if crowded:
        yield "more than two voices share a channel"


def _acoustic_causes(transcript: Transcript, clip: AudioClip) -> Iterator[str]:
    speech_db, rest_db = _levels(transcript, clip, {turn.channel or 0 for turn in transcript.turns})
    if speech_db is not None and speech_db < QUIET_DBFS:
        yield f"speech is quiet ({-speech_db:.0f} dB below full scale)"
    if speech_db is not None and rest_db is not None and speech_db - rest_db < NOISY_DB:
        yield f"speech is only {max(0.0, speech_db - rest_db):.0f} dB above the noise"
    if any(doubt.kind == "clipped" for doubt in clip.doubts):
        yield "it is clipped"
    if clip.source_sample_rate_hz < TELEPHONE_RATE_HZ:
        yield f"nothing above {clip.source_sample_rate_hz / 2000:g} kHz was recorded"
    if any(name in clip.codec.lower() for name in LOSSY_CODECS):
        yield f"the codec {clip.codec} keeps little of the voice"


def _levels(
    transcript: Transcript, clip: AudioClip, channels: Collection[int]
) -> tuple[float | None, float | None]:
    """Level within turns and level between turns of the given channels together, in dBFS."""
    speech, rest = list[np.ndarray](), list[np.ndarray]()
    for channel in channels:
        if channel >= clip.n_channels:
            continue
        samples, position = clip.samples[channel], 0
        spans_s = sorted(
            (turn.start_s, turn.end_s)
            for turn in transcript.turns
            if (turn.channel or 0) == channel and turn.start_s is not None and turn.end_s is not None
        )
        for span_s in spans_s:
            start, end = (round(at_s * SAMPLE_RATE_HZ) for at_s in span_s)
            rest.append(samples[position:start])
            speech.append(samples[max(position, start) : end])
            position = max(position, end)
        rest.append(samples[position:])
    return _level(speech), _level(rest)


def _level(parts: Collection[np.ndarray]) -> float | None:
    """The level of several stretches together in dBFS; None when they are too short to tell."""
    n_samples = sum(map(len, parts))
    if n_samples < MIN_S * SAMPLE_RATE_HZ:
        return None
    energy = sum(float(np.dot(part, part)) for part in parts)
    return float(10 * np.log10(energy / n_samples + 1e-10))
