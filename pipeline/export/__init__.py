"""Exports of stored calls, for supervisors and for other systems.

``write`` is the whole interface. Whatever it writes is redacted and safe to open: file names are valid
everywhere, spreadsheet cells never become formulas, and pages never run what a caller said.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.calibrate import Calibration, calibrate
from pipeline.conversation import Review, Transcript
from pipeline.errors import MachineError, UsageError
from pipeline.export import captions, flat, packet, workbook
from pipeline.export.client_view import ClientView
from pipeline.export.contact_lens import contact_lens
from pipeline.export.names import FileNames, whole
from pipeline.export.private import Redactor
from pipeline.export.selection import Call, read_calls, read_texts
from pipeline.export.sound import Sounds
from pipeline.export.vcon import vcon
from pipeline.settings import PrivacySettings
from pipeline.store import CallFilter, Store

EVERYTHING = CallFilter()
POLICY = PrivacySettings()


@dataclass(frozen=True, slots=True)
class _Job:
    """One export: the arguments of ``write``, and the data a writer may use."""

    store: Store
    dest: Path
    filters: CallFilter
    redactor: Redactor
    client_safe: bool
    audio: bool
    packet: str
    blind: bool
    progress: Callable[[int, int], None] | None

    def calls(self, *, words: bool = True) -> Iterator[Call]:
        """The calls, redacted; without ``words`` only their quotes are, and transcripts must not be shown."""
        view = ClientView() if self.client_safe else None
        for call in read_calls(self.store, self.filters, self.progress):
            redacted = self.redactor.call(call, words=words)
            yield view.of(redacted) if view else redacted

    def calibration(self) -> Calibration | None:
        """How far people agree with the machine; None for clients and blind reviewers."""
        if self.client_safe or self.blind:
            return None
        return self.redactor.calibration(calibrate(self.store, self.filters))

    def reviews(self) -> list[Review]:
        """All reviews, oldest first; none for clients and blind reviewers."""
        if self.client_safe or self.blind:
            return []
        return [self.redactor.review(review) for review in self.store.reviews(self.filters)]

    def ledger(self) -> list[dict[str, Any]]:
        """The ledger: counts of scored and purged files, and a row for each file that needs attention."""
        return self.store.query(
            "SELECT status, reason, count(*) AS files, '' AS path, '' AS error, '' AS hint FROM ledger "
            "WHERE status IN ('scored', 'purged') GROUP BY ALL "
            "UNION ALL SELECT status, reason, 1, path, error, hint FROM ledger "
            "WHERE status NOT IN ('scored', 'purged') ORDER BY status, reason, path LIMIT 20000"
        )


Writer = Callable[[_Job], list[Path]]
"""Writes one export and returns the files written."""


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
        MachineError: The disk is full.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown export format {format!r}", hint=f"one of: {', '.join(FORMATS)}")
    if client_safe and not (filters.client and filters.rubric):
        raise UsageError(
            "a client-safe export is of one client and one rubric", hint="add --client NAME and --rubric ID"
        )
    job = _Job(store, dest, filters, Redactor(privacy), client_safe, audio, packet_link, blind, progress)
    try:
        dest.parent.mkdir(parents=True, exist_ok=True)
        return FORMATS[format](job)
    except (FileExistsError, IsADirectoryError, NotADirectoryError, PermissionError) as error:
        raise UsageError(
            f"cannot write {dest}: {error.strerror}", hint="choose another destination, or close the file"
        ) from error
    except OSError as error:
        raise MachineError(
            f"cannot write {dest}: {error.strerror or error}", hint="check free space"
        ) from error


def _xlsx(job: _Job) -> list[Path]:
    workbook.write(
        job.dest,
        job.calls(words=False),
        read_texts(job.store),
        ledger=[] if job.client_safe else job.ledger(),
        reviews=job.reviews(),
        calibration=job.calibration(),
        packet=job.packet,
        reviewable=not job.client_safe,
    )
    return [job.dest]


def _html(job: _Job) -> list[Path]:
    is_file = job.dest.suffix.lower() in {".html", ".htm"}
    page = job.dest if is_file else job.dest / "index.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    sounds = Sounds(None if is_file else job.dest / "audio", job.redactor) if job.audio else None
    reviews: dict[str, list[Review]] = defaultdict(list)
    for review in job.reviews():
        reviews[review.call_id].append(review)
    return packet.write(
        page,
        job.calls(),
        read_texts(job.store),
        sounds=sounds,
        reviews=reviews,
        calibration=job.calibration(),
        reviewable=not job.client_safe,
        blind=job.blind,
    )


def _tables(suffix: str, table: flat.Table) -> Writer:
    return lambda job: flat.write_tables(
        job.dest, suffix, table, job.calls(words=False), read_texts(job.store)
    )


def _jsonl(job: _Job) -> list[Path]:
    flat.write_jsonl(job.dest, job.calls())
    return [job.dest]


def _per_call(suffix: str, render: Callable[[Call], str]) -> Writer:
    """A writer of one file per call, named after the call."""

    def write_files(job: _Job) -> list[Path]:
        job.dest.mkdir(parents=True, exist_ok=True)
        names = FileNames()
        paths = []
        for call in job.calls():
            paths.append(job.dest / names.of(call.metadata.call_id, suffix))
            with whole(paths[-1]) as partial:
                partial.write_text(render(call), encoding="utf-8", newline="\n")
        return paths

    return write_files


def _caption(render: Callable[[Transcript], str]) -> Callable[[Call], str]:
    return lambda call: render(call.conversation.transcript)


def _json(render: Callable[[Call], object]) -> Callable[[Call], str]:
    return lambda call: json.dumps(render(call), ensure_ascii=False, indent=1) + "\n"


FORMATS: dict[str, Writer] = {
    "xlsx": _xlsx,
    "html": _html,
    "csv": _tables(".csv", flat.csv_table),
    "jsonl": _jsonl,
    "parquet": _tables(".parquet", flat.parquet_table),
    "vcon": _per_call(".vcon.json", _json(vcon)),
    "srt": _per_call(".srt", _caption(captions.srt)),
    "vtt": _per_call(".vtt", _caption(captions.vtt)),
    "rttm": _per_call(".rttm", _caption(captions.rttm)),
    "contact-lens": _per_call(".contact-lens.json", _json(contact_lens)),
}
