"""Why a recording was recognised weakly, where its sound or its data tell.

Words of low confidence are often invented. What a person should do about it (ask for another
level, another codec, name the language) depends on the cause, so each that can be measured is said.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator

import numpy as np

from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, CallMetadata, Doubt, Transcript
from pipeline.text.words import count_words

WEAK_CONFIDENCE = 0.5
"""Mean word confidence under which it is said; sound calls have 0.7 to 0.95 with every model tried."""
QUIET_DBFS = -55.0
"""Sound calls speak at -17 to -25. Of three composed calls in 16 bits, 0.3 % of the words are lost at -23,
0.5 % at -49, 0.3 % at -53, 1.0 % at -58, 3 % at -63 and 26 % at -69, the rest with good confidence."""
NOISY_DB = 6.0
"""Speech less than this above what is between it drowns."""
TELEPHONE_RATE_HZ = 8000
LOSSY_CODECS = ("gsm", "amr", "adpcm", "g723", "g726", "g729", "speex", "truespeech", "evrc", "lpc")
MIN_S = 0.5
"""Less sound than this has no level."""


def doubts(
    transcript: Transcript, clip: AudioClip | None, metadata: CallMetadata, *, crowded: bool = False
) -> Iterator[Doubt]:
    """That speech is too quiet, and one when a call was recognised weakly, with its causes.

    Args:
        transcript: With roles, confidence by turn and the doubts so far.
        clip: The sound; None for transcripts from elsewhere.
        metadata: Whose language the recogniser was held to.
        crowded: More than two voices share a channel.
    """
    if clip is not None:
        yield from _too_quiet(transcript, clip)
    weighed = [(t.confidence, count_words(t.text)) for t in transcript.turns if t.confidence is not None]
    words = sum(count for _, count in weighed)
    if not words:
        return
    mean = sum(confidence * count for confidence, count in weighed) / words
    if mean >= WEAK_CONFIDENCE:
        return
    causes = [*_causes(transcript, clip, metadata)]
    if crowded:
        causes.append("more than two voices share a channel")
    causes = causes or ["why cannot be told from the sound"]
    said = f"recognised weakly (mean word confidence {mean:.2f}): {', '.join(causes)}"
    yield Doubt("recognised_weakly", said)


def _too_quiet(transcript: Transcript, clip: AudioClip) -> Iterator[Doubt]:
    """One for each channel whose speech is so quiet that more of it may not have been heard at all."""
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


def _causes(transcript: Transcript, clip: AudioClip | None, metadata: CallMetadata) -> Iterator[str]:
    if clip is not None:
        yield from _of_sound(transcript, clip)
    told = transcript.said_of("other_language")
    if told:
        yield from told
    elif metadata.language:
        yield f"it was heard as {metadata.language}, as its data say: is that what was spoken?"


def _of_sound(transcript: Transcript, clip: AudioClip) -> Iterator[str]:
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
    """Level of speech, and of what is between it on the same channel, in dB of full scale."""
    speech = rest = 0.0
    spoken = silent = 0
    for channel in channels:
        if channel >= clip.n_channels:
            continue
        samples, at = clip.samples[channel], 0
        own = sorted(
            (turn.start_s, turn.end_s)
            for turn in transcript.turns
            if (turn.channel or 0) == channel and turn.start_s is not None and turn.end_s is not None
        )
        for start_s, end_s in own:
            start, end = (round(time_s * SAMPLE_RATE_HZ) for time_s in (start_s, end_s))
            rest, silent = rest + _energy(samples[at:start]), silent + max(0, start - at)
            start = max(at, start)
            speech, spoken = speech + _energy(samples[start:end]), spoken + max(0, end - start)
            at = max(at, end)
        rest, silent = rest + _energy(samples[at:]), silent + max(0, len(samples) - at)
    return _decibels(speech, spoken), _decibels(rest, silent)


def _energy(samples: np.ndarray) -> float:
    return float(np.dot(samples, samples)) if len(samples) else 0.0


def _decibels(energy: float, count: int) -> float | None:
    if count < MIN_S * SAMPLE_RATE_HZ:
        return None
    return float(10 * np.log10(energy / count + 1e-10))
