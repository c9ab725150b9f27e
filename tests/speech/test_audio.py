"""Recordings of every kind become clips, or say in one word why not."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from pipeline import audio
from pipeline.audio import clip as clips
from pipeline.audio import decode
from pipeline.conversation import SAMPLE_RATE_HZ, AudioClip
from pipeline.errors import RecordingError

Samples = npt.NDArray[np.float32]


def tone(seconds: float = 1.0, rate_hz: int = 8000, channels: int = 1, level: float = 0.3) -> Samples:
    """Sines of 400, 500... Hz, one a channel, shape (n_frames, channels)."""
    t = np.arange(int(seconds * rate_hz)) / rate_hz
    return np.stack([level * np.sin(2 * np.pi * (400 + 100 * c) * t) for c in range(channels)], 1).astype(
        np.float32
    )


def pitch_hz(samples: Samples) -> float:
    """The strongest frequency of one channel at 16 kHz."""
    spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))))
    return float(spectrum.argmax() * SAMPLE_RATE_HZ / len(samples))


def write_av(
    path: Path, fmt: str, codec: str, *, rate_hz: int = 16_000, channels: int = 1, seconds: float = 1.0
) -> Path:
    """Tones through one of FFmpeg's encoders."""
    layout = "mono" if channels == 1 else "stereo"
    with av.open(str(path), "w", format=fmt) as container:
        stream = container.add_stream(codec, rate=rate_hz)
        stream.codec_context.layout = layout
        stream.bit_rate = 12_200 if "amr" in codec else 64_000
        pcm = (tone(seconds, rate_hz, channels) * 32767).astype(np.int16).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(pcm, format="s16", layout=layout)
        frame.sample_rate = rate_hz
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def reason(path: Path, **options: float) -> str:
    """The reason word with which a file is refused."""
    with pytest.raises(RecordingError) as caught:
        audio.load(path, **options)
    assert caught.value.message
    return caught.value.reason


SOUNDFILE_FORMATS = [
    ("WAV", "PCM_16", 8000),
    ("WAV", "PCM_24", 44_100),
    ("WAV", "PCM_U8", 8000),
    ("WAV", "FLOAT", 96_000),
    ("WAV", "ULAW", 8000),
    ("WAV", "ALAW", 8000),
    ("WAV", "GSM610", 8000),
    ("WAV", "IMA_ADPCM", 8000),
    ("WAV", "MS_ADPCM", 8000),
    ("WAVEX", "PCM_16", 16_000),
    ("RF64", "PCM_16", 8000),
    ("W64", "PCM_16", 8000),
    ("AIFF", "PCM_16", 22_050),
    ("AU", "ULAW", 8000),
    ("CAF", "PCM_16", 8000),
    ("FLAC", "PCM_16", 48_000),
    ("OGG", "VORBIS", 16_000),
    ("OGG", "OPUS", 16_000),
    ("MP3", "MPEG_LAYER_III", 16_000),
]
AV_FORMATS = [
    ("mp3", "libmp3lame", 16_000, 2),
    ("adts", "aac", 16_000, 1),
    ("ipod", "aac", 44_100, 2),
    ("ogg", "libopus", 16_000, 2),
    ("webm", "libopus", 48_000, 1),
    ("amr", "libopencore_amrnb", 8000, 1),
    ("asf", "wmav2", 16_000, 1),
    ("wav", "adpcm_ima_wav", 8000, 1),
    ("wav", "g726", 8000, 1),
    ("wav", "libmp3lame", 16_000, 1),
]


@pytest.mark.parametrize(("container", "coding", "rate_hz"), SOUNDFILE_FORMATS)
def test_formats_of_telephone_systems_decode_to_16_khz(
    tmp_path: Path, container: str, coding: str, rate_hz: int
) -> None:
    """Each container and coding keeps its length and its pitch, whatever the file is called."""
    path = tmp_path / "call.txt"
    soundfile.write(path, tone(1.0, rate_hz), rate_hz, format=container, subtype=coding)

    clip = audio.load(path)

    assert clip.samples.dtype == np.float32
    assert clip.duration_s == pytest.approx(1.0, abs=0.1)
    assert pitch_hz(clip.samples[0]) == pytest.approx(400, abs=5)
    assert clip.source_sample_rate_hz == rate_hz or coding == "OPUS"


