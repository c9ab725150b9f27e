"""Read manifests: CSV files with a row of metadata for each recording.

``manifest.csv`` in a folder describes the files below it. A manifest given on the command line is the list of
calls to process. A row that names no file, a missing file or a file outside the manifest's folder gets a row
in the ledger with its fault; no row is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pipeline.errors import RecordingError, UsageError
from pipeline.intake import metadata
from pipeline.intake.metadata import Facts
from pipeline.intake.sniff import is_file
from pipeline.intake.times import Zones

ZonesOf = Callable[[Path], Zones]
"""Returns the time zones that apply to a file."""
FILE_NAME = "manifest.csv"
FILE_COLUMNS = ("file", "path", "filename", "file_name", "recording", "audio", "recordingfile")


@dataclass(frozen=True, slots=True)
class Row:
    """One row of a manifest.

    Attributes:
        path: The file by its path in the ledger; for a row without a usable file, manifest and row number.
        facts: The metadata in the row.
        target: The file with links resolved, by which files found in a folder are matched to rows.
        fault: Why the row cannot be used.
    """

    path: Path
    facts: Facts
    target: Path | None = None
    fault: RecordingError | None = None


def read(path: Path, lines: list[list[str]], zones_of: ZonesOf) -> list[Row]:
    """All rows of a manifest, in order.

    Args:
        path: The manifest; its rows name files relative to its folder.
        lines: Its cells by row, header first.
        zones_of: Returns the time zones that apply to a file.

    Raises:
        UsageError: It is not a valid manifest. The run stops, because without it all calls would lack their
            metadata; its author must correct it first.
    """
    header = [metadata.field_name(name) for name in lines[0]] if lines else []
    file_column = next((header.index(name) for name in FILE_COLUMNS if name in header), None)
    if file_column is None:
        raise UsageError(
            f"manifest {path}: no column names the files; its header is: {', '.join(header) or '(empty)'}",
            hint=f"add a column called {FILE_COLUMNS[0]} with paths relative to the manifest",
        )
    doubled = {name for name in header if name and header.count(name) > 1}
    if doubled:
        raise UsageError(
            f"manifest {path}: two columns called {', '.join(sorted(doubled))}", hint="rename or drop one"
        )
    return list(_rows(path, header, file_column, lines[1:], zones_of))


def by_file(rows: list[Row]) -> dict[Path, Row]:
    """The usable rows, by the resolved path of their file."""
    return {row.target: row for row in rows if row.target and row.fault is None}


def _rows(
    path: Path, header: list[str], file_column: int, lines: list[list[str]], zones_of: ZonesOf
) -> Iterator[Row]:
    folder = path.parent.resolve()
    seen: dict[Path, int] = {}
    for number, cells in enumerate(lines, start=2):
        if not any(cells):
            continue
        source = f"{path.name} row {number}"
        row_path = path.with_name(source)  # stands in the ledger for a row without a usable file
        record = dict(zip(header, cells, strict=False))
        file = record.pop(header[file_column], "")
        if len(cells) > len(header) or not file:
            too_many = f"has {len(cells)} cells for {len(header)} columns"
            what = too_many if len(cells) > len(header) else "names no file"
            yield Row(row_path, Facts(source), fault=_fault(source, what, "bad_row"))
            continue
        target = _locate(folder, file)
        shown = path.parent / target.relative_to(folder) if target else row_path
        facts = metadata.read(record, source=source, zones=zones_of(shown))
        if target is None:
            fault = _fault(source, "names a file outside the manifest's folder", "outside_folder")
            yield Row(row_path, facts, fault=fault)
        elif target in seen:
            fault = _fault(source, f"names the same file as row {seen[target]}", "duplicate_row")
            yield Row(row_path, facts, fault=fault)
        else:
            seen[target] = number
            yield Row(shown, facts, target, None if is_file(target) else _missing(source, target))


def _locate(folder: Path, file: str) -> Path | None:
    """The resolved path of the file a row names; None when it is not below ``folder``."""
    try:
        target = (folder / file).resolve()
        if "\\" in file and not target.exists():  # a Windows path
            target = (folder / file.replace("\\", "/")).resolve()
        return target if target.is_relative_to(folder) else None
    except (OSError, ValueError, RuntimeError):  # NUL, too long, a loop of links
        return None


def _missing(source: str, target: Path) -> RecordingError:
    return RecordingError(
        f"{source} names {target.name}, which is not there",
        hint="copy the file there, or take the row out",
        reason="missing",
    )


def _fault(source: str, what: str, reason: str) -> RecordingError:
    return RecordingError(f"{source} {what}", hint="mend the row and run again", reason=reason)
