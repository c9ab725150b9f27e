"""Check that a recording has all the bytes that its headers state.

Decoders ignore a missing end without an error, and half a call must not be scored as a whole one.
Raw streams (AAC in ADTS, AMR, GSM) state no length; only a broken last frame can show a cut there.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO

from pipeline.audio.signature import Signature

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


def _chunk_end(file: BinaryIO, size_bytes: int, container: str) -> Iterator[int]:
    """End of the chunk that holds the sound, in WAV, AIFF and the 64-bit formats W64 and CAF."""
    order = ">" if container == "aiff" or file.read(4) == b"RIFX" else "<"
    position, layout, padding = {"w64": (40, "<16sQ", 8), "caf": (8, ">4sq", 1)}.get(
        container, (12, f"{order}4sI", 2)
    )
    header_bytes, data_bytes_64 = struct.calcsize(layout), 0
    while position + header_bytes <= size_bytes:
        file.seek(position)
        name, length = struct.unpack(layout, file.read(header_bytes))
        if container == "w64":
            length -= header_bytes  # W64 lengths include the chunk's header
        if name == b"ds64":
            data_bytes_64 = struct.unpack("<QQ", file.read(16))[1]
        if name[:4] in (b"data", b"SSND"):
            if length == 0xFFFFFFFF and data_bytes_64:
                length = data_bytes_64
            if length not in _UNSTATED:
                yield position + header_bytes + length
            return
        if length < 0:
            return
        position += header_bytes + -(-length // padding) * padding


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
