"""The public JSON form of the classes of ``pipeline.conversation``: writes it, and reads it with checks.

Every document carries ``"schema": "callqa.<noun>/1"``, for example ``callqa.transcript/1``. Writing never
drops a field. Reading accepts a document without ``schema``, ``words``, ``confidence``, ``channel`` or
``doubts`` and ignores unknown keys (other recognisers write their own), but it requires ``turns``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from pipeline.conversation import CallMetadata, Conversation, Scorecard, Transcript
from pipeline.errors import RecordingError

T = TypeVar("T")
NOUNS: dict[type, str] = {
    Transcript: "transcript",
    Conversation: "conversation",
    Scorecard: "scorecard",
    CallMetadata: "metadata",
}
"""The name of each class in ``schema``."""
_ADAPTERS: dict[type, TypeAdapter[Any]] = {}


def _adapter(kind: type) -> TypeAdapter[Any]:
    """The pydantic adapter of a class, built once, because building it takes milliseconds."""
    if kind not in _ADAPTERS:
        _ADAPTERS[kind] = TypeAdapter(kind)
    return _ADAPTERS[kind]


def schema_of(kind: type) -> str:
    """The value of ``schema`` in documents of a class."""
    return f"callqa.{NOUNS[kind]}/1"


def to_dict(noun: object) -> dict[str, Any]:
    """An object as a JSON-ready dict that begins with ``schema``."""
    body = _adapter(type(noun)).dump_python(noun, mode="json")
    if isinstance(noun, Conversation):  # the fields of its transcript stand beside its own
        transcript, warnings = body.pop("transcript"), body.pop("warnings")
        body = {**transcript, **body, "annotation_warnings": warnings}
    return {"schema": schema_of(type(noun)), **body}


def _fill_in(kind: type, body: dict[str, Any], source: str) -> dict[str, Any]:
    """Fill in what a document may leave out: turn numbers, the call id (from the file name) and doubts."""
    if kind is Conversation and "transcript" not in body:
        annotations: dict[str, Any] = {k: body[k] for k in ("findings", "metrics", "sentiment") if k in body}
        transcript = _fill_in(Transcript, body, source)
        return {"transcript": transcript, "warnings": body.get("annotation_warnings", ()), **annotations}
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
"""The kind of doubt by the beginning of its warning, for documents written before there were doubts."""


def _doubts_among(warnings: Iterable[object]) -> Iterator[dict[str, Any]]:
    for warning in map(str, warnings):
        role = re.match(r"too quiet: the (agent|customer|system)'s ", warning)
        for beginning, kind in OLD_DOUBTS.items():
            if warning.startswith(beginning):
                yield {"kind": kind, "said": warning, "role": role[1] if role else None}


def to_json(noun: object) -> str:
    """An object as one line of JSON; characters outside ASCII are not escaped."""
    return json.dumps(to_dict(noun), ensure_ascii=False, separators=(",", ":"))


def from_dict(kind: type[T], document: object, *, source: str) -> T:
    """Check parsed JSON and build the object; ``source`` is for messages, and gives the default call id.

    Raises:
        RecordingError: The document is wrong; the message names up to eight problems with their places.
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
        body = _fill_in(kind, {k: v for k, v in document.items() if k != "schema"}, source)
        noun: T = _adapter(kind).validate_python(body)
    except ValidationError as error:
        problems = "; ".join(
            f"{'.'.join(map(str, e['loc'])) or 'document'}: {e['msg']}" for e in error.errors()[:8]
        )
        raise RecordingError(f"{source}: not a valid {NOUNS[kind]}: {problems}", reason="invalid") from error
    return noun


def read(kind: type[T], path: Path) -> T:
    """Read one object from a JSON file.

    Raises:
        RecordingError: The file is not readable JSON of that class.
    """
    try:
        document = json.loads(path.read_text("utf-8-sig"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise RecordingError(f"{path}: not readable as JSON: {error}", reason="not_json") from error
    return from_dict(kind, document, source=str(path))
