"""Stage results on disk: ``<state>/<call_id>/<stage>-<fingerprint>.json``, private and atomic.

A transcript is the costly part of a call, so it is kept the moment it exists: a kill after that
costs nothing, and a new rubric or annotator starts from here. Files are written beside their
place and renamed, so a reader sees a whole result or none; the folder is for its owner only.
What is written has been redacted already.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import shutil
from pathlib import Path

from pipeline import contract
from pipeline.conversation import Transcript
from pipeline.errors import MachineError, RecordingError

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def folder_name(call_id: str) -> str:
    """A folder name for a call id from a stranger: itself when plain, else a digest of it."""
    if _PLAIN_ID.fullmatch(call_id):
        return call_id
    return "id-" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:40]


class StageCache:
    """The stage results of one state folder.

    Args:
        state_dir: Where they are kept; made when missing.
    """

    def __init__(self, state_dir: Path) -> None:
        self.calls_dir = state_dir / "calls"

    def path(self, call_id: str, stage: str, fingerprint: str) -> Path:
        """Where one stage's result of one call is kept."""
        return self.calls_dir / folder_name(call_id) / f"{stage}-{fingerprint[:16]}.json"

    def read_transcript(self, call_id: str, fingerprint: str, stage: str = "transcribe") -> Transcript | None:
        """The transcript a stage made under this fingerprint, or None; a damaged file counts as none."""
        path = self.path(call_id, stage, fingerprint)
        if not path.is_file():
            return None
        try:
            return contract.read(Transcript, path)
        except RecordingError:
            return None

    def write_transcript(self, transcript: Transcript, fingerprint: str, stage: str = "transcribe") -> None:
        """Keep a stage's transcript; older fingerprints of the same call and stage are dropped.

        Raises:
            MachineError: The disk is full or not writable.
        """
        path = self.path(transcript.call_id, stage, fingerprint)
        try:
            self.calls_dir.parent.parent.mkdir(parents=True, exist_ok=True)
            for folder in (self.calls_dir.parent, self.calls_dir, path.parent):
                folder.mkdir(exist_ok=True, mode=0o700)
            write_private(path, contract.to_json(transcript) + "\n")
        except OSError as error:
            raise disk_fault(path, error) from error
        for older in path.parent.glob(f"{stage}-*.json"):
            if older != path:
                older.unlink(missing_ok=True)

    def erase(self, call_id: str) -> bool:
        """Remove everything kept of a call; True when there was anything."""
        folder = self.calls_dir / folder_name(call_id)
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink()
        raise


def disk_fault(path: Path, error: OSError) -> MachineError:
    """Say what a failed write means to the person who runs the batch."""
    if error.errno in FULL:
        return MachineError(
            f"the disk is full: {path.parent} cannot take more",
            hint="free some space and run again; everything finished so far is kept",
        )
    return MachineError(
        f"cannot write {path.parent}: {error.strerror or error}",
        hint="check its permissions, or give another place with [flow] state_dir",
    )


def digest(*parts: object) -> str:
    """Hex SHA-256 of the canonical JSON of the parts."""
    body = json.dumps(parts, sort_keys=True, separators=(",", ":"), default=str)
    return hashlib.sha256(body.encode("utf-8", "surrogatepass")).hexdigest()
