"""Recordings that a vCon only links to, found on this machine: by name or by hash; nothing is fetched.

They lie beside the vCon, or anywhere in the folder of ``intake.media_dir``. What the vCon states of the
content decides: a file of the right name and another content is not the recording.
"""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from pipeline.errors import RecordingError, UsageError
from pipeline.intake.sniff import AUDIO_SUFFIXES

HASHES = frozenset({"sha256", "sha384", "sha512"})
_MAX_NAME_BYTES = 255


@dataclass(frozen=True, slots=True)
class Wanted:
    """A recording that is looked for.

    Attributes:
        names: What its file may be called, without folders.
        hashes: Each known algorithm with the digest the content must have.
    """

    names: tuple[str, ...]
    hashes: tuple[tuple[str, bytes], ...]

    @property
    def digests(self) -> frozenset[str]:
        """What a file named by its hash may be called: in base 16 or base64url, with the algorithm or not."""
        spelt = ((a, (d.hex(), base64.urlsafe_b64encode(d).decode().rstrip("="))) for a, d in self.hashes)
        return frozenset(name for a, both in spelt for d in both for name in (d, f"{a}-{d}"))


def file_name(given: str) -> str:
    """The name alone, out of any folders of either kind; "" where it is no name of a file."""
    name = PureWindowsPath(PurePosixPath(given).name).name
    if name.startswith(".") or not name.isprintable() or len(os.fsencode(name)) > _MAX_NAME_BYTES:
        return ""
    return name


class MediaFinder:
    """Finds linked recordings; the folder is listed, and its files hashed, only when one is asked for.

    Args:
        folder: Of ``intake.media_dir``; None looks beside the vCon alone.

    Raises:
        UsageError: The folder is none.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(
                f"settings: intake.media_dir: {folder} is no folder", hint="mend [intake] media_dir"
            )
        self._folder = folder
        self._by_digest: dict[str, dict[bytes, Path]] = {}
        self._digests: dict[tuple[Path, str], bytes] = {}

    def find(self, wanted: Wanted, vcon: Path) -> Path | None:
        """The recording, or None where it is not here.

        Raises:
            RecordingError: A file has the name but not the stated hash, or several have the name and no hash
                is stated to choose by.
        """
        named = list(dict.fromkeys(path for path in self._named(wanted, vcon) if path != vcon))
        fitting = [path for path in named if self._has(path, wanted)]
        if len(fitting) > 1 and not wanted.hashes and len({self._digest(p, "sha256") for p in fitting}) > 1:
            raise RecordingError(
                f"{vcon.name}: {len(fitting)} different files are called {fitting[0].name}",
                hint="the vCon states no content_hash to tell which is its recording; leave one of them",
                reason="external_media",
            )
        found = fitting[0] if fitting else self._by_content(wanted)
        if found is None and named:
            algorithms = " and ".join(algorithm for algorithm, _ in wanted.hashes)
            raise RecordingError(
                f"{vcon.name}: {named[0].name} does not have the {algorithms} the vCon states",
                hint="it is another recording, or was changed; ask for it again",
                reason="damaged",
            )
        return found

    def _named(self, wanted: Wanted, vcon: Path) -> Iterator[Path]:
        """Files of the right name or called after the hash: beside the vCon, then in the folder."""
        after_hash = [
            f"{d}{suffix}" for d in sorted(wanted.digests) for suffix in ("", *sorted(AUDIO_SUFFIXES))
        ]
        called = (*wanted.names, *after_hash)
        yield from (beside for name in called if _is_own_file(beside := vcon.with_name(name)))
        names = self._names if called else {}
        for name in called:
            yield from names.get(name, ())

    @cached_property
    def _names(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = defaultdict(list)
        for parent, folders, files in os.walk(self._folder) if self._folder else ():
            folders.sort()
            for name in sorted(files):
                path = Path(parent) / name
                if _is_own_file(path):
                    found[name].append(path)
        return found

    def _by_content(self, wanted: Wanted) -> Path | None:
        """A recording in the folder whose content has the stated hash, whatever it is called."""
        if not wanted.hashes:
            return None
        algorithm, digest = wanted.hashes[0]
        if algorithm not in self._by_digest:
            files = [path for paths in self._names.values() for path in paths]
            sounds = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
            self._by_digest[algorithm] = {self._digest(path, algorithm): path for path in reversed(sounds)}
        path = self._by_digest[algorithm].get(digest)
        return path if path is not None and self._has(path, wanted) else None

    def _has(self, path: Path, wanted: Wanted) -> bool:
        return all(self._digest(path, algorithm) == digest for algorithm, digest in wanted.hashes)

    def _digest(self, path: Path, algorithm: str) -> bytes:
        """The digest of a file; b"" of one that cannot be read, which is therefore not the recording."""
        if (path, algorithm) not in self._digests:
            try:
                with path.open("rb") as file:
                    self._digests[path, algorithm] = hashlib.file_digest(file, algorithm).digest()
            except OSError:
                self._digests[path, algorithm] = b""
        return self._digests[path, algorithm]


def _is_own_file(path: Path) -> bool:
    """Whether it is a regular file of its folder: a link may lead anywhere."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
