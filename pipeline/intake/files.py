"""Find the files under the given paths, with the manifest row and call detail records that may describe each.

Folders are walked in sorted order. Links out of a folder are not followed and hidden files are ignored.
Files are yielded one by one and recordings are not read here, so a million files need no more memory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RecordingError, UsageError
from pipeline.intake import cdr, manifest, sidecar, sniff
from pipeline.intake.cdr import CallRecords
from pipeline.intake.manifest import Row, ZonesOf

_UNWANTED = frozenset({"thumbs.db", "desktop.ini"})
_CONTAINERS = frozenset({".json", ".vcon", ".jws"})


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a call, with the tables that describe it.

    Attributes:
        path: The file.
        named: Whether a person or a manifest named it. A file found in a folder may not be a call at all.
        row: Its manifest row.
        records: Call detail records that may contain it, those of the nearest folder first.
        fault: Why it cannot be opened.
    """

    path: Path
    named: bool
    row: Row | None = None
    records: tuple[CallRecords, ...] = ()
    fault: RecordingError | None = None


class Finder:
    """Finds candidates under the paths a person gave."""

    def __init__(self, zones_of: ZonesOf, media_dir: Path | None = None) -> None:
        self._zones_of = zones_of
        self._media_dir = media_dir and _resolve(media_dir)
        self._walk_last: list[tuple[Path, Path, tuple[dict[Path, Row], ...], tuple[CallRecords, ...]]] = []

    def find(self, paths: Sequence[Path]) -> Iterator[Candidate]:
        """Yield every file under the paths, in the order given and sorted within folders.

        Files that may link to a recording (vCons) come before the recordings of their folder and of
        ``media_dir``: when a recording is found both ways, the one found first, with more metadata, is used.

        Raises:
            UsageError: A path does not exist or cannot be read, or a manifest is broken. Raised before the
                first file is yielded.
        """
        if not paths:
            raise UsageError("no recordings given", hint="name files, folders or a manifest CSV")
        starts = [_absolute(path) for path in paths]
        for path in starts:
            _check_start(path)
        tables = {
            path: self._table(path, named=True)
            for path in starts
            if path.is_file() and path.suffix.lower() in {".csv", ".tsv"}
        }
        records = tuple(table for table in tables.values() if isinstance(table, CallRecords))
        for path in starts:
            table = tables.get(path)
            if isinstance(table, list):
                for row in table:
                    yield Candidate(row.path, True, row, records, row.fault)
            elif path.is_dir():
                yield from self._walk(path, path.resolve(), (), records)
            elif table is None:
                yield Candidate(path, True, self._row_of(path), records)
        for folder in self._walk_last:
            yield from self._walk(*folder)

    def _walk(
        self, folder: Path, root: Path, outer: tuple[dict[Path, Row], ...], records: tuple[CallRecords, ...]
    ) -> Iterator[Candidate]:
        """Yield the files of a folder and its subfolders; links must not leave ``root``.

        ``outer`` has the manifest rows of the folders above, nearest first; a row is removed once it is used.
        """
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            yield Candidate(folder, True, fault=unreadable(folder, error))
            return
        entries = [p for p in paths if not p.name.startswith((".", "~$")) and p.name.lower() not in _UNWANTED]
        companions = sidecar.companions([e.name for e in entries])
        tables = self._tables(entries)
        usable_rows: dict[Path, Row] = {}
        failed_rows: list[Row] = []
        for table in tables.values():
            if isinstance(table, CallRecords):
                records = (table, *records)
            else:
                usable_rows = manifest.by_file(table)
                failed_rows = [row for row in table if row.fault is not None]
        rows = (usable_rows, *outer)
        resolved_folder = _resolve(folder)
        if not any(rows):  # vCons first: they have more metadata than the recordings they link to
            entries.sort(key=lambda entry: entry.suffix.lower() not in _CONTAINERS)
        for entry in entries:
            if entry in tables:
                continue
            if entry.is_dir():
                yield from self._subfolder(entry, root, rows, records)
                continue
            target = _resolve(entry) if entry.is_symlink() else resolved_folder / entry.name
            row = next((r.pop(target) for r in rows if target in r), None)
            if row is not None or entry.name not in companions:
                yield Candidate(entry, row is not None, row, records, _check_file(entry, target, root))
        for row in (*failed_rows, *usable_rows.values()):  # rows whose file was not yielded above
            yield Candidate(row.path, True, row, records, row.fault)

    def _subfolder(
        self, entry: Path, root: Path, rows: tuple[dict[Path, Row], ...], records: tuple[CallRecords, ...]
    ) -> Iterator[Candidate]:
        if not entry.is_symlink() and self._media_dir == _resolve(entry):  # after all vCons that link into it
            self._walk_last.append((entry, root, rows, records))
        elif not entry.is_symlink():
            yield from self._walk(entry, root, rows, records)
        elif not _resolve(entry).is_relative_to(root):  # targets within the root are walked by themselves
            yield Candidate(entry, True, fault=_outside_folder(entry))

    def _tables(self, entries: Sequence[Path]) -> dict[Path, CallRecords | list[Row]]:
        """The CSV files of a folder that are a manifest or call detail records."""
        tables = {}
        for entry in entries:
            if entry.suffix.lower() == ".csv" and entry.is_file():
                table = self._table(entry, named=entry.name.lower() == manifest.FILE_NAME)
                if table is not None:
                    tables[entry] = table
        return tables

    def _table(self, path: Path, *, named: bool) -> CallRecords | list[Row] | None:
        """Read a CSV file as call detail records or, if ``named``, a manifest; a named one must be valid."""
        try:
            lines = sniff.csv_rows(path)
        except (OSError, ValueError) as error:
            if named:
                raise UsageError(f"{path}: {error}", hint="save it as CSV UTF-8 with a header") from error
            return None
        if cdr.is_cdr(lines):
            return cdr.read(path, lines)
        if named:
            return manifest.read(path, lines, self._zones_of)
        return None

    def _row_of(self, path: Path) -> Row | None:
        """The row of a file given on the command line, from the manifest in its folder."""
        manifest_path = path.with_name(manifest.FILE_NAME)
        if not manifest_path.is_file():
            return None
        table = self._table(manifest_path, named=True)
        return manifest.by_file(table).get(_resolve(path)) if isinstance(table, list) else None


