"""Names of files that are safe on every system, and files that are there whole or not at all.

Call ids come from strangers. Everything that leaves through a file name passes ``FileNames``.
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
        digest = hashlib.sha256(call_id.encode("utf-8", "replace")).hexdigest()[:8]
        if stem != call_id:
            stem = f"{stem}-{digest}"
        while self._taken.setdefault(stem.casefold(), call_id) != call_id:
            stem = f"{stem}-{digest}"
        return stem + suffix


@contextlib.contextmanager
def whole(dest: Path) -> Iterator[Path]:
    """A file to write in place of ``dest``, which it becomes when it is complete.

    What a full disk or a kill leaves of it is no export; its room is given back at once, because
    writers flush once more when they are thrown away.
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
