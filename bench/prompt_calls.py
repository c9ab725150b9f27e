"""Two-channel calls of recorded prompts with their words: a set for word errors that anyone can rebuild.

    python -m bench.prompt_calls FOLDER
    python bench/asr.py --data FOLDER --only words

The speech comes from Debian's packages ``asterisk-core-sounds-en-wav`` and ``asterisk-core-sounds-en``
(Allison Smith, 8 kHz, CC BY-SA 3.0) and ``pocketsphinx-testdata`` (LibriVox, public domain), which
``apt-get download`` fetches where ``--packages`` names no folder that holds them. Every prompt of four words
or more without a tone is spoken once in each of three kinds of sound: clean µ-law, A-law with noise 20 dB
below speech, GSM with noise 12 dB below. Turns change channel at random; pauses last 0.3 to 2.5 s. The seed
is fixed: the same packages give the same calls. No model was tuned on them.
"""

from __future__ import annotations

import argparse
import gzip
import io
import json
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

RATE_HZ = 8000
PACKAGES = ("asterisk-core-sounds-en-wav", "asterisk-core-sounds-en", "pocketsphinx-testdata")
SOUNDS = {"clean": ("ULAW", 50.0), "noise20": ("ALAW", 20.0), "noise12": ("GSM610", 12.0)}
"""The codec of each kind of sound, and how far below speech its noise is, in dB."""
PROMPTS_A_CALL = 22
FEWEST_WORDS = 4


@dataclass(frozen=True)
class Prompt:
    """Recorded words: float32 samples at ``RATE_HZ``."""

    text: str
    samples: np.ndarray


def unpacked(folder: Path) -> Path:
    """The folder with the packages' files, fetched and unpacked where they are not there yet."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = [name for name in PACKAGES if not list(folder.glob(f"{name}_*.deb"))]
    if missing:
        subprocess.run(["apt-get", "download", *missing], cwd=folder, check=True)
    for package in folder.glob("*.deb"):
        subprocess.run(["dpkg-deb", "-x", str(package), str(folder)], check=True)
    return folder


def prompts(root: Path) -> list[Prompt]:
    """Every prompt of ``FEWEST_WORDS`` or more, in the order of its text."""
    told = {}
    listed = gzip.decompress(
        (root / "usr/share/doc/asterisk-core-sounds-en/core-sounds-en.txt.gz").read_bytes()
    )
    for line in listed.decode("utf-8", "replace").splitlines():
        name, _, text = line.partition(": ")
        told[root / "usr/share/asterisk/sounds/en_US_f_Allison" / f"{name}.wav"] = text.strip()
    books = root / "usr/share/pocketsphinx/test/data/librivox"
    for line in (books / "transcription").read_text("utf-8").splitlines():
        if spoken := re.fullmatch(r"<s> (.*) </s> \((.*)\)", line.strip()):
            told[books / f"{spoken[2]}.wav"] = spoken[1]
    return [
        Prompt(text, read(path))
        for path, text in sorted(told.items(), key=lambda item: item[1])
        if path.is_file() and len(text.split()) >= FEWEST_WORDS and not re.search(r"[\[(<]", text)
    ]


def read(path: Path) -> np.ndarray:
    """A recording at ``RATE_HZ``."""
    samples, rate_hz = soundfile.read(path, dtype="float32")
    if rate_hz == 2 * RATE_HZ:
        halved: np.ndarray = np.fft.irfft(np.fft.rfft(samples)[: len(samples) // 4 + 1], len(samples) // 2)
        return (halved / 2).astype(np.float32)
    assert rate_hz == RATE_HZ, f"{path}: {rate_hz} Hz"
    return samples


def compose(
    spoken: list[Prompt], noise_db: float, dice: np.random.Generator
) -> tuple[np.ndarray, list[dict[str, object]]]:
    """A call of these prompts: float32 samples of both channels, and its turns."""
    at_s, turns, placed = 1.0, [], []
    for prompt in spoken:
        channel, start = int(dice.integers(2)), int(at_s * RATE_HZ)
        placed.append((channel, start, prompt.samples))
        end_s = (start + prompt.samples.size) / RATE_HZ
        role = ("agent", "customer")[channel]
        said = {"role": role, "channel": channel, "start_s": at_s, "end_s": end_s, "text": prompt.text}
        turns.append(said)
        at_s = end_s + float(dice.uniform(0.3, 2.5))
    level = float(np.sqrt(np.mean(np.concatenate([p.samples for p in spoken]) ** 2)))
    floor = level * 10 ** (-noise_db / 20)
    call = dice.normal(0, floor, (2, int((at_s + 1) * RATE_HZ))).astype(np.float32)
    for channel, start, samples in placed:
        call[channel, start : start + samples.size] += samples
    return np.clip(call, -1, 1), turns


def through(codec: str, samples: np.ndarray) -> np.ndarray:
    """What a codec of one channel leaves of each channel."""
    heard = []
    for channel in samples:
        file = io.BytesIO()
        soundfile.write(file, channel, RATE_HZ, format="WAV", subtype=codec)
        file.seek(0)
        heard.append(soundfile.read(file, dtype="float32")[0][: channel.size])
    return np.stack(heard)


def main() -> None:
    """Write the calls with their ``*.truth.json``."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("folder", type=Path)
    ask.add_argument("--packages", type=Path, help="where the .deb files lie or are to be put")
    given = ask.parse_args()
    given.folder.mkdir(parents=True, exist_ok=True)
    spoken, dice = prompts(unpacked(given.packages or given.folder / "packages")), np.random.default_rng(1)
    for sound, (codec, noise_db) in SOUNDS.items():
        order = [spoken[n] for n in dice.permutation(len(spoken))]
        for first in range(0, len(order), PROMPTS_A_CALL):
            samples, turns = compose(order[first : first + PROMPTS_A_CALL], noise_db, dice)
            name = f"{sound}-{first // PROMPTS_A_CALL:02d}"
            heard = through(codec, samples)
            soundfile.write(given.folder / f"{name}.wav", heard.T, RATE_HZ, subtype="PCM_16")
            (given.folder / f"{name}.truth.json").write_text(json.dumps({"turns": turns}), "utf-8")
    words = sum(len(prompt.text.split()) for prompt in spoken)
    print(f"{len(spoken)} prompts, {words} words, in {len(SOUNDS)} kinds of sound")


if __name__ == "__main__":
    main()
