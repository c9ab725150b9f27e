"""File names that are safe on every system, and files that appear complete or not at all.

Call ids come from outside and may hold anything, so every file name made of one comes from ``FileNames``.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

LONGEST_STEM = 80
RESERVED = re.compile(r"(?i)^(con|prn|aux|nul|com\d|lpt\d)(\.|$)")
UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class FileNames:
    """Gives each call id one file name: readable, unique, and valid on every system.

    An id that is a safe name is used as it is. If characters had to be replaced, or the name is already taken
    (ignoring case, as some file systems do), a digest of the id is appended.
    """

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def of(self, call_id: str, suffix: str = "") -> str:
        """The file name of a call; the same id and suffix always get the same name."""
        stem = UNSAFE.sub("-", call_id).strip(".-_ ")[:LONGEST_STEM].rstrip(".-_ ") or "call"
        if RESERVED.match(stem):
            stem = f"call-{stem}"
        digest = hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:8]
        if stem != call_id:
            stem = f"{stem}-{digest}"
        while self._taken.setdefault(stem.casefold(), call_id) != call_id:
            stem = f"{stem}-{digest}"
        return stem + suffix


@contextlib.contextmanager
def whole(dest: Path) -> Iterator[Path]:
    """Yield a temporary path to write to; at the end of the block the file is moved to ``dest``.

    On an error the file is emptied before it is deleted, because writers flush again when they are discarded
    and on a full disk need the room.
    """
    partial = dest.with_name(f".{dest.name}.partial")
    try:
        yield partial
        partial.replace(dest)
    except BaseException:
        with contextlib.suppress(OSError):
            os.truncate(partial, 0)
        raise
    finally:
        partial.unlink(missing_ok=True)
