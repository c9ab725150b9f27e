"""Who speaks: echo and copies between channels, agent and customer, voices on one channel."""

from __future__ import annotations

import functools
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from pipeline import audio, speakers
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip, CallMetadata, Transcript, Turn, Word
from pipeline.settings import AudioSettings
from pipeline.speakers import diarise

Samples = npt.NDArray[np.float32]

SAMPLES = Path(__file__).parents[2] / "sample_audio"
CALLS = Path(__file__).parents[2].parent / "shared" / "data" / "calls"
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


def test_hold_music_on_both_channels_does_not_make_them_one() -> None:
    """Two parties stay apart though most of the call is the same music on both sides."""
    first, second = call()
    music = babble(2, [(0.0, 200.0)], 200.0)
    clip = AudioClip(np.stack([np.concatenate([party, music]) for party in (first, second)]))

    assert speakers.clean_channels(clip).n_channels == 2


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


def vowels(pitch_hz: float, stretch: float, seconds: float, seed: int) -> Samples:
    """A synthetic voice: harmonics under the formants of six vowels that come round every 1.2 s."""
    rng = np.random.default_rng(seed)
    n = int(seconds * SAMPLE_RATE_HZ)
    t = np.arange(n) / SAMPLE_RATE_HZ
    steps = np.arange(0, seconds + 0.2, 0.2)
    formants = np.array(
        [(730, 1090, 2440), (270, 2290, 3010), (300, 870, 2240), (530, 1840, 2480), (570, 840, 2410)]
    )
    path = formants[np.resize(rng.integers(0, len(formants), 6), len(steps))] * stretch
    pitch = pitch_hz * (1 + 0.08 * np.interp(t, steps, np.resize(rng.normal(size=6), len(steps))))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE_HZ
    voice = np.zeros(n)
    for k in range(1, int(3800 / pitch_hz)):
        level = sum(
            np.exp(-np.square((k * pitch - np.interp(t, steps, path[:, f])) / 120)) / (f + 1)
            for f in range(3)
        )
        voice += level * np.sin(k * phase)
    return (0.1 * voice * (0.6 + 0.4 * np.sin(2 * np.pi * 4 * t))).astype(np.float32)


def spoken(
    lines: list[tuple[str, float, float, str]], voices: dict[str, Samples]
) -> tuple[AudioClip, Transcript]:
    """A mono recording of two voices and one turn per line with evenly spread words."""
    track = (
        np.random.default_rng(5).normal(0, 3e-4, int((lines[-1][2] + 1) * SAMPLE_RATE_HZ)).astype(np.float32)
    )
    turns = []
    for i, (who, start_s, end_s, text) in enumerate(lines):
        at, n = int(start_s * SAMPLE_RATE_HZ), int((end_s - start_s) * SAMPLE_RATE_HZ)
        track[at : at + n] += voices[who][at : at + n]
        step_s = (end_s - start_s) / len(text.split())
        words = tuple(
            Word(w, start_s + k * step_s, start_s + (k + 0.9) * step_s, 0.9)
            for k, w in enumerate(text.split())
        )
        turns.append(Turn(i, "unknown", text, start_s, end_s, channel=0, words=words))
    return AudioClip(track[None]), Transcript("m1", tuple(turns), channels=1)


LINES = [
    ("a", 0.5, 5.0, AGENT),
    ("c", 5.4, 9.5, CUSTOMER),
    ("a", 9.9, 13.5, "Certainly, may I have your full name and your date of birth please?"),
    ("c", 13.8, 17.0, "My name is Jo Bloggs and I was born on the first of May."),
    ("a", 17.3, 21.0, "Thank you, I have ordered your new card. Is there anything else?"),
    ("c", 21.2, 23.5, "No thank you, that was all, bye."),
]


@functools.cache
def two_voices() -> tuple[AudioClip, Transcript]:
    """The lines above in a low and a high voice, on one channel, as one long turn."""
    voices = {"a": vowels(110, 0.95, 24.0, 1), "c": vowels(210, 1.15, 24.0, 2)}
    clip, said = spoken(LINES, voices)
    words = tuple(word for turn in said.turns for word in turn.words)
    text = " ".join(turn.text for turn in said.turns)
    return clip, replace(said, turns=(Turn(0, "unknown", text, 0.5, 23.5, channel=0, words=words),))


def test_voices_on_one_channel_are_told_apart_and_turns_cut_between_them() -> None:
    """Mono: turns follow the voices, roles the wording, and the confidence is stated."""
    clip, said = two_voices()

    result = speakers.assign_roles(said, clip, CallMetadata("m1", direction="inbound"), AudioSettings())

    assert [(t.role, t.text) for t in result.turns] == [
        ("agent" if who == "a" else "customer", text) for who, _, _, text in LINES
    ]
    assert [t.turn for t in result.turns] == list(range(6))
    assert result.channels == 1
    assert all(t.channel is None for t in result.turns)
    assert result.role_confidence is not None
    assert result.role_confidence > 0.5
    assert "told apart by voice" in result.warnings[-1]


