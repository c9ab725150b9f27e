"""JSON files that hold conversations: recognised by their content, opened when their turn comes.

callqa's own transcripts, vCon, Contact Lens and Call Analytics output, and Whisper's segments.
"""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pipeline import contract
from pipeline.conversation import Engine, Received, Transcript
from pipeline.errors import RecordingError
from pipeline.intake import contact_lens, metadata, segments, sniff, vcon
from pipeline.intake.metadata import Facts

SCHEMA = "callqa.transcript/1"
Described = tuple[Received, tuple[Facts, ...]]


def recognise(received: Received, zone_name: str, site_zones: Mapping[str, str]) -> list[Described]:
    """What a JSON file holds: its calls with what it says of each.

    Raises:
        RecordingError: Not JSON after all, or a damaged vCon.
        OSError: It cannot be read.
    """
    document = _parse(received.path)
    name = received.path.name
    heard = replace(received, kind="transcript")
    if _is_ours(document):
        return [(heard, (_own_facts(document, name, zone_name, site_zones),))]
    if vcon.is_vcon(document):
        return list(_vcon_parts(received, document, zone_name, site_zones))
    if contact_lens.is_contact_lens(document):
        return [(heard, (contact_lens.facts(document, name, zone_name, site_zones),))]
    if _is_segments(document):
        facts = metadata.read(
            {"language": document.get("language")}, source=name, zone_name=zone_name, site_zones=site_zones
        )
        return [(heard, (facts,))]
    fault = RecordingError(
        f"{name} is JSON, but no conversation callqa knows",
        hint=f'a transcript has "schema": "{SCHEMA}"; vCon and Contact Lens files are read as they are',
        reason="not_a_call",
    )
    return [(replace(received, fault=fault), ())]


def read_transcript(received: Received) -> Transcript:
    """Read the transcript of a received file of kind ``transcript``, under the call's id.

    Raises:
        RecordingError: It does not hold a valid transcript.
    """
    assert received.metadata is not None
    call_id = received.metadata.call_id
    path = received.container or received.path
    document = _parse(path)
    if _is_ours(document):
        read = replace(contract.from_dict(Transcript, document, source=path.name), call_id=call_id)
    elif vcon.is_vcon(document):
        read = vcon.transcript(vcon.unwrap(document, path.name), received.part, call_id)
    elif contact_lens.is_contact_lens(document):
        read = contact_lens.transcript(document, call_id)
    else:
        turns = segments.turns(document)
        end_s = max((turn.end_s for turn in turns if turn.end_s is not None), default=None)
        read = Transcript(call_id, turns, duration_s=end_s, engine=Engine("unknown", "segments"))
    if not read.turns:
        raise RecordingError(f"{path.name} has no words in it", hint="nothing to do", reason="no_speech")
    return replace(read, language=read.language or received.metadata.language)


@contextmanager
def media(received: Received) -> Iterator[Path]:
    """The file to decode for a received recording: itself, or the sound inside a vCon.

    What is taken out lives in a private temporary folder and is gone afterwards.

    Raises:
        RecordingError: The vCon's recording is damaged.
    """
    if received.part is None:
        yield received.path
        return
    path = received.container or received.path
    sound = vcon.audio(vcon.unwrap(_parse(path), path.name), received.part, path.name)
    with tempfile.TemporaryDirectory(prefix="callqa-") as folder:
        target = Path(folder) / f"{path.stem[:80]}.dialog-{received.part}"
        target.write_bytes(sound)
        yield target


def _vcon_parts(
    received: Received, document: dict[str, Any], zone_name: str, site_zones: Mapping[str, str]
) -> Iterator[Described]:
    """Each conversation of a vCon; a recording is known by the hash of its sound, as if it came alone."""
    path = received.path
    inner = vcon.unwrap(document, path.name)
    warnings = () if inner is document else (f"{path.name}: the signature of the vCon was not checked",)
    found = vcon.parts(inner, path.name)
    if not found:
        fault = RecordingError(
            f"{path.name} holds no conversation", hint="nothing to do", reason="not_a_call"
        )
        yield replace(received, fault=fault), ()
    for at, part in enumerate(found):
        name = path if at == 0 else path.with_name(f"{path.name}#dialog-{part.dialog}")
        item = replace(received, path=name, kind=part.kind, part=part.dialog, warnings=warnings)
        item = replace(item, container=path if at else None, fault=part.fault)
        if part.kind == "recording" and part.dialog is not None and part.fault is None:
            try:
                sound = vcon.audio(inner, part.dialog, path.name)
                item = replace(item, sha256=hashlib.sha256(sound).hexdigest())
            except RecordingError as fault:
                item = replace(item, fault=fault)
        elif at:
            item = replace(
                item, sha256=hashlib.sha256(f"{received.sha256}#{part.dialog}".encode()).hexdigest()
            )
        yield item, (vcon.facts(inner, part.dialog, path.name, zone_name, site_zones),)


def _is_ours(document: object) -> bool:
    if not isinstance(document, dict) or not isinstance(document.get("turns"), list):
        return False
    return bool(document.get("schema", SCHEMA) == SCHEMA)


def _is_segments(document: object) -> bool:
    """Whisper's own JSON and its many imitations."""
    if not isinstance(document, dict) or "schema" in document:
        return False
    pieces = document.get("segments")
    return isinstance(pieces, list) and any(
        isinstance(p, dict) and "text" in p and "start" in p for p in pieces
    )


def _own_facts(document: dict[str, Any], name: str, zone_name: str, site_zones: Mapping[str, str]) -> Facts:
    """A transcript may carry ``metadata`` beside what it says of itself."""
    own = {key: document.get(key) for key in ("call_id", "language", "medium")}
    more = document.get("metadata")
    given = {**(more if isinstance(more, dict) else {}), **{k: v for k, v in own.items() if v}}
    return metadata.read(given, source=name, zone_name=zone_name, site_zones=site_zones)


def _parse(path: Path) -> Any:
    try:
        return sniff.json_document(path)
    except OSError as error:
        raise RecordingError(f"{path.name} cannot be read: {error.strerror}", reason="unreadable") from error
    except ValueError as error:
        raise RecordingError(
            f"{path.name} is not readable JSON: {error}", hint="ask for it again", reason="not_json"
        ) from error
