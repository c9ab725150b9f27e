"""Names of files that are safe on every system.

Call ids come from strangers. Everything that leaves through a file name passes ``FileNames``.
"""

from __future__ import annotations

import hashlib
import re

LONGEST_STEM = 80
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


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