def test_a_voicemail_has_one_voice() -> None:
    """One voice is not torn in two; its wording says whose it is."""
    voice = vowels(110, 0.95, 24.0, 1)
    clip, said = spoken([("a", s, e, AGENT) for _, s, e, _ in LINES], {"a": voice})

    result = speakers.assign_roles(said, clip, CallMetadata("m1"), AudioSettings())

    assert set(roles(result)) == {"agent"}
    assert "only one voice" in result.warnings[-1]


def test_one_channel_without_audio_leaves_roles_unknown() -> None:
    """A mono transcript from elsewhere is not guessed at."""
    said = transcript((None, AGENT), (None, CUSTOMER))

    result = speakers.assign_roles(said, None, CallMetadata("c1"), AudioSettings())

    assert roles(result) == ["unknown", "unknown"]
    assert result.role_confidence == 0.0


def test_a_silent_side_leaves_the_other_to_its_channel() -> None:
    """When only the agent's channel of two speaks, metadata says that it is the agent."""
    clip, said = spoken(
        [("a", s, e, "Hello there, hello, are you with me?") for _, s, e, _ in LINES],
        {"a": vowels(110, 0.95, 24.0, 1)},
    )
    clip = AudioClip(np.concatenate([clip.samples, np.zeros_like(clip.samples)]))

    result = speakers.assign_roles(said, clip, CallMetadata("m1", agent_channel=0), AudioSettings())

    assert set(roles(result)) == {"agent"}


def even_words(turns: list[dict[str, Any]]) -> tuple[Turn, list[str]]:
    """One long turn of all true words, timed evenly within their true turns, and the role of each."""
    words = []
    for turn in turns:
        text = turn["text"].split()
        step_s = (turn["end_s"] - turn["start_s"]) / len(text)
        for k, word in enumerate(text):
            start_s = turn["start_s"] + k * step_s
            words.append((Word(word, start_s, start_s + step_s), turn["role"]))
    words.sort(key=lambda pair: pair[0].start_s)
    text = " ".join(word.text for word, _ in words)
    whole = Turn(
        0, "unknown", text, words[0][0].start_s, words[-1][0].end_s, words=tuple(w for w, _ in words)
    )
    return whole, [role for _, role in words]


def share_of_words_right(recording: Path, truth: Path) -> float:
    """Share of words given the right role when all channels of a recording are mixed into one."""
    clip = audio.load(recording)
    clip = AudioClip(clip.samples.sum(axis=0, keepdims=True).astype(np.float32))
    whole, spoken_by = even_words(json.loads(truth.read_text("utf-8"))["turns"])
    said = Transcript("m", (whole,), channels=1)

    result = speakers.assign_roles(said, clip, CallMetadata("m", direction="inbound"), AudioSettings())

    heard = [turn.role for turn in result.turns for _ in turn.words]
    assert len(heard) == len(spoken_by)
    return float(np.mean([ours == true for ours, true in zip(heard, spoken_by, strict=True)]))


@pytest.mark.parametrize("name", ["billing-mono", "billing-unresolved", "support-swapped"])
def test_sample_calls_in_mono_keep_95_percent_of_words_with_their_speaker(name: str) -> None:
    """The shipped calls, mixed to one channel: voices and roles come out right."""
    right = share_of_words_right(SAMPLES / f"{name}.wav", SAMPLES / f"{name}.expected.json")

    assert right >= 0.95


def one_after_the_other(*names: str) -> tuple[Transcript, AudioClip, list[str]]:
    """Sample calls as one mono recording, as after a transfer, and who says each of its words."""
    samples, told, offset_s = [], [], 0.0
    for name in names:
        clip = audio.load(SAMPLES / f"{name}.wav")
        truth = json.loads((SAMPLES / f"{name}.expected.json").read_text("utf-8"))["turns"]
        told += [t | {"start_s": t["start_s"] + offset_s, "end_s": t["end_s"] + offset_s} for t in truth]
        samples.append(clip.samples.sum(axis=0, keepdims=True))
        offset_s += clip.duration_s
    whole, spoken_by = even_words(told)
    joined = AudioClip(np.concatenate(samples, axis=1).astype(np.float32))
    return Transcript("j", (whole,), channels=1), joined, spoken_by


