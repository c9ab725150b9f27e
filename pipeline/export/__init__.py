"""Exports: what leaves the store for supervisors and for other systems.

``write`` is the whole interface. Everything that leaves here has safe file names, cells that never
become formulas, and pages that never run what a caller said.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.errors import MachineError, UsageError
from pipeline.export import flat, packet, workbook
from pipeline.export.selection import read_calls, read_texts
from pipeline.store import CallFilter, Store

FORMATS = ("xlsx", "html", "csv", "jsonl")
EVERYTHING = CallFilter()


def write(store: Store, dest: Path, format: str, filters: CallFilter = EVERYTHING) -> list[Path]:  # noqa: A002
    """Export calls.

    Args:
        store: Open for reading.
        dest: File for ``xlsx``, ``html`` and ``jsonl``; folder for ``csv``.
        format: One of ``FORMATS``.
        filters: Which calls.

    Returns:
        Every file written.

    Raises:
        UsageError: Unknown format, no matching call, or a destination that cannot be written.
        MachineError: The disk is full.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown export format {format!r}", hint=f"one of: {', '.join(FORMATS)}")
    calls = read_calls(store, filters)
    texts = read_texts(store)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        if format == "csv":
            return flat.write_csv(dest, calls, texts)
        if format == "jsonl":
            flat.write_jsonl(dest, calls)
        elif format == "xlsx":
            workbook.write(dest, calls, texts, title="Call review")
        else:
            return packet.write(dest, calls, texts, title="Call review")
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise UsageError(
            f"cannot write {dest}: {error.strerror}", hint="choose another destination, or close the file"
        ) from error
    except OSError as error:
        raise MachineError(
            f"cannot write {dest}: {error.strerror or error}", hint="check free space"
        ) from error
    return [dest]
