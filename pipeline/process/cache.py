"""Keeps transcripts between runs as ``<state>/calls/<call_id>/<stage>-<fingerprint>.json``.

A transcript is the costly part of a call, so it is written as soon as it is redacted: a process killed after
that loses nothing, and a new rubric or annotator needs no new transcript. A file is written under a temporary
name and renamed, so that a reader sees a whole file or none. Only the owner can read the folder.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
import re
import shutil
import uuid
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline import contract
from pipeline.conversation import Transcript
from pipeline.errors import FULL, MachineError, RecordingError

if TYPE_CHECKING:
    from pipeline.store import Store

_PLAIN_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


def folder_name(call_id: str) -> str:
    """A safe folder name for a call id: the id itself when it is plain, else a digest of it."""
    if _PLAIN_ID.fullmatch(call_id):
        return call_id
    return "id-" + hashlib.sha256(call_id.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def given_id(call_id: str) -> str:
    """The call id a recording came with; the store adds ``~`` and a digest when another one had it before."""
    return re.sub(r"~[0-9a-f]{8}$", "", call_id)


class StageCache:
    """The transcripts kept in one state folder, which is created when missing."""

    def __init__(self, state_dir: Path) -> None:
        self.state_dir = state_dir.absolute()
        self.calls_dir = self.state_dir / "calls"

    def own_id(self) -> str | None:
        """The id that the state folder has; None where it has none, or cannot be read."""
        try:
            return (self.state_dir / "id").read_text("utf-8")
        except OSError:
            return None

    def register(self, store: Store) -> None:
        """Have the store remember the state folder, and delete here what was erased since it was last used.

        Raises:
            MachineError: The folder is not writable.
        """
        from pipeline.store.erase import StateFolder  # not at the top: workers need no database

        try:
            if self.own_id() is None:
                self.state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
                write_private(self.state_dir / "id", uuid.uuid4().hex)
        except OSError as error:
            raise disk_fault(self.state_dir / "id", error) from error
        folder = StateFolder(self.own_id() or "", platform.node(), str(self.state_dir))
        store.use_state_folder(folder, self.forget)

    def all_of(self, store: Store) -> tuple[list[StageCache], list[str]]:
        """This cache with those of all other folders that the store remembers and this machine has.

        Returns:
            The caches, and for each folder that is not here a sentence that says where it is.
        """
        caches, here, away = {self.state_dir: self}, {self.own_id()}, []
        for folder in store.state_folders():
            other = StageCache(Path(folder.path))
            found = other.own_id()
            if found is not None and (found == folder.folder_id or folder.host == platform.node()):
                caches[other.state_dir] = other
            elif folder.folder_id not in here:
                away.append(f"{folder.path} on {folder.host}")
        return list(caches.values()), away

    def folder(self, call_id: str) -> Path:
        """The folder of everything kept of a call; it need not be there."""
        return self.calls_dir / folder_name(call_id)

    def _path(self, call_id: str, stage: str, fingerprint: str) -> Path:
        return self.folder(call_id) / f"{stage}-{fingerprint[:16]}.json"

    def read_transcript(self, call_id: str, fingerprint: str, stage: str = "transcribe") -> Transcript | None:
        """The transcript that a stage made under this fingerprint; None when missing or damaged."""
        path = self._path(call_id, stage, fingerprint)
        if not path.is_file():
            return None
        try:
            return replace(contract.read(Transcript, path), call_id=call_id)
        except RecordingError:
            return None

    def write_transcript(self, transcript: Transcript, fingerprint: str, stage: str = "transcribe") -> None:
        """Write a stage's transcript and delete those of the same call and stage under other fingerprints.

        Raises:
            MachineError: The disk is full or not writable.
        """
        path = self._path(transcript.call_id, stage, fingerprint)
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

    def rename(self, call_id: str, new_id: str) -> None:
        """Move the files kept of a call to its new id; if the new id already has files, delete them instead.

        Raises:
            MachineError: The folder is not writable.
        """
        folder, renamed = self.folder(call_id), self.folder(new_id)
        if renamed.exists():
            self.erase(call_id)
        elif folder.is_dir():
            try:
                folder.rename(renamed)
            except OSError as error:
                raise disk_fault(renamed, error) from error

    def erase(self, call_id: str) -> bool:
        """Delete everything kept of a call, by its id in the store; returns whether there was anything.

        Where two recordings came with one id, it is deleted for both: then one is transcribed again.
        """
        folder = self.folder(given_id(call_id))
        if not folder.is_dir():
            return False
        shutil.rmtree(folder)
        return True

    def forget(self, call_ids: Collection[str]) -> int:
        """Erase all that is kept of calls, with their ids in run summaries; returns how many had any.

        The calls are given by their ids, or by the digests that the ledger has of the ids of erased calls.

        Raises:
            MachineError: Something cannot be deleted.
        """
        from pipeline.store.erase import ERASED_PREFIX, digest  # not at the top: workers need no database

        gone = {digest(name) for call_id in call_ids for name in (call_id, given_id(call_id))}
        named = {folder_name(given_id(call_id)) for call_id in call_ids}
        named |= {f"id-{name.removeprefix(ERASED_PREFIX)[:40]}" for name in gone}
        try:
            kept_of = self.calls_dir.iterdir() if self.calls_dir.is_dir() else ()
            folders = [at for at in kept_of if at.name in named or digest(at.name) in gone]
            for folder in folders:  # first: these hold the words
                shutil.rmtree(folder)
            for path in self.calls_dir.with_name("runs").glob("*.json") if gone else ():
                summary = json.loads(path.read_text("utf-8"))
                kept = [item for item in summary["lowest"] if digest(item["call_id"]) not in gone]
                if len(kept) < len(summary["lowest"]):
                    write_private(path, json.dumps(summary | {"lowest": kept}, indent=1) + "\n")
        except OSError as error:
            raise disk_fault(self.calls_dir, error) from error
        return len(folders)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read; it appears only when it is complete."""
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
    """Turn a failed write into an error with advice for the person who runs the batch."""
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
