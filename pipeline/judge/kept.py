"""Answers kept beside the other results of a call, so that nothing is asked twice.

One file a call, ``judge.jsonl`` in its folder of the state directory, a line an answer; what is erased with
the call is erased with it. A line is found by its prompt and model, and holds while the server names the
same model under that name, or cannot be asked.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.rubric.judging import Judged

FILE = "judge.jsonl"
MAX_BYTES = 20_000_000


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer with what it cost; quotes are places in the text as sent."""

    judged: Judged
    seconds: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0


ANSWERED = TypeAdapter(Answered)


def find(folder: Path, key: str, identity: str | None) -> Answered | None:
    """The answer to a prompt, or None.

    Args:
        folder: Of the call's results.
        key: Of the prompt and the model.
        identity: What the server tells of the model; None when it cannot be asked.
    """
    line = _lines(folder / FILE).get(key)
    if line is None or identity not in (None, line.get("identity")):
        return None
    try:
        return ANSWERED.validate_python(line)
    except ValidationError:  # damaged
        return None


def keep(folder: Path, key: str, identity: str, found: Answered) -> None:
    """Add an answer; a disk that refuses it costs another question, not the batch."""
    line = {"key": key, "identity": identity, **asdict(found)}
    with contextlib.suppress(OSError):
        for parent in (folder.parent.parent, folder.parent, folder):
            parent.mkdir(exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(folder / FILE, flags, 0o600), "ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _lines(path: Path) -> dict[str, dict[str, Any]]:
    """The newest line of each key; a damaged line, or a file that is none of ours, counts as none."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    found: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            body = json.loads(line)
            found[body["key"]] = body
        except (ValueError, KeyError, TypeError):
            continue
    return found
