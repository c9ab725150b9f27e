"""Find the files under the given paths, with the manifest row and call detail records that may describe each.

Folders are walked in sorted order. Links out of a folder are not followed and hidden files are ignored.
Files are yielded one by one and recordings are not read here, so a million files need no more memory. No row
of a manifest is dropped: one that names no usable file is yielded with its fault.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import RecordingError, UsageError
from pipeline.intake import cdr, metadata, sidecar, sniff
from pipeline.intake.cdr import CallRecords
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import is_file
from pipeline.intake.times import Zones

_MANIFEST = "manifest.csv"
_FILE_COLUMNS = ("file", "path", "filename", "file_name", "recording", "audio", "recordingfile")
_UNWANTED = frozenset({"thumbs.db", "desktop.ini"})
_CONTAINERS = frozenset({".json", ".vcon", ".jws"})


@dataclass(frozen=True, slots=True)
class Row:
    """What a row of a manifest says of a file: its cells by column, read when the time zone is known."""

    source: str
    cells: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def facts(self, zones: Zones) -> Facts:
        """The facts in the row."""
        facts = metadata.read(self.cells, source=self.source, zones=zones)
        return replace(facts, warnings=(*facts.warnings, *self.warnings))


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be a call, with the tables that describe it.

    Attributes:
        path: The file by its path in the ledger; for a manifest row without a usable file, manifest and row.
        named: Whether a person or a manifest named it. A file found in a folder may not be a call at all.
        rows: The manifest rows that describe it, those of the nearest folder first.
        records: Call detail records that may contain it, those of the nearest folder first.
        fault: Why it cannot be opened.
        target: Of a manifest row, the file with links resolved: files found in a folder are matched by it.
    """

    path: Path
    named: bool
    rows: tuple[Row, ...] = ()
    records: tuple[CallRecords, ...] = ()
    fault: RecordingError | None = None
    target: Path | None = None


Rows = dict[Path, Candidate]
"""The usable rows of a manifest, by the resolved path of their file."""


