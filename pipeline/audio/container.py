"""Recognise the container format of a recording by its first bytes, and check that no end is missing.

File names and extensions are ignored, because recorders and people get them wrong. Only the containers
listed here are opened, each by a fixed reader, so a hostile playlist or script never reaches a decoder
that would open the files it names.

Decoders ignore a missing end without an error, and half a call must not be scored as a whole one, so the
lengths that the headers state are compared with the file. Raw streams (AAC in ADTS, AMR, GSM) state no
length; only a broken last frame can show a cut there.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from pipeline.errors import RecordingError

_W64_GUID = b"riff\x2e\x91\xcf\x11"
_GSM_FRAME_BYTES = 33


class Signature(NamedTuple):
    """A container format, whether libsndfile is tried before FFmpeg, and the name of FFmpeg's demuxer.

    ``offset`` is the byte at which the container begins: recorders and download scripts may put zeros,
    headers of their own or an error message ahead of it.
    """

    container: str
    soundfile: bool
    av_format: str
    offset: int = 0


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

HEAD_BYTES = 16_384
"""Leading bytes in which a container is looked for."""
_PATTERNS_ANYWHERE: tuple[tuple[re.Pattern[bytes], Signature], ...] = (
    (re.compile(rb"RIFF.{4}WAVEfmt ", re.DOTALL), Signature("wav", False, "wav")),
    (re.compile(rb"OggS\x00\x02"), Signature("ogg", False, "ogg")),
    (re.compile(rb"fLaC[\x00\x80]\x00\x00\x22"), Signature("flac", False, "flac")),
    (re.compile(rb"ID3[\x02-\x04].[\x00-\xf0][\x00-\x7f]{4}", re.DOTALL), _MP3),
)
_SYNC = re.compile(rb"\xff[\xe2-\xfb]")
_MP3_FRAMES = 3
"""Frame headers required, each where the one before states; random bytes have them at 1 of 10^9 places."""
_MP3_KBPS = {  # layer III, by whether it is MPEG version 1; ISO 11172-3 and 13818-3; index 0 is "free"
    True: (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    False: (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_MP3_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}


def identify(path: Path, head: bytes, size_bytes: int) -> Signature:
    """Recognise the container format of a file by its first ``HEAD_BYTES`` bytes.

    Raises:
        RecordingError: ``not_audio`` when the bytes match no known format.
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
    later = min(_after_leading_bytes(head), key=lambda found: found.offset, default=None)
    if later is not None:
        return later
    raise RecordingError(
        f"{path.name} is not a recording: its first bytes are {head[:12]!r}",
        hint="known are WAV, W64, AIFF, AU, CAF, FLAC, MP3, AAC, M4A/MP4, Ogg, WebM, AMR, GSM and WMA",
        reason="not_audio",
    )


def _after_leading_bytes(head: bytes) -> Iterator[Signature]:
    """Containers that begin somewhere in ``head``, after other bytes."""
    for pattern, signature in _PATTERNS_ANYWHERE:
        if found := pattern.search(head):
            yield signature._replace(offset=found.start())
    for sync in _SYNC.finditer(head):
        if _mp3_frames(head, sync.start()):
            yield _MP3._replace(offset=sync.start())
            return


def _mp3_frames(head: bytes, at: int) -> bool:
    """Whether ``_MP3_FRAMES`` consecutive layer III frame headers of one sample rate begin at ``at``."""
    rate_hz = 0
    for _ in range(_MP3_FRAMES):
        header = head[at : at + 4]
        if len(header) < 4 or not _SYNC.match(header):
            return False
        version, layer = header[1] >> 3 & 3, header[1] >> 1 & 3
        rate, kbps = header[2] >> 2 & 3, header[2] >> 4
        if version == 1 or layer != 1 or rate == 3 or not 0 < kbps < 15:
            return False
        hz = _MP3_RATES_HZ[version][rate]
        if rate_hz not in {0, hz}:
            return False
        rate_hz, samples = hz, 144 if version == 3 else 72
        at += samples * _MP3_KBPS[version == 3][kbps] * 1000 // hz + (header[2] >> 1 & 1)
    return True


MISSING_BYTES_TOLERATED = 512
"""Inaccurate headers are off by a chunk or a block; a real cut loses more (this is 32 ms of 8 kHz PCM)."""
_UNSTATED = {0, 0x7FFFFFFF, 0xFFFFFFFF, 0x7FFFF000, 0xFFFFF000}
"""Placeholder lengths of writers that stream their output and cannot go back to fill in the header."""
_EBML, _SEGMENT = 0x1A45DFA3, 0x18538067
_ASF_FILE_PROPERTIES = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365")


