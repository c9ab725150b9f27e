"""From paths to received files: each with its hash and metadata, or the fault that ends its way.

    find (files, manifests, CDR) ─▶ recognise by content ─▶ hash ─▶ gather facts ─▶ merge ─▶ unique?

Every file found comes out exactly once, so that the ledger adds up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path
from typing import get_args

from pipeline.conversation import CallMetadata, LedgerEntry, Noted, Received
from pipeline.errors import RecordingError, UsageError
from pipeline.intake import metadata, names, sidecar, sniff, times, transcripts
from pipeline.intake.files import Candidate, Finder, unreadable
from pipeline.intake.linked import MediaFinder
from pipeline.intake.metadata import Facts
from pipeline.intake.pieces import Json
from pipeline.intake.times import Zones
from pipeline.settings import IntakeSettings, IntakeSource

CALL_ID_CHARS = 16
LOOKED_UP_TOGETHER = 1000
Ledger = Callable[[Sequence[str]], Mapping[str, LedgerEntry]]
"""Paths → the ledger rows of those that were received before, by path."""


def discover(
    paths: Sequence[Path], settings: IntakeSettings, *, ledger: Ledger | None = None
) -> Iterator[Received]:
    """Every file under the paths, ready to be processed or with the fault that ends its way.

    Args:
        paths: Recordings, transcripts, folders (walked whole, in sorted order), manifests and call
            detail records.
        settings: Where metadata comes from.
        ledger: Asked for many files at a time; spares reading those unchanged since they were hashed.

    Yields:
        One item a call. Nothing but small headers, metadata and (for the hash) one file at a time
        is read; memory grows only by the identities already seen.

    Raises:
        UsageError: A path, a manifest, a time zone or a template is wrong; before the first item,
            except for the manifest of a subfolder.
    """
    intake = _Intake(settings)
    found = Finder(intake.zones, settings.media_dir).find(paths)
    seen: set[Path] = set()
    while together := list(islice(found, LOOKED_UP_TOGETHER)):
        intake.before = ledger([str(candidate.path) for candidate in together]) if ledger else {}
        for candidate in together:
            if candidate.path not in seen:  # a folder and a file in it may both have been named
                seen.add(candidate.path)
                yield from map(intake.unique, intake.receive(candidate))


class _Intake:
    """What is known while files come in: settings, earlier rows, and the identities already given out."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self.before: Mapping[str, LedgerEntry] = {}
        self._call_id_by_sha256: dict[str, str] = {}
        self._path_by_call_id: dict[str, Path] = {}
        self._default = settings.default_source()
        sources = (*settings.sources, self._default)
        for name in (*settings.site_timezones.values(), *(s.timezone for s in sources if s.timezone)):
            _check_zone(name)
        self._media = MediaFinder(settings.media_dir)
        self._names = {t: names.load(t) for t in (s.filename_template for s in sources) if t}

    def receive(self, candidate: Candidate) -> list[Received]:
        """Recognise, hash and describe one file; a vCon may hold several calls."""
        if not str(candidate.path).isprintable():
            return [_unnameable(candidate.path)]
        if candidate.fault is not None:
            return [_refused(candidate.path, candidate.fault)]
        try:
            return self._read(candidate)
        except RecordingError as fault:
            return [_refused(candidate.path, fault)]
        except RecursionError:
            return [_refused(candidate.path, transcripts.too_deep(candidate.path))]
        except OSError as error:
            return [_refused(candidate.path, unreadable(candidate.path, error))]

    def unique(self, received: Received) -> Received:
        """Refuse what came in already: the same content, or another content under the same call id."""
        if received.fault is not None or received.metadata is None or received.sha256 is None:
            return received
        call_id = received.metadata.call_id
        if twin := self._call_id_by_sha256.get(received.sha256):
            fault = RecordingError(
                f"{received.path.name} has the same content as call {twin}",
                hint="nothing to do; the call is scored once",
                reason="duplicate",
            )
        elif other := self._path_by_call_id.get(call_id):
            fault = RecordingError(
                f"{received.path.name} has the call id {call_id} of {other.name}, but another content",
                hint="give each call its own call_id in the manifest, sidecar or file name",
                reason="duplicate_call_id",
            )
        else:
            self._call_id_by_sha256[received.sha256] = call_id
            self._path_by_call_id[call_id] = received.path
            return received
        return replace(received, fault=fault)

    def _read(self, candidate: Candidate) -> list[Received]:
        path = candidate.path
        stat = path.stat()
        received = Received(path, "recording", None, None, stat.st_size, stat.st_mtime_ns)
        kind = sniff.content(path)
        if kind == "empty":
            raise RecordingError(f"{path.name} is empty", hint="ask for it again", reason="empty")
        known = None  # of a JSON file the ledger may know the sound inside, not the file
        if kind != "json":
            row = self.before.get(str(path))
            if row is not None and (row.size_bytes, row.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
                known = row.audio_sha256
        received = replace(received, sha256=known or sniff.sha256(path))
        if kind == "recording":
            return [self._describe(received, candidate)]
        if kind == "captions":
            return [self._describe(replace(received, kind="transcript"), candidate)]
        if kind == "json":
            calls = transcripts.recognise(received, self._media)
            return [item if item.fault else self._describe(item, candidate, said) for item, said in calls]
        return [replace(received, fault=_no_call(path, candidate.named))]

    def _describe(self, received: Received, candidate: Candidate, inside: Json | None = None) -> Received:
        """Put together what manifest, sidecar, the file itself, CDR, its name and its source say."""
        assert received.sha256 is not None
        path = candidate.path
        source = self._source(path)
        zones = self.zones(path)
        facts: list[Facts] = [candidate.row.facts] if candidate.row else []
        beside = sidecar.find(path) if received.kind == "recording" else []
        facts += [sidecar.read(one, zones) for one in beside]
        if inside is not None:
            facts.append(metadata.read(inside, source=path.name, zones=zones))
        recorded = filter(None, (records.find(path, zones) for records in candidate.records))
        facts += islice(recorded, 1)
        misnamed = self._read_name(received.path, source, zones.place, facts)
        facts.append(metadata.read(source.metadata, source="settings", zones=zones))
        facts = [metadata.with_queue_name(one, self._settings.queues) for one in facts]
        call, warnings = metadata.merge(
            facts, default_call_id=received.sha256[:CALL_ID_CHARS], zone_name=zones.place
        )
        call = _with_agent_channel(call, source)
        kinds: dict[Noted, bool] = {"name": bool(misnamed), "clock": metadata.clocks_differ(facts, call)}
        noted = frozenset(kind for kind, there in kinds.items() if there)
        warnings = (*received.warnings, *warnings, *misnamed)
        return replace(
            received, metadata=call, warnings=warnings, noted=noted, first_party=source.first_party
        )

    def _read_name(
        self, path: Path, source: IntakeSource, zone_name: str, facts: list[Facts]
    ) -> tuple[str, ...]:
        """Add what the name says, and say where it does not fit.

        Raises:
            RecordingError: It does not fit, nothing else dates the call, and the settings are strict.
        """
        if not source.filename_template:
            return ()
        names = self._names[source.filename_template]
        try:
            facts.append(names.read(path, zone_name))
        except RecordingError as fault:
            strict = self._settings.strict if source.strict is None else source.strict
            if strict and not any("started_at" in known.values for known in facts):
                raise
            found = names.salvage(path, zone_name)
            facts += [found] if found else []
            left = (
                "only the unique id in it is used"
                if found
                else "its start and what else it says are left out"
            )
            return (f"{fault.message}; {left}",)
        return ()

    def zones(self, path: Path) -> Zones:
        """The zones of the place a file comes from."""
        place = self._source(path).timezone or self._settings.timezone
        return Zones(place, self._settings.site_timezones)

    def _source(self, path: Path) -> IntakeSource:
        """The settings of the place a file comes from: the first whose pattern matches its path."""
        text = path.as_posix()
        for source in self._settings.sources:
            if fnmatchcase(text, source.path):
                return source
        return self._default


def notable(received: Sequence[Received]) -> list[str]:
    """What a person should know of a whole batch before it runs, a sentence a kind; no word of any call."""
    said = []
    misnamed, apart = ([item for item in received if kind in item.noted] for kind in get_args(Noted))
    if misnamed:
        said.append(
            f"{len(misnamed)} of {len(received)} files have names that do not fit the file-name template, "
            f"e.g. {misnamed[0].path.name}: they are scored without what the name would say (agent, "
            "direction, start); mend [intake] filename_template, or set strict = true to quarantine them"
        )
    if apart:
        said.append(
            f"in {len(apart)} of {len(received)} files two sources disagree about the time, e.g. "
            f"{apart[0].path.name}; an epoch number is believed where there is one; check [intake] timezone "
            "and the clock of the telephone system"
        )
    return said


def _with_agent_channel(call: CallMetadata, source: IntakeSource) -> CallMetadata:
    """The channel map of the source, where nobody said it for this call."""
    chosen = source.agent_channel
    if call.agent_channel is not None or chosen is None:
        return call
    return replace(call, agent_channel=chosen if isinstance(chosen, int) else chosen.get(call.direction))


def _check_zone(name: str) -> None:
    try:
        times.zone_name_of(name)
    except times.BadTime as error:
        raise UsageError(f"settings: timezone: {error}", hint="set [intake] timezone") from error


def _no_call(path: Path, named: bool) -> RecordingError:
    what = f"{path.name} is neither a recording nor a transcript"
    if named:
        return RecordingError(what, hint="see the formats callqa reads", reason="unsupported")
    return RecordingError(what, hint="nothing to do", reason="not_a_call")


def _unnameable(path: Path) -> Received:
    """A name that is no text (wrong encoding, control characters) cannot be kept in the ledger as it is."""
    shown = str(path).encode("utf-8", "backslashreplace").decode()
    shown = "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in shown)
    fault = RecordingError(f"{shown}: the name is not printable text", hint="rename it", reason="bad_name")
    return Received(Path(shown), "recording", None, None, fault=fault)


def _refused(path: Path, fault: RecordingError) -> Received:
    try:
        stat = path.stat()
    except (OSError, ValueError):
        return Received(path, "recording", None, None, fault=fault)
    return Received(path, "recording", None, None, stat.st_size, stat.st_mtime_ns, fault=fault)
