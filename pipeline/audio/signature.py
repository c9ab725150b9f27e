"""What a file is, by its first bytes.

Names and extensions are never looked at: recorders and people get them wrong. Only containers
listed here are opened, each by one named reader, so a hostile playlist or script can never
reach a decoder that would follow it to other files.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from pipeline.errors import RecordingError

_W64_GUID = b"riff\x2e\x91\xcf\x11"
_GSM_FRAME_BYTES = 33


class Signature(NamedTuple):
    """A container and who reads it: libsndfile first where it can, then FFmpeg's demuxer ``av_format``."""

    container: str
    soundfile: bool
    av_format: str


_WAV = Signature("wav", True, "wav")
_MP3 = Signature("mp3", False, "mp3")
_BY_MAGIC: tuple[tuple[int, bytes, Signature], ...] = (
    (8, b"WAVE", _WAV),
    (0, _W64_GUID, Signature("w64", True, "w64")),
    (8, b"AIFF", Signature("aiff", True, "aiff")),
    (8, b"AIFC", Signature("aiff", True, "aiff")),
    (0, b".snd", Signature("au", True, "au")),
    (0, b"caff", Signature("caf", True, "caf")),
    (0, b"fLaC", Signature("flac", True, "flac")),
    (0, b"OggS", Signature("ogg", False, "ogg")),
    (4, b"ftyp", Signature("mp4", False, "mov")),
    (0, b"#!AMR", Signature("amr", False, "amr")),
    (0, b"\x1a\x45\xdf\xa3", Signature("matroska", False, "matroska")),
    (0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11", Signature("asf", False, "asf")),
    (0, b"Creative Voice File", Signature("voc", False, "voc")),
    (0, b"ID3", _MP3),
)


def identify(path: Path, head: bytes, size_bytes: int) -> Signature:
    """Say what a file is.

    Args:
        path: For the message only.
        head: The first 4096 bytes, fewer when the file is shorter.
        size_bytes: Size of the whole file.

    Raises:
        RecordingError: ``not_audio`` when the bytes are of no known recording format.
    """
    for offset, magic, signature in _BY_MAGIC:
        if head[offset : offset + len(magic)] == magic:
            return signature
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xF6 == 0xF0:  # layer bits 00: AAC in ADTS
        return Signature("aac", False, "aac")
    if len(head) > 2 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0:
        return _MP3
    frames = head[: 32 * _GSM_FRAME_BYTES : _GSM_FRAME_BYTES]
    if size_bytes % _GSM_FRAME_BYTES == 0 and len(frames) >= 8 and all(byte >> 4 == 0xD for byte in frames):
        return Signature("gsm", False, "gsm")  # Asterisk's headerless .gsm: each frame opens with 0xD
    raise RecordingError(
        f"{path.name} is not a recording: its first bytes are {_printable(head[:12])}",
        hint="known are WAV, W64, AIFF, AU, CAF, FLAC, MP3, AAC, M4A/MP4, Ogg, WebM, AMR, GSM and WMA",
        reason="not_audio",
    )


def _printable(head: bytes) -> str:
    return repr(head) if head else "missing"