def _absolute(path: Path) -> Path:
    """The path without ``.`` and ``..`` but with links kept; the ledger identifies files by it."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - Path.absolute keeps the dots


def _resolve(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError):  # a loop of links
        return path


def _check_start(path: Path) -> None:
    if not path.exists():
        raise UsageError(f"{path} does not exist", hint="check the path; nothing was processed")
    if not os.access(path, os.R_OK | (os.X_OK if path.is_dir() else 0)):
        raise UsageError(f"{path} cannot be read", hint="check its permissions; nothing was processed")


def _check_file(path: Path, target: Path, root: Path) -> RecordingError | None:
    """The fault of a file in a folder that must not be opened: a link out of it, a pipe or a device."""
    if path.is_symlink() and not target.is_relative_to(root):
        return _outside_folder(path)
    try:
        regular = stat.S_ISREG(path.stat().st_mode)
    except OSError as error:
        return unreadable(path, error)
    return None if regular else RecordingError(f"{path.name} is not a regular file", reason="not_a_file")


def _outside_folder(path: Path) -> RecordingError:
    return RecordingError(
        f"{path.name} is a link to outside the folder given",
        hint="name what it points to on the command line as well",
        reason="outside_folder",
    )


def unreadable(path: Path, error: OSError) -> RecordingError:
    """The fault of a file that cannot be read."""
    return RecordingError(
        f"{path.name} cannot be read: {error.strerror}", hint="check its permissions", reason="unreadable"
    )
