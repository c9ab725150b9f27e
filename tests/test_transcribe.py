"""Speech becomes timed turns; silence becomes nothing."""

import numpy as np
import pytest

from pipeline import models
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, Transcript
from pipeline.settings import TranscribeSettings
from pipeline.transcribe import Job, load_engine
from pipeline.transcribe.alignment import AlignedWord
from pipeline.transcribe.turns import HeardWord, build_turns
from pipeline.transcribe.vad import Span, VoiceActivity
from pipeline.transcribe.windows import pack


def heard(text: str, start_s: float, end_s: float, channel: int = 0) -> HeardWord:
    """A word as the decoder gives it."""
    return HeardWord(" " + text, start_s, end_s, 0.9, channel, "en")


def test_turns_are_split_where_the_other_side_speaks() -> None:
    """An answer given in a gap parts the turn around it; a backchannel over speech does not."""
    parted = build_turns([heard("go", 0, 0.5), heard("on", 1.2, 1.5), heard("yes", 0.7, 1.0, channel=1)])
    assert [t.text for t in parted] == ["go", "yes", "on"]
    spoken_over = build_turns([heard("go", 0, 0.5), heard("on", 0.6, 1.5), heard("mhm", 0.5, 0.6, channel=1)])
    assert [t.text for t in spoken_over] == ["go on", "mhm"]


def test_a_long_pause_ends_a_turn() -> None:
    """One speaker's silence is a turn end even when nobody else speaks."""
    assert len(build_turns([heard("one", 0, 0.5), heard("two", 3.0, 3.5)])) == 2


def test_words_of_a_window_lead_back_to_the_recording() -> None:
    """Joined spans keep their own place in the recording, and words stay inside them."""
    second = SAMPLE_RATE_HZ
    (window,) = pack(0, 0, [Span(10 * second, 12 * second), Span(50 * second, 51 * second)], 30 * second)
    assert window.n_samples == 3 * second

    def times(start_s: float, end_s: float, heard_s: float) -> tuple[float, float]:
        word = window.heard(AlignedWord(" hi", start_s, end_s, heard_s, 0.9), "en")
        return word.start_s, word.end_s

    assert times(0.5, 1.0, 0.7) == pytest.approx((10.5, 11.0))
    assert times(2.1, 2.5, 2.3) == pytest.approx((50.1, 50.5))
    assert times(1.9, 2.6, 2.4) == pytest.approx((50.0, 50.6))


def test_windows_are_filled_and_never_overfilled() -> None:
    """Spans share a window until the next one would not fit."""
    windows = pack(0, 1, [Span(0, 10), Span(20, 30), Span(40, 55)], 30)
    assert [w.spans for w in windows] == [(Span(0, 10), Span(20, 30)), (Span(40, 55),)]


def test_voice_activity_hears_nothing_in_noise_and_tones() -> None:
    """Digital silence, room noise and a dial tone hold no speech."""
    time = np.arange(20 * SAMPLE_RATE_HZ) / SAMPLE_RATE_HZ
    noise = np.random.default_rng(0).normal(0, 0.003, time.size)
    tone = 0.2 * (np.sin(2 * np.pi * 350 * time) + np.sin(2 * np.pi * 440 * time))
    channels = [np.zeros(time.size, np.float32), noise.astype(np.float32), tone.astype(np.float32)]
    assert VoiceActivity().spans(channels, 28 * SAMPLE_RATE_HZ) == [[], [], []]


@pytest.mark.whisper
def test_a_silent_call_has_no_turns_and_says_so() -> None:
    """Nothing is made up for a recording without speech."""
    if models.locate("base").source == "download":
        pytest.skip("the weights are not installed")
    engine = load_engine(TranscribeSettings())
    clip = AudioClip(np.zeros((2, 5 * SAMPLE_RATE_HZ), np.float32))
    (transcript,) = engine.transcribe([Job("quiet", clip)])
    assert isinstance(transcript, Transcript)
    assert transcript.turns == ()
    assert "no speech" in transcript.warnings[0]