@pytest.mark.parametrize(
    "names",
    [("billing-mono", "collections-no-disclosure"), ("support-poor", "billing-unresolved")],
    ids=["another agent", "another agent, the customer first"],
)
def test_a_third_voice_is_said_and_stays_with_its_party(names: tuple[str, str]) -> None:
    """After a transfer the second agent's words are the agent's, because he talks with the customer."""
    transcript, clip, spoken_by = one_after_the_other(*names)

    result = speakers.assign_roles(transcript, clip, CallMetadata("j"), AudioSettings())

    heard = [turn.role for turn in result.turns for _ in turn.words]
    assert "third voice" in result.warnings[-1]
    assert float(np.mean([ours == true for ours, true in zip(heard, spoken_by, strict=True)])) >= 0.95
    assert result.role_confidence is not None
    assert 0.6 < result.role_confidence < 0.9


def test_four_voices_are_said_and_their_sides_not_trusted() -> None:
    """With more than three voices on a channel, no answer rests on who said it."""
    transcript, clip, _ = one_after_the_other("collections-no-disclosure", "billing-unresolved")

    result = speakers.assign_roles(transcript, clip, CallMetadata("j"), AudioSettings())

    assert "third voice" in result.warnings[-1]
    assert "and more" in result.warnings[-1]
    assert result.role_confidence is not None
    assert result.role_confidence < 0.6


@pytest.mark.parametrize(
    ("voices", "parties"),
    [
        ([0, 2, 0, 2, 1, 2, 1, 2], (0, 0, 1)),
        ([0, 2, 0, 2, 0, 1, 0, 1], (1, 0, 0)),
        ([1, 0, 2, 1, 0, 2, 1, 1, 2], (None, 0, 1)),
    ],
    ids=["the first two speak with the third", "the last two speak with the first", "all with all"],
)
def test_a_voice_belongs_to_the_party_whose_voice_it_never_follows(
    voices: list[int], parties: tuple[int | None, ...]
) -> None:
    """Who follows whom tells the parties of three voices, and where it does not, the rarer stays apart."""
    assert diarise._parties(np.array(voices)) == parties


def one_voice(
    recording: Path, truth: Path, channel: int, start_s: float, length_s: float
) -> tuple[AudioClip, Transcript]:
    """A piece of one party's channel alone, words timed evenly."""
    clip = audio.load(recording)
    first, past = int(start_s * SAMPLE_RATE_HZ), int((start_s + length_s) * SAMPLE_RATE_HZ)
    turns = []
    for t in json.loads(truth.read_text("utf-8"))["turns"]:
        begin_s, end_s = t["start_s"] - start_s, t["end_s"] - start_s
        if t["channel"] == channel and begin_s >= 0 and end_s <= length_s:
            text = t["text"].split()
            step_s = (end_s - begin_s) / len(text)
            words = tuple(
                Word(w, begin_s + k * step_s, begin_s + (k + 1) * step_s) for k, w in enumerate(text)
            )
            turns.append(Turn(len(turns), "unknown", t["text"], begin_s, end_s, channel=0, words=words))
    piece = AudioClip(clip.samples[channel : channel + 1, first:past])
    return piece, Transcript("o", tuple(turns), channels=1)


def is_one_and_unsure(clip: AudioClip, said: Transcript) -> bool:
    """Whether a single voice stays one speaker, of whose role nobody can be sure."""
    result = speakers.assign_roles(said, clip, CallMetadata("o"), AudioSettings())
    sure = result.role_confidence
    told = any("only one voice" in w for w in result.warnings)
    return len(set(roles(result))) == 1 and told and sure is not None and sure < 0.6


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize(("start_s", "length_s"), [(0.0, 25.0), (20.0, 32.0), (0.0, 60.0)])
def test_one_voice_on_one_channel_stays_one_speaker(channel: int, start_s: float, length_s: float) -> None:
    """A recording of one side is not torn into agent and customer, and says that a side is missing."""
    recording = SAMPLES / "support-good.wav"

    piece = one_voice(recording, SAMPLES / "support-good.expected.json", channel, start_s, length_s)

    assert is_one_and_unsure(*piece)


@pytest.mark.data
@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize(("start_s", "length_s"), [(0.0, 30.0), (20.0, 40.0), (0.0, 70.0), (0.0, 120.0)])
def test_one_real_voice_stays_one_speaker(channel: int, start_s: float, length_s: float) -> None:
    """Real voices of a telephone call, one side of it."""
    if not CALLS.is_dir():
        pytest.skip("development data is not beside the project")

    piece = one_voice(CALLS / "dev-001.wav", CALLS / "dev-001.truth.json", channel, start_s, length_s)

    assert is_one_and_unsure(*piece)


