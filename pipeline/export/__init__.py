"""Exports of stored calls, for supervisors and for other systems.

``write`` is the whole interface. Whatever it writes is redacted and safe to open: file names are valid
everywhere, spreadsheet cells never become formulas, and pages never run what a caller said.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pipeline.conversation import Transcript
from pipeline.errors import MachineError, UsageError
from pipeline.export import captions, flat, packet, workbook
from pipeline.export.contact_lens import contact_lens
from pipeline.export.job import ExportJob
from pipeline.export.names import FileNames, whole
from pipeline.export.private import Redactor
from pipeline.export.selection import ExportedCall
from pipeline.export.vcon import vcon
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store

EVERYTHING = CallFilter()
POLICY = PrivacySettings()


Writer = Callable[[ExportJob], list[Path]]
"""Writes one export and returns the files written."""


@dataclass(frozen=True, slots=True)
class Format:
    """A format of exports; ``about`` says what it writes, for ``docs/review.md``."""

    about: str
    write: Writer


ENDINGS = (".xlsx", ".html", ".jsonl")
"""The endings of the formats that are one file."""


def format_of(dest: Path) -> str:
    """The format that the ending of a file's name asks for.

    Raises:
        UsageError: It is not the ending of a format that is one file.
    """
    if dest.suffix.lower() in ENDINGS:
        return dest.suffix[1:].lower()
    raise UsageError(
        f"the ending of {str(dest)!r} names no format",
        hint=f"name a file that ends in {', '.join(ENDINGS)}, or say --format: {', '.join(FORMATS)}",
    )


def write(
    store: Store,
    dest: Path,
    format: str,  # noqa: A002
    filters: CallFilter = EVERYTHING,
    *,
    privacy: PrivacySettings = POLICY,
    client_safe: bool = False,
    audio: bool = True,
    packet_link: str = "",
    blind: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> list[Path]:
    """Export calls.

    Args:
        store: Open for reading.
        dest: A file for ``xlsx`` and ``jsonl``; a folder for the others. ``html`` takes either: a file that
            ends in .html with the recordings embedded, or a folder with index.html and recordings.
        format: One of ``FORMATS``.
        filters: Which calls.
        privacy: Which kinds of private data to remove.
        client_safe: Hide agents' names; needs one client and one rubric in ``filters``.
        audio: Whether packets have recordings.
        packet_link: Relative path of a packet page that the times in a workbook link to.
        blind: For ``html``: leave out what the machine and other people answered.
        progress: Called with how many calls are done, and how many there are.

    Returns:
        Every file written.

    Raises:
        UsageError: Unknown format, or a destination that cannot be written.
        StoreError: The destination is the database itself.
        MachineError: The disk is full.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown export format {format!r}", hint=f"one of: {', '.join(FORMATS)}")
    if f".{format}" in ENDINGS and format != "html" and dest.is_dir():
        raise UsageError(f"{dest} is a folder, not a file to write", hint="name the file to write in it")
    if client_safe and not (filters.client and filters.rubric):
        raise UsageError(
            "a client-safe export is of one client and one rubric", hint="add --client NAME and --rubric ID"
        )
    store.refuse_itself(dest)
    job = ExportJob(store, dest, filters, Redactor(privacy), client_safe, audio, packet_link, blind, progress)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        return FORMATS[format].write(job)
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise UsageError(
            f"cannot write {dest}: {error.strerror}", hint="choose another destination, or close the file"
        ) from error
    except OSError as error:
        raise MachineError(
            f"cannot write {dest}: {error.strerror or error}", hint="check free space"
        ) from error


def _per_call(suffix: str, render: Callable[[ExportedCall], str]) -> Writer:
    """A writer of one file per call, named after the call."""

    def write_files(job: ExportJob) -> list[Path]:
        job.dest.mkdir(parents=True, exist_ok=True)
        names = FileNames()
        paths = []
        for call in job.calls():
            paths.append(job.dest / names.of(call.metadata.call_id, suffix))
            with whole(paths[-1]) as unfinished:
                unfinished.write_text(render(call), encoding="utf-8", newline="\n")
        return paths

    return write_files


def _caption(render: Callable[[Transcript], str]) -> Callable[[ExportedCall], str]:
    return lambda call: render(call.conversation.transcript)


def _json(render: Callable[[ExportedCall], object]) -> Callable[[ExportedCall], str]:
    return lambda call: json.dumps(render(call), ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, Format] = {
    "xlsx": Format("the workbook", workbook.write),
    "html": Format(
        "the packet: a file ending in .html contains its recordings, a folder has them beside its index.html",
        packet.write,
    ),
    "csv": Format(
        "`calls` and `answers`, one row a scorecard and one an answer",
        partial(flat.write_tables, suffix=".csv", table=flat.csv_table),
    ),
    "jsonl": Format(
        "one line a call: metadata, conversation and scorecards as `callqa.<noun>/1`", flat.write_jsonl
    ),
    "parquet": Format(
        "the tables of `csv`, as Parquet",
        partial(flat.write_tables, suffix=".parquet", table=flat.parquet_table),
    ),
    "vcon": Format(
        "vCon 0.4.0: transcript, sentiment, scorecards, metadata as analyses; recordings are only described",
        _per_call(".vcon.json", _json(vcon)),
    ),
    "srt": Format(
        f"captions, cut at {captions.LONGEST_CUE_CHARS} characters or {captions.LONGEST_CUE_S:g} s",
        _per_call(".srt", _caption(captions.srt)),
    ),
    "vtt": Format(
        "the same captions as WebVTT, with a voice tag per speaker", _per_call(".vtt", _caption(captions.vtt))
    ),
    "rttm": Format("who spoke when, for diarisation tools", _per_call(".rttm", _caption(captions.rttm))),
    "contact-lens": Format(
        "JSON in the shape of Amazon Connect's Contact Lens 1.1.0",
        _per_call(".contact-lens.json", _json(contact_lens)),
    ),
}