@pytest.mark.parametrize(("fmt", "codec", "rate_hz", "channels"), AV_FORMATS)
def test_compressed_formats_decode_to_16_khz(
    tmp_path: Path, fmt: str, codec: str, rate_hz: int, channels: int
) -> None:
    """What libsndfile cannot read is read by FFmpeg, channel by channel."""
    path = write_av(tmp_path / "call.wav", fmt, codec, rate_hz=rate_hz, channels=channels)

    clip = audio.load(path)

    assert clip.n_channels == channels
    assert clip.duration_s == pytest.approx(1.0, abs=0.15)
    for channel in range(channels):
        assert pitch_hz(clip.samples[channel]) == pytest.approx(400 + 100 * channel, abs=8)


@pytest.mark.parametrize("codec", ["g726", "g722", "mp2", "wmav2", "adpcm_yamaha"])
def test_a_wav_that_only_ffmpeg_decodes_is_heard_whole_and_once(tmp_path: Path, codec: str) -> None:
    """Each sample of ten seconds is in its place, though libsndfile read in the file before it gave up."""
    rate_hz = 8000 if codec == "g726" else 16_000
    path = write_av(tmp_path / "call.wav", "wav", codec, rate_hz=rate_hz, seconds=10.0)
    to_float = av.AudioResampler(format="flt", layout="mono", rate=rate_hz)
    with av.open(str(path)) as container:
        frames = [out for frame in container.decode(audio=0) for out in to_float.resample(frame)]

    with decode.open_source(path) as source:
        heard = np.concatenate(list(source.blocks))

    np.testing.assert_array_equal(heard[:, 0], np.concatenate([frame.to_ndarray()[0] for frame in frames]))
    assert not source.warnings


def test_headerless_gsm_of_asterisk_is_known_by_its_frames(tmp_path: Path) -> None:
    """Nothing but the first half-byte of each frame says what a .gsm file is."""
    path = tmp_path / "call"
    soundfile.write(path, tone(1.0), 8000, format="RAW", subtype="GSM610")

    clip = audio.load(path)

    assert clip.codec == "gsm"
    assert clip.duration_s == pytest.approx(1.0, abs=0.05)
    assert pitch_hz(clip.samples[0]) == pytest.approx(400, abs=5)


def test_a_cut_off_wav_is_refused_not_half_read(tmp_path: Path) -> None:
    """A WAV whose header promises more than there is comes out as truncated."""
    whole = tmp_path / "whole.wav"
    soundfile.write(whole, tone(4.0, 8000, 2), 8000, subtype="ULAW")
    cut = tmp_path / "cut.wav"
    cut.write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])

    assert reason(cut) == "truncated"


@pytest.mark.parametrize(("stated_s", "warned"), [(3.9, True), (4.0, False)])
def test_what_follows_the_sound_is_told_of(tmp_path: Path, stated_s: float, warned: bool) -> None:
    """A tag after the sound is no sound."""
    clip = audio.load(with_length(tmp_path / "a.wav", stated_s))

    assert clip.duration_s == pytest.approx(stated_s)
    assert ["were not read" in warning for warning in clip.warnings] == [True] * warned


def test_a_header_that_leaves_out_sound_is_corrupt(tmp_path: Path) -> None:
    """A recorder that died left the length of its last update: a part of a call is not scored as a whole."""
    assert reason(with_length(tmp_path / "a.wav", 1.0)) == "corrupt"


def test_a_header_that_ends_in_its_64_bit_lengths_is_corrupt(tmp_path: Path) -> None:
    """It is refused like other damaged headers, not reported as a fault of the program."""
    (tmp_path / "a.wav").write_bytes(b"RF64\xff\xff\xff\xffWAVEds64\x1c\0\0\0" + bytes(6))
    assert reason(tmp_path / "a.wav") == "corrupt"


def with_length(path: Path, stated_s: float) -> Path:
    """Four seconds of sound and a tag, with a header that states another length."""
    soundfile.write(path, tone(4.0), 8000, subtype="PCM_16")
    whole = bytearray(path.read_bytes()) + b"LIST" + (4000).to_bytes(4, "little") + b"INFO" + bytes(3996)
    length_at = whole.index(b"data") + 4
    whole[length_at : length_at + 4] = int(stated_s * 16_000).to_bytes(4, "little")
    path.write_bytes(whole)
    return path


