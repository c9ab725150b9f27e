"""Answers kept beside the other results of a call, so that nothing is asked twice.

One file a call, ``judge.jsonl`` in its folder of the state directory, a line an answer; what is erased with
the call is erased with it. A line is found by its prompt and model, and holds while the server names the
same model under that name, or cannot be asked.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from pipeline.rubric.judging import Judged

FolderOf = Callable[[str], Path]
"""The folder of a call's results, by call id."""
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


class Kept:
    """The answers of the calls of one state directory.

    Args:
        folder_of: None keeps nothing.
    """

    def __init__(self, folder_of: FolderOf | None) -> None:
        self._folder_of = folder_of

    def find(self, call_id: str, key: str, identity: str | None) -> Answered | None:
        """The answer to a prompt, or None.

        Args:
            call_id: Of the call.
            key: Of the prompt and the model.
            identity: What the server tells of the model; None when it cannot be asked.
        """
        if self._folder_of is None:
            return None
        line = _lines(self._folder_of(call_id) / "judge.jsonl").get(key)
        if line is None or identity not in (None, line.get("identity")):
            return None
        try:
            return ANSWERED.validate_python(line)
        except ValidationError:  # damaged
            return None

    def keep(self, call_id: str, key: str, identity: str, found: Answered) -> None:
        """Add an answer; a disk that refuses it costs another question, not the batch."""
        if self._folder_of is None:
            return
        line = {"key": key, "identity": identity, **asdict(found)}
        folder = self._folder_of(call_id)
        with contextlib.suppress(OSError):
            for parent in (folder.parent.parent, folder.parent, folder):
                parent.mkdir(exist_ok=True, mode=0o700)
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
            with os.fdopen(os.open(folder / "judge.jsonl", flags, 0o600), "ab") as file:
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