def missing_bytes(file: BinaryIO, signature: Signature, size_bytes: int) -> int:
    """Number of bytes by which the stated length exceeds the file; 0 when nothing is missing or stated."""
    file.seek(0)
    try:
        ends = [end for end in _promised_ends(file, signature, size_bytes) if end > size_bytes]
    except (struct.error, OverflowError):
        return 0
    return max(ends, default=size_bytes) - size_bytes


def unread_bytes(file: BinaryIO, signature: Signature, size_bytes: int) -> int:
    """Bytes of a WAV file after the sound and the chunks behind it: the length stated may be too short."""
    if signature.container != "wav":
        return 0
    file.seek(0)
    try:
        position = next(_chunk_end(file, size_bytes, "wav"), size_bytes)
        file.seek(0)
        _, layout, padding = _chunk_layout(file, "wav")
        position += position % padding
        for name, start, length in _chunks(file, position, size_bytes, layout, padding):
            if not re.fullmatch(rb"[\w ]{4}", name) or start + length > size_bytes:
                break
            position = start + length + length % padding
    except (struct.error, OverflowError):
        return 0
    return max(0, size_bytes - position)


def _promised_ends(file: BinaryIO, signature: Signature, size_bytes: int) -> Iterator[int]:
    """Offsets at which parts of the file end according to its headers."""
    match signature.container:
        case "wav" | "aiff" | "w64" | "caf":
            yield from _chunk_end(file, size_bytes, signature.container)
        case "au":
            offset, length = struct.unpack(">4xII", file.read(12))
            if length not in _UNSTATED:
                yield offset + length
        case "mp4":
            yield from _box_ends(file, size_bytes)
        case "ogg":
            yield from _last_ogg_page_end(file, size_bytes)
        case "mp3":
            yield from _xing_end(file)
        case "matroska":
            yield from _element_ends(file)
        case "asf":
            yield from _asf_end(file)


def _chunk_layout(file: BinaryIO, container: str) -> tuple[int, str, int]:
    """Where the chunks begin, the layout of their headers, and the number of bytes they are padded to."""
    order = ">" if container == "aiff" or file.read(4) == b"RIFX" else "<"
    return {"w64": (40, "<16sQ", 8), "caf": (8, ">4sq", 1)}.get(container, (12, f"{order}4sI", 2))


def _chunks(
    file: BinaryIO, position: int, size_bytes: int, layout: str, padding: int
) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and stated length of the chunks from a position on; the file stands at the start."""
    header_bytes = struct.calcsize(layout)
    while position + header_bytes <= size_bytes:
        file.seek(position)
        name, length = struct.unpack(layout, file.read(header_bytes))
        if len(name) == 16:
            length -= header_bytes  # W64 lengths include the chunk's header
        yield name, position + header_bytes, length
        if length < 0:
            return
        position += header_bytes + -(-length // padding) * padding


def _chunk_end(file: BinaryIO, size_bytes: int, container: str) -> Iterator[int]:
    """End of the chunk that holds the sound, in WAV, AIFF and the 64-bit formats W64 and CAF."""
    position, layout, padding = _chunk_layout(file, container)
    data_bytes_64 = 0
    for name, start, length in _chunks(file, position, size_bytes, layout, padding):
        if name == b"ds64":
            data_bytes_64 = struct.unpack("<QQ", file.read(16))[1]
        if name[:4] in (b"data", b"SSND"):
            if length == 0xFFFFFFFF and data_bytes_64:
                length = data_bytes_64
            if length not in _UNSTATED:
                yield start + length
            return


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
    """End of the last page; a cut almost always falls inside a page."""
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


def _element_ends(file: BinaryIO) -> Iterator[int]:
    """End of the single segment of a Matroska file."""
    position = 0
    for expected in (_EBML, _SEGMENT):
        file.seek(position)
        head = file.read(12)
        length_bytes = 9 - head[4].bit_length() if len(head) == 12 else 9
        if int.from_bytes(head[:4]) != expected or length_bytes > 8:
            return
        length = int.from_bytes(head[4 : 4 + length_bytes]) & ((1 << 7 * length_bytes) - 1)
        if length == (1 << 7 * length_bytes) - 1:  # all ones: live stream, length unknown
            return
        position += 4 + length_bytes + length
    yield position


def _asf_end(file: BinaryIO) -> Iterator[int]:
    """File size stated by the file properties object of an ASF file."""
    head = file.read(8192)
    at = head.find(_ASF_FILE_PROPERTIES)
    if at >= 0:
        yield struct.unpack("<Q", head[at + 40 : at + 48])[0]