@pytest.mark.parametrize("gain", [1.0, 0.7])
def test_a_stretch_doubled_on_both_channels_is_heard_once(gain: float) -> None:
    """The first 20 s with both parties on both channels: one of them is silenced there, and it is said."""
    clip = audio.load(SAMPLES / "support-swapped.wav")
    turns = json.loads((SAMPLES / "support-swapped.expected.json").read_text("utf-8"))["turns"]
    until = 20 * SAMPLE_RATE_HZ
    samples = clip.samples.copy()
    samples[:, :until] = samples[:, :until].sum(axis=0)
    samples[1, :until] *= np.float32(gain)

    cleaned = speakers.clean_channels(AudioClip(samples))

    assert cleaned.n_channels == 2
    ((start_s, end_s),) = cleaned.doubled_s
    assert start_s < turns[0]["start_s"] + 0.5
    assert end_s == pytest.approx(20.0, abs=0.6)
    assert "carries the same sound as channel 0" in cleaned.warnings[-1]
    assert not cleaned.samples[1, int(2.5 * SAMPLE_RATE_HZ) : until - SAMPLE_RATE_HZ].any()
    np.testing.assert_array_equal(
        cleaned.samples[:, until + SAMPLE_RATE_HZ :], samples[:, until + SAMPLE_RATE_HZ :]
    )


def test_roles_are_in_doubt_where_channels_were_doubled() -> None:
    """Who spoke while both parties were on both channels is not known: confidence falls, people are told."""
    said = transcript((0, AGENT), (1, CUSTOMER))
    inside = replace(said, turns=tuple(replace(t, start_s=1.0, end_s=4.0) for t in said.turns))
    silent = np.zeros((2, 30 * SAMPLE_RATE_HZ), np.float32)

    sure = speakers.assign_roles(
        inside, AudioClip(silent), CallMetadata("c", agent_channel=0), AudioSettings()
    )
    unsure = speakers.assign_roles(
        inside,
        AudioClip(silent, doubled_s=((0.0, 20.0),)),
        CallMetadata("c", agent_channel=0),
        AudioSettings(),
    )
    later = speakers.assign_roles(
        inside,
        AudioClip(silent, doubled_s=((20.0, 30.0),)),
        CallMetadata("c", agent_channel=0),
        AudioSettings(),
    )

    assert (sure.role_confidence, later.role_confidence) == (1.0, 1.0)
    assert unsure.role_confidence is not None
    assert unsure.role_confidence < 0.6
    assert any(w.startswith("channels doubled") for w in unsure.warnings)


@pytest.mark.data
@pytest.mark.parametrize("name", ["dev-001", "dev-002", "dev-003"])
def test_real_mono_calls_keep_95_percent_of_words_with_their_speaker(name: str) -> None:
    """Real voices on one telephone channel."""
    if not CALLS.is_dir():
        pytest.skip("development data is not beside the project")

    right = share_of_words_right(CALLS / f"{name}.wav", CALLS / f"{name}.truth.json")

    assert right >= 0.95


def test_leaks_of_jointly_coded_stereo_are_silenced_and_nothing_else() -> None:
    """At low bit rates each party leaks into the other's channel at once, some 25 dB down."""
    first, second = audio.load(SAMPLES / "support-swapped.wav").samples
    turns = json.loads((SAMPLES / "support-swapped.expected.json").read_text("utf-8"))["turns"]
    leaky = AudioClip(np.stack([first + 0.05 * second, second + 0.05 * first]).astype(np.float32))

    cleaned = speakers.clean_channels(leaky).samples

    for turn in turns:
        span = slice(int(turn["start_s"] * SAMPLE_RATE_HZ), int(turn["end_s"] * SAMPLE_RATE_HZ))
        assert (cleaned[turn["channel"], span] == 0).mean() < 0.02
        assert (cleaned[1 - turn["channel"], span] == 0).mean() > 0.85


def test_metadata_that_names_a_second_channel_of_mono_is_said() -> None:
    """A channel that the recording does not have costs a warning, not the call."""
    clip, said = two_voices()

    result = speakers.assign_roles(said, clip, CallMetadata("m1", agent_channel=1), AudioSettings())

    assert "names channel 1" in result.warnings[0]
    assert {"agent", "customer"} == set(roles(result))


def test_a_turn_is_cut_before_the_mark_that_begins_a_word() -> None:
    """A sign or an apostrophe that begins the second voice's first word stays with it."""
    text = "How much? $50, please."
    words = tuple(Word(word, i / 2, i / 2 + 0.4) for i, word in enumerate(text.split()))
    turn = Turn(0, "unknown", text, 0.0, 1.9, words=words)
    (first, second), parties = diarise._split([turn], np.array([0, 0, 1, 1]), (0, 1))

    assert (first.text, second.text) == ("How much?", "$50, please.")
    assert (first.words, second.words) == (words[:2], words[2:])
    assert parties == (0, 1)