@pytest.mark.parametrize("suffix", ["flac", "ogg", "mp3", "aiff", "au", "caf", "w64", "m4a", "webm", "wma"])
def test_other_cut_off_files_are_refused(tmp_path: Path, suffix: str) -> None:
    """A file cut in its middle is truncated or corrupt, never a shorter call."""
    noise = np.random.default_rng(1).normal(0, 0.1, 64_000).astype(np.float32)
    whole = tmp_path / f"whole.{suffix}"
    by_ffmpeg = {
        "m4a": ("ipod", "aac"),
        "mp3": ("mp3", "libmp3lame"),
        "webm": ("webm", "libopus"),
        "wma": ("asf", "wmav2"),
    }
    if suffix in by_ffmpeg:
        write_av(whole, *by_ffmpeg[suffix])
    else:
        soundfile.write(whole, noise, 16_000)
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(whole.read_bytes()[: int(whole.stat().st_size * 0.6)])

    assert reason(cut) in {"truncated", "corrupt"}


def test_a_stream_whose_length_was_never_filled_in_is_read_to_its_end(tmp_path: Path) -> None:
    """Recorders that write to a pipe leave 0xFFFFFFFF as the length; that is not a promise."""
    path = tmp_path / "pipe.wav"
    soundfile.write(path, tone(1.0), 8000)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"data") + 4
    raw[at : at + 4] = raw[4:8] = b"\xff\xff\xff\xff"
    path.write_bytes(raw)

    assert audio.load(path).duration_s == pytest.approx(1.0, abs=0.01)


def test_each_refusal_has_its_word(tmp_path: Path) -> None:
    """Empty, text, silence, too short, too many channels and no file are told apart."""
    empty, text, short, silent, many, bare = (tmp_path / f"{n}.wav" for n in range(6))
    empty.touch()
    text.write_text("Dear sir, please find the recording attached.\n" * 9)
    soundfile.write(short, tone(0.01), 8000)
    soundfile.write(silent, tone(1.0, level=0.0), 8000)
    soundfile.write(many, tone(0.1, channels=48), 8000)
    with wave.open(str(bare), "wb") as file:
        file.setparams((1, 2, 8000, 0, "NONE", ""))

    assert reason(empty) == "empty"
    assert reason(bare) == "empty"
    assert reason(text) == "not_audio"
    assert reason(short, min_duration_s=3.0) == "too_short"
    assert reason(silent) == "silent"
    assert reason(many) == "unsupported"
    assert reason(tmp_path / "gone.wav") == "missing"
    assert reason(tmp_path) == "missing"


def test_ten_milliseconds_are_a_clip_unless_a_minimum_is_set(tmp_path: Path) -> None:
    """The shortest recordings decode; how short is too short is the user's to say."""
    path = tmp_path / "short.wav"
    soundfile.write(path, tone(0.01), 8000)

    assert audio.load(path).duration_s == pytest.approx(0.01, abs=0.002)


def test_faulty_samples_are_mended_with_a_warning(tmp_path: Path) -> None:
    """NaN, offset, clipping and 16-bit numbers in a float file leave usable samples and a sentence."""
    cases = {
        "nan": tone(),
        "offset": tone() + 0.2,
        "clipped": np.clip(tone(level=3.0), -1, 1),
        "scaled": tone(),
    }
    cases["nan"][100:200] = np.nan
    cases["scaled"] = cases["scaled"] * 32768
    said = {}
    for name, samples in cases.items():
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, samples, 8000, subtype="FLOAT")
        clip = audio.load(path)
        assert np.isfinite(clip.samples).all()
        assert abs(float(clip.samples.mean())) < 0.01
        assert float(np.abs(clip.samples).max()) < 1.5
        said[name] = " ".join(clip.warnings)

    assert "not numbers" in said["nan"]
    assert "offset" in said["offset"]
    assert "clipped" in said["clipped"]
    assert "full scale" in said["scaled"]


