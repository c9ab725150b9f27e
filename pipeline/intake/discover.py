"""Turn paths into received files, each with its hash and metadata, or with the fault that stops it.

    find (files, manifests, CDR) ─▶ recognise by content ─▶ hash ─▶ gather facts ─▶ merge ─▶ unique?

Every file found is yielded exactly once, so that the ledger accounts for all files.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from itertools import islice
from pathlib import Path

from pipeline.conversation import CallMetadata, LedgerEntry, Noted, Received
from pipeline.errors import RecordingError, UsageError
from pipeline.intake import metadata, names, sidecar, sniff, times, transcripts
from pipeline.intake.files import Candidate, Finder, is_unused_manifest, unreadable
from pipeline.intake.linked import MediaFinder
from pipeline.intake.metadata import Facts
from pipeline.intake.pieces import Json
from pipeline.intake.times import Zones
from pipeline.settings import IntakeSettings, IntakeSource

CALL_ID_CHARS = 16
LEDGER_BATCH = 1000
Ledger = Callable[[Sequence[str]], Mapping[str, LedgerEntry]]
"""Looks up paths in the ledger; returns the rows of those received before, by path."""


def discover(
    paths: Sequence[Path],
    settings: IntakeSettings,
    *,
    ledger: Ledger | None = None,
    leave_out: Sequence[Path] = (),
) -> Iterator[Received]:
    """Find every file under the paths, ready to be processed or with the fault that stops it.

    Args:
        paths: Recordings, transcripts, folders (walked recursively, in sorted order), manifests and call
            detail records. Manifests come first, whatever the order.
        settings: The sources of metadata.
        ledger: Looks up many files at once. A file that is unchanged since it was hashed is not read again.
        leave_out: Files and folders that are passed over where a folder holds them.

    Yields:
        One item per call. Only headers, metadata and (for hashing) one file at a time are read; memory
        grows only by the hashes and call ids already seen.

    Raises:
        UsageError: A path, a manifest, a time zone or a template is wrong. Raised before the first item,
            except for the manifest of a subfolder.
    """
    intake = _Intake(settings)
    candidates = Finder(settings.media_dir, leave_out).find(paths)
    seen: set[Path] = set()
    while batch := list(islice(candidates, LEDGER_BATCH)):
        intake.ledger_rows = ledger([str(candidate.path) for candidate in batch]) if ledger else {}
        for candidate in batch:
            if candidate.path not in seen:  # the user may have given a folder and a file in it
                seen.add(candidate.path)
                yield from map(intake.unique, intake.receive(candidate))


class _Intake:
    """State of one intake: settings, ledger rows of the current batch, hashes and call ids already seen."""

    def __init__(self, settings: IntakeSettings) -> None:
        self._settings = settings
        self.ledger_rows: Mapping[str, LedgerEntry] = {}
        self._call_id_by_sha256: dict[str, str] = {}
        self._path_by_call_id: dict[tuple[str | None, str], Path] = {}  # by client: two may number alike
        self._default = settings.default_source()
        sources = (*settings.sources, self._default)
        for name in (*settings.site_timezones.values(), *(s.timezone for s in sources if s.timezone)):
            _check_zone(name)
        self._media = MediaFinder(settings.media_dir)
        self._zone_by_site = {site.casefold(): name for site, name in settings.site_timezones.items()}
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
        """Refuse a file whose content came in already, or whose call id another call of its client has."""
        if received.fault is not None or received.metadata is None or received.sha256 is None:
            return received
        call_id = received.metadata.call_id
        named = received.metadata.client, call_id
        if twin := self._call_id_by_sha256.get(received.sha256):
            fault = RecordingError(
                f"{received.path.name} has the same content as call {twin}",
                hint="nothing to do; the call is scored once",
                reason="duplicate",
            )
        elif other := self._path_by_call_id.get(named):
            fault = RecordingError(
                f"{received.path.name} has the call id {call_id} of {other}, but another content",
                hint="give each call its own call_id in the manifest, sidecar or file name",
                reason="duplicate_call_id",
            )
        else:
            self._call_id_by_sha256[received.sha256] = call_id
            self._path_by_call_id[named] = received.path
            return received
        return replace(received, fault=fault)

    def _read(self, candidate: Candidate) -> list[Received]:
        path = candidate.path
        stat = path.stat()
        received = Received(path, "recording", None, None, stat.st_size, stat.st_mtime_ns)
        kind = sniff.content(path)
        if kind == "empty":
            raise RecordingError(f"{path.name} is empty", hint="ask for it again", reason="empty")
        if kind in ("json", "lines"):  # the ledger may have the hash of the sound inside it
            calls = transcripts.recognise(replace(received, sha256=sniff.sha256(path)), self._media)
            return [item if item.fault else self._describe(item, candidate, record) for item, record in calls]
        row = self.ledger_rows.get(str(path))
        if row and row.audio_sha256 and (row.size_bytes, row.mtime_ns) == (stat.st_size, stat.st_mtime_ns):
            received = replace(received, sha256=row.audio_sha256)
        else:
            received = replace(received, sha256=sniff.sha256(path))
        if kind == "recording":
            return [self._describe(received, candidate)]
        if kind == "captions":
            return [self._describe(replace(received, kind="transcript"), candidate)]
        if not candidate.named and is_unused_manifest(path):
            return [replace(received, fault=_not_called_manifest(path), noted=frozenset({"table"}))]
        return [replace(received, fault=_no_call(path, candidate.named))]

    def _describe(self, received: Received, candidate: Candidate, inside: Json | None = None) -> Received:
        """Merge what manifest, sidecar, the file (``inside``), CDR, file name and settings say of a call."""
        assert received.sha256 is not None
        source = self._source(candidate.path)
        zones = Zones(source.timezone or self._settings.timezone, self._zone_by_site)
        facts = self._facts(received, candidate, inside, zones)
        place = metadata.zone_of(facts, zones)
        if place != zones.place:  # a local time in one source is in the zone that another one states
            facts = self._facts(received, candidate, inside, zones._replace(place=place))
        call, warnings = metadata.merge(
            facts, default_call_id=received.sha256[:CALL_ID_CHARS], zone_name=place
        )
        call = _with_agent_channel(call, source)
        noted: set[Noted] = {"name"} if any(one.misfit for one in facts) else set()
        if metadata.clocks_differ(facts, call):
            noted.add("clock")
        if call.started_at is None and metadata.starts_left_out(warnings):
            noted.add("start")
        warnings = (*received.warnings, *warnings)
        received = replace(received, metadata=call, warnings=warnings, first_party=source.first_party)
        return replace(received, noted=frozenset(noted))

    def _facts(
        self, received: Received, candidate: Candidate, inside: Json | None, zones: Zones
    ) -> list[Facts]:
        """What each source says, most trusted first.

        Raises:
            RecordingError: The file name does not fit, nothing else dates the call, and settings are strict.
        """
        path = candidate.path
        source = self._source(path)
        facts = [row.facts(zones) for row in candidate.rows]
        sidecars = sidecar.find(path) if received.kind == "recording" else []
        facts += [sidecar.read(one, zones) for one in sidecars]
        if inside is not None:
            facts.append(metadata.read(inside, source=path.name, zones=zones))
        cdr_facts = filter(None, (records.find(path, zones) for records in candidate.records))
        facts += islice(cdr_facts, 1)
        if source.filename_template:
            strict = self._settings.strict if source.strict is None else source.strict
            strict = strict and not any("started_at" in known.values for known in facts)
            names = self._names[source.filename_template]
            facts.append(names.read(received.path, zones.place, strict=strict))
        facts.append(metadata.read(source.metadata, source="settings", zones=zones))
        return [metadata.with_queue_name(one, self._settings.queues) for one in facts]

    def _source(self, path: Path) -> IntakeSource:
        """The first source in the settings whose pattern matches the path, else the default source."""
        text = path.as_posix()
        for source in self._settings.sources:
            if fnmatchcase(text, source.path):
                return source
        return self._default


def notable(received: Sequence[Received]) -> list[str]:
    """Sentences about a whole batch for a person to read before it runs: one per ``Noted`` kind or table."""
    notes = []
    misnamed = [item for item in received if "name" in item.noted]
    clocks_differ = [item for item in received if "clock" in item.noted]
    if misnamed:
        notes.append(
            f"{len(misnamed)} of {len(received)} files have names that do not fit the file-name template, "
            f"e.g. {misnamed[0].path.name}: they are scored without what the name would say (agent, "
            "direction, start); correct [intake] filename_template, or set strict = true to quarantine them"
        )
    if clocks_differ:
        notes.append(
            f"in {len(clocks_differ)} of {len(received)} files two sources disagree about the time, e.g. "
            f"{clocks_differ[0].path.name}; an epoch number is used where there is one; check [intake] "
            "timezone and the clock of the telephone system"
        )
    unused = [item.fault for item in received if "table" in item.noted and item.fault is not None]
    notes += [f"{fault.message}: {fault.hint}" for fault in unused]
    undated = [item for item in received if "start" in item.noted]
    if undated:
        said = metadata.starts_left_out(undated[0].warnings)
        notes.append(
            f"{len(undated)} of {len(received)} files have a start that was left out, so they will be in no "
            f"week's figures, e.g. {undated[0].path.name}: {'; '.join(said)}"
        )
    return notes


def _with_agent_channel(call: CallMetadata, source: IntakeSource) -> CallMetadata:
    """Set the agent's channel from the settings of the source, unless the call's metadata has it."""
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
    formats = "docs/recordings.md lists the formats that callqa reads"
    return RecordingError(
        f"{path.name} is neither a recording nor a transcript",
        hint=formats if named else "nothing to do",
        reason="unsupported" if named else "not_a_call",
    )


def _not_called_manifest(path: Path) -> RecordingError:
    return RecordingError(
        f"{path.name} names files, but was not used",
        hint=f"call it manifest.csv, or name it on the command line: callqa run {path}",
        reason="not_a_call",
    )


def _unnameable(path: Path) -> Received:
    """Refuse a file whose name the ledger cannot hold: in a wrong encoding, or with control characters."""
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
