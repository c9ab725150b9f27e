"""What a file is, by its first bytes, and whether all the bytes its header promises are there.

Names and extensions are never looked at: recorders and people get them wrong. Only containers
listed here are opened, each by one named reader, so a hostile playlist or script can never
reach a decoder that would follow it to other files.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import RecordingError

_W64_GUID = b"riff\x2e\x91\xcf\x11"
_UNSTATED = {0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFF000}
"""Lengths that stream writers leave in the header when they could not go back to fill it in."""
_GSM_FRAME_BYTES = 33
MISSING_BYTES_TOLERATED = 512
"""Sloppy headers are off by a chunk or a block; real truncation loses more (32 ms of 8 kHz PCM)."""


class Signature(NamedTuple):
    """A container and who reads it: ``av_format`` is FFmpeg's demuxer, "" where only libsndfile can."""

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
    (0, b"NIST_1A", Signature("nist", True, "")),
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


def missing_bytes(file: BinaryIO, signature: Signature, size_bytes: int) -> int:
    """How many bytes the header promises beyond the end of the file; 0 when it promises none.

    Decoders pass over a cut-off end in silence, and half a call must not be scored as a whole one.
    """
    file.seek(0)
    try:
        ends = [end for end in _promised_ends(file, signature, size_bytes) if end > size_bytes]
    except (struct.error, OverflowError):
        return 0
    return max(ends, default=size_bytes) - size_bytes


def _promised_ends(file: BinaryIO, signature: Signature, size_bytes: int) -> Iterator[int]:
    """Offsets at which the parts of the file must end, by its own headers."""
    match signature.container:
        case "wav" | "aiff":
            yield from _chunk_ends(file, size_bytes, big_endian=signature.container == "aiff")
        case "au":
            head = file.read(12)
            offset, length = struct.unpack(">II", head[4:12])
            if length not in _UNSTATED:
                yield offset + length
        case "mp4":
            yield from _box_ends(file, size_bytes)
        case "ogg":
            yield from _last_ogg_page_end(file, size_bytes)
        case "mp3":
            yield from _xing_end(file)


def _chunk_ends(file: BinaryIO, size_bytes: int, *, big_endian: bool) -> Iterator[int]:
    """Ends of RIFF/RF64 ``data`` or AIFF ``SSND`` chunks."""
    magic = file.read(12)[:4]
    order = ">" if big_endian or magic == b"RIFX" else "<"
    position, data_bytes_64 = 12, 0
    while position + 8 <= size_bytes:
        file.seek(position)
        name, length = struct.unpack(f"{order}4sI", file.read(8))
        if name == b"ds64":
            data_bytes_64 = struct.unpack("<QQ", file.read(16))[1]
        if name in (b"data", b"SSND"):
            if length == 0xFFFFFFFF and data_bytes_64:
                length = data_bytes_64
            if length not in _UNSTATED:
                yield position + 8 + length
            return
        position += 8 + length + length % 2


def _box_ends(file: BinaryIO, size_bytes: int) -> Iterator[int]:
    """Ends of the top-level boxes of an MP4 file."""
    position = 0
    while position + 8 <= size_bytes:
        file.seek(position)
        length, _name = struct.unpack(">I4s", file.read(8))
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8))
        if length < 8:  # 0 means "to the end of the file"
            return
        position += length
        yield position


def _last_ogg_page_end(file: BinaryIO, size_bytes: int) -> Iterator[int]:
    """End of the last page, which a cut lands inside of unless it is very lucky."""
    start = max(0, size_bytes - 65_536)
    file.seek(start)
    tail = file.read()
    at = tail.rfind(b"OggS")
    if at < 0 or at + 27 > len(tail):
        return
    lacing = tail[at + 27 : at + 27 + tail[at + 26]]
    yield start + at + 27 + tail[at + 26] + sum(lacing)


def _xing_end(file: BinaryIO) -> Iterator[int]:
    """End of an MP3 whose encoder wrote a Xing/Info header with the byte count."""
    head = file.read(4096)
    start = 0
    if head[:3] == b"ID3" and len(head) >= 10:
        start = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)
        )
        file.seek(start)
        head = file.read(4096)
    at = max(head[:256].find(b"Xing"), head[:256].find(b"Info"))
    if at < 0:
        return
    (flags,) = struct.unpack(">I", head[at + 4 : at + 8])
    if flags & 0b11 == 0b11:
        (stream_bytes,) = struct.unpack(">I", head[at + 12 : at + 16])
        yield start + stream_bytes
