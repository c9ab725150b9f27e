"""Mangled recordings: each becomes a clip or a reason, none crashes or hangs the batch.

The files are real ones of every format, damaged by seeded rules (cut, flipped, overwritten,
spliced, headers rewritten), so a failure names the seed that makes it again. They are fed to a
second process: a crash inside a decoder would otherwise end the test run instead of failing it.
"""

from __future__ import annotations

import random
import struct
import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipeline import audio
from pipeline.errors import RecordingError
from tests.speech.test_audio import tone, write_av

N_FILES = 640
LONGEST_S = 10.0
REASONS = {
    "empty",
    "not_audio",
    "truncated",
    "corrupt",
    "unsupported",
    "too_long",
    "too_short",
    "silent",
}
FEED = """
import sys, time
from pathlib import Path
from pipeline import audio
from pipeline.errors import RecordingError
for name in sys.stdin.read().splitlines():
    started = time.monotonic()
    try:
        clip = audio.load(Path(name))
        said = f"clip {clip.samples.shape[0]} {clip.duration_s:.1f}"
    except RecordingError as error:
        said = f"refused {error.reason}"
    print(Path(name).name, f"{time.monotonic() - started:.1f}", said, sep="\\t", flush=True)
"""


def seeds(folder: Path) -> list[bytes]:
    """A fraction of a second in each format."""
    made = []
    for container, coding in [
        ("WAV", "PCM_16"),
        ("WAV", "ULAW"),
        ("WAV", "GSM610"),
        ("WAV", "MS_ADPCM"),
        ("WAV", "FLOAT"),
        ("W64", "PCM_16"),
        ("AIFF", "PCM_16"),
        ("AU", "ULAW"),
        ("CAF", "PCM_16"),
        ("FLAC", "PCM_16"),
        ("OGG", "VORBIS"),
    ]:
        path = folder / f"{container}-{coding}"
        soundfile.write(
            path, tone(0.4, 8000, 1 if coding == "GSM610" else 2), 8000, format=container, subtype=coding
        )
        made.append(path)
    for fmt, codec, rate_hz in [
        ("mp3", "libmp3lame", 16_000),
        ("adts", "aac", 16_000),
        ("ipod", "aac", 16_000),
        ("ogg", "libopus", 16_000),
        ("webm", "libopus", 48_000),
        ("amr", "libopencore_amrnb", 8000),
        ("asf", "wmav2", 16_000),
    ]:
        made.append(write_av(folder / f"{fmt}-{codec}", fmt, codec, rate_hz=rate_hz))
    return [path.read_bytes() for path in made]


def mangle(rng: random.Random, whole: bytes, other: bytes) -> bytes:
    """One way for a recording to go wrong."""
    body = bytearray(whole)
    match rng.randrange(9):
        case 0:  # the copy stopped
            return bytes(body[: rng.randrange(len(body))])
        case 1:  # bits rot anywhere
            for _ in range(rng.randrange(1, 40)):
                body[rng.randrange(len(body))] ^= 1 << rng.randrange(8)
        case 2:  # bits rot in the header
            for _ in range(rng.randrange(1, 8)):
                body[rng.randrange(min(120, len(body)))] = rng.randrange(256)
        case 3:  # sizes and rates lie
            at = rng.randrange(min(200, len(body) - 4))
            body[at : at + 4] = struct.pack(
                "<I", rng.choice([0, 1, 0x7FFFFFFF, 0xFFFFFFFF, rng.getrandbits(32)])
            )
        case 4:  # a sector was lost or zeroed
            at, n = rng.randrange(len(body)), rng.randrange(16, 512)
            body[at : at + n] = b"" if rng.random() < 0.5 else bytes(len(body[at : at + n]))
        case 5:  # two files run into one another
            return whole[: rng.randrange(len(whole))] + other[rng.randrange(len(other)) :]
        case 6:  # the header of one, the body of another
            n = rng.randrange(12, 64)
            return other[:n] + whole[n:]
        case 7:  # noise after the first bytes
            n = rng.randrange(4, 64)
            return whole[:n] + rng.randbytes(rng.randrange(0, 4000))
        case 8:  # said twice, or padded
            return whole * 2 if rng.random() < 0.5 else whole + rng.randbytes(3000)
    return bytes(body)


def test_640_mangled_files_end_as_clips_or_reasons(tmp_path: Path) -> None:
    """No crash, no hang, no other error, whatever is in the file."""
    originals = seeds(tmp_path)
    names = []
    for seed in range(N_FILES):
        rng = random.Random(seed)
        path = tmp_path / f"mangled-{seed:03d}.wav"
        path.write_bytes(mangle(rng, originals[seed % len(originals)], rng.choice(originals)))
        names.append(str(path))

    fed = subprocess.run(
        [sys.executable, "-c", FEED],
        input="\n".join(names),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )

    rows = [line.split("\t") for line in fed.stdout.splitlines()]
    assert fed.returncode == 0, f"died after {rows[-1:]}: {fed.stderr[-2000:]}"
    assert len(rows) == N_FILES
    assert max(float(seconds) for _, seconds, _ in rows) < LONGEST_S
    kinds = Counter(said.split()[1] if said.startswith("refused") else "clip" for _, _, said in rows)
    assert set(kinds) <= REASONS | {"clip"}
    assert len(kinds) >= 5, kinds
    assert "Traceback" not in fed.stderr


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    magic=st.sampled_from(
        [b"", b"RIFF\xff\xff\xff\xffWAVE", b"fLaC", b"OggS", b"ID3\x04", b"#!AMR\n", b"\xff\xfb"]
    ),
    body=st.binary(max_size=600),
)
def test_any_bytes_are_a_clip_or_a_reason(tmp_path: Path, magic: bytes, body: bytes) -> None:
    """Arbitrary bytes behind any signature end in finite samples or a RecordingError."""
    path = tmp_path / "any.wav"
    path.write_bytes(magic + body)

    try:
        finite = bool(np.isfinite(audio.load(path).samples).all())
        reason = None
    except RecordingError as error:
        finite, reason = True, error.reason

    assert finite
    assert reason in REASONS | {None}


def test_a_playlist_is_not_followed(tmp_path: Path) -> None:
    """A text that names other files is refused, whatever it is called."""
    for text in ("#EXTM3U\n#EXTINF:1,\n/etc/passwd\n", "ffconcat version 1.0\nfile /etc/passwd\n"):
        path = tmp_path / "list.mp3"
        path.write_text(text)
        with pytest.raises(RecordingError) as caught:
            audio.load(path)
        assert caught.value.reason == "not_audio"
