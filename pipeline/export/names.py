"""Names and text that are safe outside callqa: file names on every system, cells in every spreadsheet.

Call ids, transcripts and metadata come from strangers. Everything that leaves through a file name
passes ``FileNames``; everything that leaves through a CSV cell passes ``inert``.
"""

from __future__ import annotations

import hashlib
import re

LONGEST_STEM = 80
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
FORMULA_START = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class FileNames:
    """Hands out one file name per call id: readable, unique, and valid on every system.

    An id that is already a plain name stays as it is; anything changed, and anything that would
    collide on a file system that ignores case, carries a digest of the id.
    """

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def of(self, call_id: str, suffix: str = "") -> str:
        """The file name of a call; the same id and suffix always get the same name."""
        stem = UNSAFE.sub("-", call_id).strip(".-_ ")[:LONGEST_STEM].rstrip(".-_ ") or "call"
        if RESERVED.match(stem):
            stem = f"call-{stem}"
        if stem != call_id or self._taken.get(stem.casefold(), call_id) != call_id:
            stem = f"{stem}-{hashlib.sha256(call_id.encode('utf-8', 'replace')).hexdigest()[:8]}"
        self._taken[stem.casefold()] = call_id
        return stem + suffix


def clean(text: str) -> str:
    """Text without control characters and lone surrogates, which spreadsheets and XML refuse."""
    return CONTROL.sub("�", text)


def inert(value: object) -> object:
    """A CSV cell that no spreadsheet runs as a formula.

    Text that a spreadsheet would read as a formula gets a leading apostrophe, the escape that
    OWASP advises (CSV Injection) and spreadsheets show as plain text. Numbers stay numbers.
    """
    if not isinstance(value, str):
        return value
    text = clean(value)
    return "'" + text if text.lstrip(" \xa0").startswith(FORMULA_START) else text
