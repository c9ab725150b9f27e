"""Keeps the answers to a call's questions with its other results, so that no question is asked twice.

Each call has a file, ``judge.jsonl`` in its folder of the state directory, with one line per answer. It is
erased together with the call. A line is found by a key of prompt and model name, and is valid as long as the
server has the same model under that name, or cannot be asked.
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
class KeptAnswer:
    """An answer and what it cost. Its quotes are places in the text as sent to the model."""

    judged: Judged
    seconds: float = 0.0
    calls: int = 0
    prompt_tokens: int = 0
    answer_tokens: int = 0


KEPT_ANSWER = TypeAdapter(KeptAnswer)


def find(folder: Path, key: str, identity: str | None) -> KeptAnswer | None:
    """The kept answer to a prompt, or None; ``identity`` is None if the server cannot be asked for it."""
    line = _lines(folder / FILE).get(key)
    if line is None or identity not in (None, line.get("identity")):
        return None
    try:
        return KEPT_ANSWER.validate_python(line)
    except ValidationError:  # damaged
        return None


def keep(folder: Path, key: str, identity: str, answer: KeptAnswer) -> None:
    """Add an answer; if it cannot be written, it is not kept and the question is asked again next time."""
    line = {"key": key, "identity": identity, **asdict(answer)}
    with contextlib.suppress(OSError):
        for parent in (folder.parent.parent, folder.parent, folder):
            parent.mkdir(exist_ok=True, mode=0o700)
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        with os.fdopen(os.open(folder / FILE, flags, 0o600), "ab") as file:
            file.write(json.dumps(line, ensure_ascii=False).encode("utf-8", "replace") + b"\n")


def _lines(path: Path) -> dict[str, dict[str, Any]]:
    """The last line of each key; damaged lines, and files that are too large, are ignored."""
    try:
        if path.stat().st_size > MAX_BYTES:
            return {}
        text = path.read_text("utf-8", "replace")
    except OSError:
        return {}
    lines: dict[str, dict[str, Any]] = {}
    for line in text.splitlines():
        try:
            body = json.loads(line)
            lines[body["key"]] = body
        except (ValueError, KeyError, TypeError):
            continue
    return lines
