"""Recognise the kind of a file by its first bytes, since its name and extension may be wrong.

Intake separates text formats (transcripts, vCon, Contact Lens, subtitles, CSV) from possible recordings.
Whether a recording can be decoded is found out by ``audio``.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE, getincrementaldecoder
from pathlib import Path
from typing import Any, Literal

from pipeline.intake import captions
from pipeline.intake.formats import lines
from pipeline.text.words import word_set

Content = Literal["recording", "json", "captions", "lines", "other", "empty"]

AUDIO_SUFFIXES = word_set(
    ".wav .wave .mp3 .ogg .oga .opus .flac .m4a .mp4 .aac .wma .amr .gsm .au .aif .aiff .webm .raw .ulaw "
    ".alaw .g729 .g722 .sln .spx .caf .mka .wv .vox"
)
"""Extensions of recordings. A file with one of them is never ignored, whatever its content."""
_MAGIC = (
    b"RIFF", b"RIFX", b"RF64", b"riff", b"FORM", b"caff", b".snd", b"NIST_1A", b"fLaC", b"wvpk", b"OggS",
    b"ID3", b"#!AMR", b"\x1aE\xdf\xa3", b"0&\xb2u",
)  # fmt: skip
"""Magic bytes of WAV, Wave64, AIFF, CAF, AU, SPHERE, FLAC, WavPack, Ogg, MP3, AMR, WebM and ASF (WMA)."""
_HEAD_BYTES = 65536
_ENDINGS = AUDIO_SUFFIXES | {".wav49", ".json"}
MAX_JSON_BYTES = 256 * 2**20
"""Largest JSON read into memory. A vCon with an hour of stereo telephone audio in base64 has about 80 MB."""


def content(path: Path) -> Content:
    """Recognise the kind of a file by its first bytes; the extension decides only when these do not.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    if not head:
        return "empty"
    if head.startswith(_MAGIC) or head[4:8] == b"ftyp":  # MP4, M4A
        return "recording"
    text = _text(head)
    if path.suffix.lower() == lines.SUFFIX and lines.is_conversation(captions.decoded(head)):
        return "lines"
    if text is not None and text.lstrip().startswith(("{", "[")):
        return "json"
    if text is None and path.suffix.lower() == ".json" and head.lstrip().startswith((b"{", b"[")):
        return "json"  # in another encoding, which whoever reads it will say
    if captions.are_captions(text or "") or path.suffix.lower() in captions.SUFFIXES:
        return "captions"
    if path.suffix.lower() in AUDIO_SUFFIXES or (text is None and _is_mpeg(head)):
        return "recording"
    return "other"


def is_file(path: Path) -> bool:
    """Whether there is a file of this name; False, not an error, for a name too long for the disk."""
    return os.path.isfile(path)  # noqa: PTH113 - Path.is_file raises OSError for it


def bare_name(name: str) -> str:
    """A file's name without its extensions; converters may leave several: ``x.9.gsm.wav`` → ``x.9``."""
    while (dot := name.rfind(".")) > 0 and name[dot:].lower() in _ENDINGS:
        name = name[:dot]
    return name


def json_document(path: Path) -> Any:
    """Parse a JSON file in UTF-8 or UTF-16.

    Raises:
        ValueError: The file is not JSON, in another encoding, too deep, or larger than ``MAX_JSON_BYTES``.
        OSError: The file cannot be read.
    """
    if path.stat().st_size > MAX_JSON_BYTES:
        raise ValueError(f"larger than {MAX_JSON_BYTES >> 20} MB")
    try:
        return json.loads(path.read_bytes())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}; save it as UTF-8") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 digest of a file; OSError when it cannot be read."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def csv_rows(path: Path, errors: Literal["strict", "replace"] = "strict") -> list[list[str]]:
    """All rows of a CSV file, cells stripped; the delimiter is the one of ``, ; tab |`` most used in line 1.

    Excel's own forms are read, too: UTF-16 with its mark ("Unicode text"), and ``sep=;`` before the header.
    ``errors`` says what to do with bytes in another encoding, as for ``open``.

    Raises:
        ValueError: The file is not UTF-8 text, or not CSV.
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        is_utf_16 = file.read(2) in (BOM_UTF16_LE, BOM_UTF16_BE)
    try:
        text = path.read_text("utf-16" if is_utf_16 else "utf-8-sig", errors)
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 text at byte {error.start}; save it as CSV UTF-8") from error
    if "\0" in text:
        raise ValueError("holds NUL bytes; save it as CSV UTF-8")
    text = re.sub(r"\A\"?sep=.\"?\n", "", text)
    first = text.splitlines()[0] if text.strip() else ""
    delimiter = max(",;\t|", key=first.count)
    try:
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
        return [[cell.strip() for cell in row] for row in rows]
    except csv.Error as error:
        raise ValueError(str(error)) from error


def _text(head: bytes) -> str | None:
    """The head as text, ignoring an incomplete character at its end; None when it is binary data."""
    is_utf_16 = head.startswith((BOM_UTF16_LE, BOM_UTF16_BE))
    try:
        text = getincrementaldecoder("utf-16" if is_utf_16 else "utf-8-sig")().decode(head)
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _is_mpeg(head: bytes) -> bool:
    """Whether ``head`` begins with an MPEG audio frame header: sync, version, layer, bit and sample rate."""
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return False
    version, layer = head[1] >> 3 & 3, head[1] >> 1 & 3
    return version != 1 and layer != 0 and head[2] >> 4 != 15 and head[2] >> 2 & 3 != 3
