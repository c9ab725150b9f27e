"""The public JSON contract: dicts out of the nouns, and checked nouns out of strangers' JSON.

Every document carries ``"schema": "callqa.<noun>/1"``. Writing never drops a field; reading
accepts a document without the schema key, without ``words``, ``confidence``, ``channel`` or ``doubts``,
and ignores keys it does not know (other recognisers write their own), but never guesses a
missing ``turns``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.conversation import CallMetadata, CallRecord, Conversation, Scorecard, Transcript
from pipeline.errors import RecordingError

T = TypeVar("T")
NOUNS: dict[type, str] = {
    Transcript: "transcript",
    Conversation: "conversation",
    Scorecard: "scorecard",
    CallMetadata: "metadata",
    CallRecord: "record",
}


_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """The adapter of a noun, built once: building one costs milliseconds."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def schema_of(kind: type) -> str:
    """The value of ``schema`` in documents of a noun."""
    return f"callqa.{NOUNS[kind]}/1"


def to_dict(noun: object) -> dict[str, Any]:
    """A JSON-ready dict of one noun, ``schema`` first."""
    body = _adapter(type(noun)).dump_python(noun, mode="json")
    if isinstance(noun, Conversation):
        body = _flat(body)
    return {"schema": schema_of(type(noun)), **body}


def _flat(body: dict[str, Any]) -> dict[str, Any]:
    """A conversation on paper is its transcript plus what was heard in it, not a transcript in a box."""
    transcript = body.pop("transcript")
    heard = body.pop("warnings")
    return {**transcript, **body, "annotation_warnings": heard}


def _complete(kind: type, body: dict[str, Any], source: str) -> dict[str, Any]:
    """Supply what a document may leave out because its place says it: turn numbers, the call's name."""
    if kind is Conversation and "transcript" not in body:
        heard: dict[str, Any] = {k: body[k] for k in ("findings", "metrics", "sentiment") if k in body}
        transcript = _complete(Transcript, body, source)
        return {"transcript": transcript, "warnings": body.get("annotation_warnings", ()), **heard}
    if kind is Transcript:
        body.setdefault("call_id", Path(source).name.split(".")[0])
        turns = body.get("turns")
        if isinstance(turns, list):
            body["turns"] = [{"turn": i, **t} if isinstance(t, dict) else t for i, t in enumerate(turns)]
        if "doubts" not in body and isinstance(body.get("warnings"), list):
            body["doubts"] = list(_doubts_among(body["warnings"]))
    return body


OLD_DOUBTS = {
    "recognised weakly": "recognised_weakly",
    "it was heard as": "other_language",
    "too quiet": "too_quiet",
    "clipped": "clipped",
}
"""How warnings began that answers depend on, in documents written before these had a kind."""


def _doubts_among(warnings: Iterable[object]) -> Iterator[dict[str, Any]]:
    for said in map(str, warnings):
        whose = re.match(r"too quiet: the (agent|customer|system)'s ", said)
        for beginning, kind in OLD_DOUBTS.items():
            if said.startswith(beginning):
                yield {"kind": kind, "said": said, "role": whose[1] if whose else None}


def to_json(noun: object) -> str:
    """One line of JSON, non-ASCII kept readable."""
    return json.dumps(to_dict(noun), ensure_ascii=False, separators=(",", ":"))


def from_dict(kind: type[T], document: object, *, source: str) -> T:
    """Check a document and build the noun.

    Args:
        kind: The noun expected.
        document: Parsed JSON.
        source: File name or other place, for the message.

    Raises:
        RecordingError: With every problem named by its place in the document.
    """
    if not isinstance(document, dict):
        raise RecordingError(
            f"{source}: expected a JSON object, got {type(document).__name__}", reason="not_transcript"
        )
    expected = schema_of(kind)
    stated = document.get("schema", expected)
    if stated != expected:
        raise RecordingError(
            f"{source}: schema is {stated!r}, expected {expected!r}",
            hint="write it with the matching callqa command, or convert it",
            reason="wrong_schema",
        )
    try:
        body = _complete(kind, {k: v for k, v in document.items() if k != "schema"}, source)
        noun: T = _adapter(kind).validate_python(body)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors()[:8]
        )
        raise RecordingError(f"{source}: not a valid {NOUNS[kind]}: {problems}", reason="invalid") from error
    return noun


def read(kind: type[T], path: Path) -> T:
    """Read one noun from a JSON file.

    Raises:
        RecordingError: The file is not readable JSON of that noun.
    """
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise RecordingError(f"{path}: not readable as JSON: {error}", reason="not_json") from error
    return from_dict(kind, document, source=str(path))