def test_a_long_recording_is_the_same_from_disk_as_from_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Past the memory limit samples live in a temporary file, bit for bit the same."""
    path = tmp_path / "long.wav"
    soundfile.write(path, tone(70.0, 8000, 2) + 0.1, 8000)
    in_memory = audio.load(path)
    monkeypatch.setattr(clips, "MAX_SAMPLES_IN_MEMORY", 100_000)

    on_disk = audio.load(path)

    assert isinstance(on_disk.samples.base, np.memmap)
    np.testing.assert_array_equal(on_disk.samples, in_memory.samples)


def test_an_empty_clip_has_flat_peaks() -> None:
    """A packet of a recording that was cut to nothing after the run still opens."""
    assert not audio.peaks(AudioClip(np.zeros((2, 0), np.float32)), 5).any()


def test_peaks_follow_the_loudness() -> None:
    """Each stretch shows its largest sample, per channel."""
    samples = np.zeros((2, 1000), np.float32)
    samples[0, 250], samples[1, 999] = -0.5, 0.25

    strip = audio.peaks(AudioClip(samples), 4)

    assert strip.tolist() == [[0, 0.5, 0, 0], [0, 0, 0, 0.25]]


def test_nothing_of_a_muted_or_beeped_stretch_is_left(tmp_path: Path) -> None:
    """The covered seconds hold silence or the tone, the rest the call."""
    clip = AudioClip(np.ascontiguousarray(tone(12.0, SAMPLE_RATE_HZ, 2).T))
    path = tmp_path / "redacted"

    audio.encode(clip, path, mute_spans=[(1.0, 2.0)], beep_spans=[(9.5, 11.0)])
    back = audio.load(path).samples

    def second(start_s: float) -> Samples:
        at = int(start_s * SAMPLE_RATE_HZ)
        return back[0, at : at + SAMPLE_RATE_HZ // 2]

    assert back.shape[0] == 2
    assert np.abs(second(1.25)).max() < 0.02
    assert pitch_hz(second(10.2)) == pytest.approx(1000, abs=10)
    assert pitch_hz(second(5.0)) == pytest.approx(400, abs=10)


AHEAD = {
    "zeros": bytes(512),
    "a whole page of zeros": bytes(4096),
    "HTTP headers": b"HTTP/1.1 200 OK\r\nContent-Type: audio/mpeg\r\nContent-Length: 4815\r\n\r\n",
    "a script's complaint": b"<br />\n<b>Warning</b>: mkdir() in /var/www/get.php on line 3<br />\n",
    "noise": bytes(range(1, 255)) * 3,
}


@pytest.mark.parametrize("ahead", AHEAD.values(), ids=AHEAD)
@pytest.mark.parametrize(
    ("fmt", "codec", "rate_hz"),
    [("mp3", "libmp3lame", 8000), ("mp3", "libmp3lame", 44_100), ("ogg", "libopus", 16_000),
     ("flac", "flac", 16_000), ("wav", "pcm_s16le", 8000)],
)  # fmt: skip
def test_what_a_recorder_puts_ahead_of_the_sound_is_passed_over(
    tmp_path: Path, ahead: bytes, fmt: str, codec: str, rate_hz: int
) -> None:
    """The sound is that of the file by itself, and the call says what was ahead; also without an ID3 tag."""
    whole = write_av(tmp_path / f"a.{fmt}", fmt, codec, rate_hz=rate_hz)
    alone = audio.load(whole)
    body = whole.read_bytes()
    untagged = body[10 + int.from_bytes(body[8:10]) :] if body[:3] == b"ID3" else body
    for rest in (body, untagged):
        late = tmp_path / f"late.{fmt}"
        late.write_bytes(ahead + rest)
        clip = audio.load(late)
        assert abs(clip.duration_s - alone.duration_s) < 0.1
        assert f"{len(ahead)} bytes ahead of the sound were passed over" in clip.warnings


def test_text_that_only_speaks_of_sound_is_no_recording(tmp_path: Path) -> None:
    """The names of formats in a page, and two sync bytes by chance, are not taken for sound."""
    for body in (
        b"<html>ID3, OggS, fLaC and RIFF WAVE are formats</html>",
        b"x" * 99 + b"\xff\xfb\x90\x00" * 2,
    ):
        path = tmp_path / "page.mp3"
        path.write_bytes(body + b"\n" * 5000)
        assert reason(path) == "not_audio"
