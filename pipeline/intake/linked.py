"""Find, by name or hash, the recordings on this machine that a vCon only links to; nothing is downloaded."""

from __future__ import annotations

import base64
import hashlib
import os
import stat
from collections import defaultdict
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from pathlib import Path, PurePosixPath, PureWindowsPath

from pipeline.errors import RecordingError, UsageError
from pipeline.intake.sniff import AUDIO_SUFFIXES

HASHES = frozenset({"sha256", "sha384", "sha512"})
_MAX_NAME_BYTES = 255
Hashes = Sequence[tuple[str, bytes]]
"""The digest that a recording must have, for each supported algorithm that the vCon states; b"" for a digest
that cannot be decoded, which no file has."""


def file_name(given: str) -> str:
    """The name without folders, in POSIX or Windows spelling; "" when it is not a valid file name."""
    name = PureWindowsPath(PurePosixPath(given).name).name
    if name.startswith(".") or not name.isprintable() or len(os.fsencode(name)) > _MAX_NAME_BYTES:
        return ""
    return name


class MediaFinder:
    """Finds linked recordings beside the vCon and in a folder, which it lists when a recording is asked for.

    Raises:
        UsageError: The folder does not exist or is not a folder.
    """

    def __init__(self, folder: Path | None) -> None:
        if folder is not None and not folder.is_dir():
            raise UsageError(
                f"settings: intake.media_dir: {folder} is no folder", hint="correct [intake] media_dir"
            )
        self._folder = folder
        self._by_digest: dict[str, dict[bytes, Path]] = {}
        self._digest = cache(_digest)

    def find(self, names: Sequence[str], hashes: Hashes, vcon: Path) -> Path | None:
        """The file of a linked recording, or None when it is not on this machine; ``names`` have no folders.

        Raises:
            RecordingError: A file has the name but not the stated hash, or different files have the name and
                no hash is stated to choose by.
        """
        named = list(dict.fromkeys(path for path in self._named(names, hashes, vcon) if path != vcon))
        fitting = [path for path in named if self._has(path, hashes)]
        if len(fitting) > 1 and not hashes and len({self._digest(p, "sha256") for p in fitting}) > 1:
            raise RecordingError(
                f"{vcon.name}: {len(fitting)} different files are called {fitting[0].name}",
                hint="the vCon states no content_hash to tell which is its recording; leave one of them",
                reason="external_media",
            )
        found = fitting[0] if fitting else self._by_content(hashes)
        if found is None and named:
            algorithms = " and ".join(algorithm for algorithm, _ in hashes)
            raise RecordingError(
                f"{vcon.name}: {named[0].name} does not have the {algorithms} the vCon states",
                hint="it is another recording, or was changed; ask for it again",
                reason="damaged",
            )
        return found

    def _named(self, names: Sequence[str], hashes: Hashes, vcon: Path) -> Iterator[Path]:
        """Files with one of the names, or named by the hash: first beside the vCon, then in the folder."""
        suffixes = ("", *sorted(AUDIO_SUFFIXES))
        names = (*names, *(f"{text}{suffix}" for text in sorted(_hash_names(hashes)) for suffix in suffixes))
        yield from filter(_is_regular_file, map(vcon.with_name, names))
        for name in names:
            yield from self._by_name.get(name, ())

    @cached_property
    def _by_name(self) -> dict[str, list[Path]]:
        by_name: dict[str, list[Path]] = defaultdict(list)
        for parent, folders, files in os.walk(self._folder) if self._folder else ():
            folders.sort()
            for name in sorted(files):
                path = Path(parent) / name
                if _is_regular_file(path):
                    by_name[name].append(path)
        return by_name

    def _by_content(self, hashes: Hashes) -> Path | None:
        """The recording in the folder whose content has the stated hashes, whatever its name."""
        if not hashes:
            return None
        algorithm, digest = hashes[0]
        if algorithm not in self._by_digest:
            files = [path for paths in self._by_name.values() for path in paths]
            audio = [path for path in files if path.suffix.lower() in AUDIO_SUFFIXES]
            self._by_digest[algorithm] = {self._digest(path, algorithm): path for path in reversed(audio)}
        path = self._by_digest[algorithm].get(digest)
        return path if path is not None and self._has(path, hashes) else None

    def _has(self, path: Path, hashes: Hashes) -> bool:
        return all(digest and self._digest(path, algorithm) == digest for algorithm, digest in hashes)


def _digest(path: Path, algorithm: str) -> bytes:
    """The digest of a file; b"" when the file cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, algorithm).digest()
    except OSError:
        return b""


def _hash_names(hashes: Hashes) -> Iterator[str]:
    """Possible names of a file named by its hash: hexadecimal or base64url, with or without algorithm."""
    for algorithm, digest in hashes:
        for text in (digest.hex(), base64.urlsafe_b64encode(digest).decode().rstrip("=")) if digest else ():
            yield from (text, f"{algorithm}-{text}")


def _is_regular_file(path: Path) -> bool:
    """Whether the path is a regular file; a link is not, because it may lead anywhere."""
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False