class Finder:
    """Finds candidates under the paths a person gave."""

    def __init__(self, media_dir: Path | None, leave_out: Sequence[Path] = ()) -> None:
        self._leave_out = set(map(_resolve, leave_out))
        self._media_dir = media_dir and _resolve(media_dir)
        self._walk_last: list[tuple[Path, Path, tuple[Rows, ...], tuple[CallRecords, ...]]] = []
        self._rows_by_folder: dict[Path, list[Rows]] = {}

    def find(self, paths: Sequence[Path]) -> Iterator[Candidate]:
        """Yield every file under the paths: rows of manifests, then the rest as given, sorted within folders.

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
        manifests = {path: table for path, table in tables.items() if isinstance(table, list)}
        self._leave_out |= set(map(_resolve, manifests))
        for table in manifests.values():
            for row in table:
                yield replace(row, rows=(*row.rows, *self._rows_of(row.path, row.target)), records=records)
        for path in starts:
            if path.is_dir():
                root = path.resolve()
                outer = (_below(root, rows) for rows in self._rows_above(path))
                yield from self._walk(path, root, tuple(filter(None, outer)), records)
            elif path not in tables:
                self._manifest_rows(path.parent)  # must be valid
                yield Candidate(path, True, self._rows_of(path, _resolve(path)), records)
        for folder in self._walk_last:
            yield from self._walk(*folder)

    def _walk(
        self, folder: Path, root: Path, outer: tuple[Rows, ...], records: tuple[CallRecords, ...]
    ) -> Iterator[Candidate]:
        """Yield the files of a folder and its subfolders; links must not leave ``root``.

        ``outer`` has the manifest rows of the folders above, nearest first; a row is removed once it is used.
        """
        try:
            paths = sorted(folder.iterdir())
        except OSError as error:
            yield Candidate(folder, True, fault=unreadable(folder, error))
            return
        resolved_folder = _resolve(folder)
        entries = [
            path
            for path in paths
            if not path.name.startswith((".", "~$"))
            and path.name.lower() not in _UNWANTED
            and resolved_folder / path.name not in self._leave_out
        ]
        companions = sidecar.companions([e.name for e in entries])
        tables = self._tables(entries)
        manifests = [table for table in tables.values() if isinstance(table, list)]
        records = (*(t for t in reversed(tables.values()) if isinstance(t, CallRecords)), *records)
        own = tuple(map(_usable, manifests))
        rows = (*own, *outer)
        if not any(rows):  # vCons first: they have more metadata than the recordings they link to
            entries.sort(key=lambda entry: entry.suffix.lower() not in _CONTAINERS)
        for entry in entries:
            if entry in tables:
                continue
            if os.path.isdir(entry):  # noqa: PTH112 - Path.is_dir raises OSError where one may not look
                yield from self._subfolder(entry, root, rows, records)
                continue
            target = _resolve(entry) if entry.is_symlink() else resolved_folder / entry.name
            described = tuple(row for r in rows if target in r for row in r.pop(target).rows)
            if described or entry.name not in companions:
                fault = _check_file(entry, target, root)
                yield Candidate(entry, bool(described), described, records, fault)
        failed = (row for table in manifests for row in table if row.fault is not None)
        for row in (*failed, *(row for r in own for row in r.values())):  # their file was not yielded above
            yield replace(row, records=records)

    def _subfolder(
        self, entry: Path, root: Path, rows: tuple[Rows, ...], records: tuple[CallRecords, ...]
    ) -> Iterator[Candidate]:
        if not entry.is_symlink() and self._media_dir == _resolve(entry):  # after all vCons that link into it
            self._walk_last.append((entry, root, rows, records))
        elif not entry.is_symlink():
            yield from self._walk(entry, root, rows, records)
        elif not _resolve(entry).is_relative_to(root):  # targets within the root are walked by themselves
            yield Candidate(entry, True, fault=_outside_folder(entry))

    def _tables(self, entries: Sequence[Path]) -> dict[Path, CallRecords | list[Candidate]]:
        """The CSV files of a folder that are a manifest or call detail records."""
        files = (entry for entry in entries if entry.suffix.lower() == ".csv" and is_file(entry))
        tables = ((file, self._table(file, named=file.name.lower() == _MANIFEST)) for file in files)
        return {file: table for file, table in tables if table is not None}

    def _table(self, path: Path, *, named: bool) -> CallRecords | list[Candidate] | None:
        """Read a CSV file as call detail records or, if ``named``, a manifest; a named one must be valid."""
        try:
            lines = sniff.csv_rows(path)
        except (OSError, ValueError) as error:
            if named or _is_misencoded_cdr(path):
                raise UsageError(f"{path}: {error}", hint="save it as CSV UTF-8 with a header") from error
            return None
        return cdr.read(path, lines) or (_manifest(path, lines) if named else None)

    def _rows_of(self, path: Path, target: Path | None) -> tuple[Row, ...]:
        """The rows for a file that is given by itself, from the manifests in its folder and above."""
        above = self._rows_above(path)
        return tuple(row for rows in above if target in rows for row in rows[target].rows) if target else ()

    def _rows_above(self, path: Path) -> Iterator[Rows]:
        """The rows in the manifests above a file or folder, nearest first.

        One that is no manifest is passed over: it may be another program's.
        """
        for folder in path.parents:
            with suppress(UsageError):
                yield from self._manifest_rows(folder)

    def _manifest_rows(self, folder: Path) -> list[Rows]:
        """The usable rows of each manifest in a folder, but not of one that is given by itself.

        Raises:
            UsageError: A manifest is broken.
        """
        if folder not in self._rows_by_folder:
            self._rows_by_folder[folder] = []  # one that is broken is read once
            with suppress(OSError):
                named = sorted(path for path in folder.iterdir() if path.name.lower() == _MANIFEST)
                found = (p for p in named if is_file(p) and _resolve(p) not in self._leave_out)
                tables = [self._table(path, named=True) for path in found]
                self._rows_by_folder[folder] = [_usable(table) for table in tables if isinstance(table, list)]
        return self._rows_by_folder[folder]


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


def _is_misencoded_cdr(path: Path) -> bool:
    """Whether a CSV file in an unknown encoding has the columns of call detail records."""
    try:
        return cdr.read(path, sniff.csv_rows(path, errors="replace")) is not None
    except (OSError, ValueError):
        return False


def is_unused_manifest(path: Path) -> bool:
    """Whether a file that was found in a folder and is no table there has a column that names files."""
    if path.suffix.lower() not in {".csv", ".tsv"}:
        return False
    with suppress(OSError, ValueError):
        return _file_column(_header(sniff.csv_rows(path))) is not None
    return False


def _header(lines: list[list[str]]) -> list[str]:
    return [metadata.field_name(name) for name in lines[0]] if lines else []


def _file_column(header: list[str]) -> int | None:
    return next((header.index(name) for name in _FILE_COLUMNS if name in header), None)


def _manifest(path: Path, lines: list[list[str]]) -> list[Candidate]:
    """All rows of a manifest, in order.

    Raises:
        UsageError: It is not a valid manifest. The run stops, because without it all calls would lack their
            metadata; its author must correct it first.
    """
    header = _header(lines)
    file_column = _file_column(header)
    if file_column is None:
        raise UsageError(
            f"manifest {path}: no column names the files; its header is: {', '.join(header) or '(empty)'}",
            hint=f"add a column called {_FILE_COLUMNS[0]} with paths relative to the manifest",
        )
    doubled = {name for name in header if name and header.count(name) > 1}
    if doubled:
        raise UsageError(
            f"manifest {path}: two columns called {', '.join(sorted(doubled))}", hint="rename or drop one"
        )
    return list(_rows(path, header, file_column, lines[1:]))


def _usable(rows: list[Candidate]) -> Rows:
    return {row.target: row for row in rows if row.target and row.fault is None}


def _below(folder: Path, rows: Rows) -> Rows:
    return {target: row for target, row in rows.items() if target.is_relative_to(folder)}


def _rows(path: Path, header: list[str], file_column: int, lines: list[list[str]]) -> Iterator[Candidate]:
    folder = path.parent.resolve()
    seen: dict[Path, int] = {}
    for number, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        source = f"{path.name} row {number}"
        record = dict(zip(header, cells, strict=False))
        file = record.pop(header[file_column], "")
        target = _locate(folder, file)
        if len(cells) > len(header):
            fault = _fault(source, f"has {len(cells)} cells for {len(header)} columns", "bad_row")
        elif not file:
            fault = _fault(source, "names no file", "bad_row")
        elif target is None:
            fault = _fault(source, "names a file outside the manifest's folder", "outside_folder")
        elif target in seen:
            fault = _fault(source, f"names the same file as row {seen[target]}", "duplicate_row")
        else:
            seen[target] = number
            shown = path.parent / target.relative_to(folder)
            what = f"names {target.name}, which is not there"
            missing = _fault(source, what, "missing", "copy the file there, or take the row out")
            row = Row(source, record, tuple(_warnings(source, cells, len(header))))
            yield Candidate(shown, True, (row,), fault=None if is_file(target) else missing, target=target)
            continue
        yield Candidate(path.with_name(source), True, fault=fault)  # shown in the ledger as manifest and row


def _warnings(source: str, cells: list[str], n_columns: int) -> Iterator[str]:
    if any("\n" in cell and max(map(cell.count, ",;\t|")) >= n_columns - 1 > 0 for cell in cells):
        yield f"{source}: a cell may hold whole rows after it; look for a quote that is not closed"


def _locate(folder: Path, file: str) -> Path | None:
    """The resolved path of the file a row names; None when it is not below ``folder``."""
    try:
        slashed = file.replace("\\", "/")  # a Windows path; then both ways to write an accented letter
        forms = (file, slashed, *(unicodedata.normalize(form, slashed) for form in ("NFC", "NFD")))
        targets = [(folder / form).resolve() for form in dict.fromkeys(forms)]
        target = next((one for one in targets if is_file(one)), (folder / slashed).resolve())
        return target if target.is_relative_to(folder) else None
    except (OSError, ValueError, RuntimeError):  # NUL, too long, a loop of links
        return None


def _fault(
    source: str, what: str, reason: str, hint: str = "correct the row and run again"
) -> RecordingError:
    return RecordingError(f"{source} {what}", hint=hint, reason=reason)
