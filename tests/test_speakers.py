"""Who speaks: echo and copies between channels, agent and customer, voices on one channel."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest

from pipeline import speakers
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, CallMetadata, Transcript, Turn
from pipeline.settings import AudioSettings

Samples = npt.NDArray[np.float32]

AGENT = "Thank you for calling Harper Valley, my name is Ana, how can I help you today?"
CUSTOMER = "Hi, I lost my debit card, can you send me a new one to my address?"


def babble(seed: int, spans: list[tuple[float, float]], length_s: float) -> Samples:
    """Syllables of a voice with its own changing pitch during the spans, over a faint line noise."""
    rng = np.random.default_rng(seed)
    n = int(length_s * SAMPLE_RATE_HZ)
    t = np.arange(n) / SAMPLE_RATE_HZ
    pitch_hz = (
        110
        + 25 * seed
        + 20 * np.interp(t, np.arange(0, length_s, 0.2), rng.normal(size=len(np.arange(0, length_s, 0.2))))
    )
    phase = 2 * np.pi * np.cumsum(pitch_hz) / SAMPLE_RATE_HZ
    voice = sum(np.sin(k * phase) / k for k in range(1, 15)) + 0.3 * rng.normal(size=n)
    syllables = np.clip(np.sin(2 * np.pi * (3 + seed % 3) * t) + 0.4, 0, 1)
    speaking = np.zeros(n)
    for start_s, end_s in spans:
        speaking[int(start_s * SAMPLE_RATE_HZ) : int(end_s * SAMPLE_RATE_HZ)] = 1
    return (0.1 * voice * syllables * speaking + 3e-4 * rng.normal(size=n)).astype(np.float32)


@functools.cache
def call(length_s: float = 40.0) -> tuple[Samples, Samples]:
    """Two parties who take turns of four seconds and overlap for half a second."""
    starts = np.arange(0, length_s - 4, 8.0)
    first = [(float(s), float(s) + 4.5) for s in starts]
    second = [(float(s) + 4.0, float(s) + 7.5) for s in starts]
    return babble(1, first, length_s), babble(4, second, length_s)


def echo(samples: Samples, gain: float, delay_s: float) -> Samples:
    """The samples later and fainter, as a hybrid or a handset returns them."""
    shift = int(delay_s * SAMPLE_RATE_HZ)
    return np.concatenate([np.zeros(shift, np.float32), gain * samples[: len(samples) - shift]])


def transcript(*lines: tuple[int | None, str]) -> Transcript:
    """Turns of three seconds each on the given channels, roles unknown."""
    turns = tuple(
        Turn(i, "unknown", text, 3.0 * i, 3.0 * i + 2.5, channel=channel)
        for i, (channel, text) in enumerate(lines)
    )
    return Transcript("c1", turns, channels=2)


def roles(result: Transcript) -> list[str]:
    """The role of each turn."""
    return [turn.role for turn in result.turns]


def test_clean_channels_stay_as_they_are() -> None:
    """Two voices on two channels are two parties, overlaps included."""
    clip = AudioClip(np.stack(call()))

    assert speakers.clean_channels(clip) is clip


@pytest.mark.parametrize(("gain_db", "delay_s"), [(-12, 0.02), (-20, 0.05), (-30, 0.2)])
def test_echo_is_silenced_and_own_speech_is_not(gain_db: float, delay_s: float) -> None:
    """What one party says is heard on that party's channel alone."""
    first, second = call()
    clip = AudioClip(np.stack([first, second + echo(first, 10 ** (gain_db / 20), delay_s)]))

    cleaned = speakers.clean_channels(clip)

    assert cleaned.n_channels == 2
    assert "echo of channel 0" in cleaned.warnings[0]
    np.testing.assert_array_equal(cleaned.samples[0], first)
    own = cleaned.samples[1, 5 * SAMPLE_RATE_HZ : 7 * SAMPLE_RATE_HZ]
    assert (own != 0).mean() > 0.97
    echoed = cleaned.samples[1, int(1.0 * SAMPLE_RATE_HZ) : int(3.5 * SAMPLE_RATE_HZ)]
    assert (echoed != 0).mean() < 0.15


def test_the_same_sound_on_both_channels_is_mono() -> None:
    """Fake stereo becomes one channel with a warning."""
    mix = np.add(*call())
    noise = np.random.default_rng(9).normal(0, 3e-4, len(mix)).astype(np.float32)

    cleaned = speakers.clean_channels(AudioClip(np.stack([mix, 0.8 * mix + noise])))

    assert cleaned.n_channels == 1
    assert "mono" in cleaned.warnings[0]


def test_metadata_names_the_agent() -> None:
    """A named channel decides, and nothing is doubted when the wording agrees."""
    said = transcript((1, AGENT), (0, CUSTOMER))

    result = speakers.assign_roles(said, None, CallMetadata("c1", agent_channel=1), AudioSettings())

    assert roles(result) == ["agent", "customer"]
    assert (result.channels, result.role_confidence, result.warnings) == (2, 1.0, ())


def test_swapped_channels_are_reported_not_acted_on() -> None:
    """When the wording contradicts metadata, metadata stands and people are told."""
    said = transcript((1, AGENT), (0, CUSTOMER))

    result = speakers.assign_roles(said, None, CallMetadata("c1", agent_channel=0), AudioSettings())

    assert roles(result) == ["customer", "agent"]
    assert result.role_confidence is not None
    assert result.role_confidence < 0.1
    assert "swapped" in result.warnings[0]


def test_wording_finds_the_agent_when_metadata_is_silent() -> None:
    """Greeting and script say who is who, whichever channel it is on, with a stated confidence."""
    said = transcript((1, AGENT), (0, CUSTOMER))

    result = speakers.assign_roles(said, None, CallMetadata("c1"), AudioSettings())

    assert roles(result) == ["agent", "customer"]
    assert result.role_confidence is not None
    assert result.role_confidence > 0.9


def test_without_evidence_the_default_channel_is_the_agent() -> None:
    """Two strangers of few words fall back on the configured channel, said aloud."""
    said = transcript((0, "Mhm."), (1, "Right."))

    result = speakers.assign_roles(said, None, CallMetadata("c1"), AudioSettings(agent_channel=1))

    assert roles(result) == ["customer", "agent"]
    assert "by default" in result.warnings[0]


def test_who_answers_the_call_is_evidence() -> None:
    """On an outbound call the customer speaks first, on an inbound one the agent."""
    said = transcript((0, "Hello?"), (1, "Good morning."), (0, "Yes."))
    settings = AudioSettings()

    outbound = speakers.assign_roles(said, None, CallMetadata("c1", direction="outbound"), settings)
    inbound = speakers.assign_roles(said, None, CallMetadata("c1", direction="inbound"), settings)

    assert roles(outbound)[0] == "customer"
    assert roles(inbound)[0] == "agent"


def test_a_channel_that_does_not_exist_is_said_and_survived() -> None:
    """Metadata that names channel 5 of two costs a warning, not the call."""
    said = transcript((0, AGENT), (1, CUSTOMER))

    result = speakers.assign_roles(said, None, CallMetadata("c1", agent_channel=5), AudioSettings())

    assert roles(result) == ["agent", "customer"]
    assert "channel 5" in result.warnings[0]


def test_roles_that_are_given_are_kept() -> None:
    """A transcript that already says who speaks is left alone."""
    said = transcript((0, AGENT), (1, CUSTOMER))
    said = replace(said, turns=tuple(replace(t, role="customer") for t in said.turns))

    assert speakers.assign_roles(said, None, CallMetadata("c1", agent_channel=0), AudioSettings()) is said
