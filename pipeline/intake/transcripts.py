"""Files that hold words instead of sound: recognised by their content, read as a ``Transcript``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pipeline import contract
from pipeline.conversation import Received, Transcript
from pipeline.errors import RecordingError
from pipeline.intake import metadata, sniff
from pipeline.intake.metadata import Facts

SCHEMA = "callqa.transcript/1"


def recognise(
    received: Received, zone_name: str, site_zones: Mapping[str, str]
) -> list[tuple[Received, tuple[Facts, ...]]]:
    """What a JSON file holds: its calls with what it says of each.

    Raises:
        RecordingError: Not JSON after all.
        OSError: It cannot be read.
    """
    document = _parse(received)
    name = received.path.name
    if _is_ours(document):
        facts = _own_facts(document, name, zone_name, site_zones)
        return [(replace(received, kind="transcript"), (facts,))]
    fault = RecordingError(
        f"{name} is JSON, but no transcript",
        hint=f'a transcript has "schema": "{SCHEMA}"',
        reason="not_a_call",
    )
    return [(replace(received, fault=fault), ())]


def read_transcript(received: Received) -> Transcript:
    """Read the transcript of a received file of kind ``transcript``, under the call's id.

    Raises:
        RecordingError: It does not hold a valid transcript.
    """
    assert received.metadata is not None
    transcript = contract.read(Transcript, received.path)
    return replace(transcript, call_id=received.metadata.call_id)


def _is_ours(document: object) -> bool:
    if not isinstance(document, dict):
        return False
    return document.get("schema", SCHEMA) == SCHEMA and isinstance(document.get("turns"), list)


def _own_facts(document: dict[str, Any], name: str, zone_name: str, site_zones: Mapping[str, str]) -> Facts:
    """A transcript may carry ``metadata`` beside what it says of itself."""
    own = {key: document.get(key) for key in ("call_id", "language", "medium")}
    more = document.get("metadata")
    given = {**(more if isinstance(more, dict) else {}), **{k: v for k, v in own.items() if v}}
    return metadata.read(given, source=name, zone_name=zone_name, site_zones=site_zones)


def _parse(received: Received) -> Any:
    try:
        return sniff.json_document(received.path)
    except ValueError as error:
        raise RecordingError(
            f"{received.path.name} is not readable JSON: {error}", hint="ask for it again", reason="not_json"
        ) from error
