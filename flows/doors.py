"""How a run finds the Prefect server that an earlier run left, or that ``callqa serve`` keeps.

Every server of ours listens at a socket in a folder that only its user can open. Whoever connects is
told address and password, which are written nowhere, and is a guest until it hangs up: the server does
not leave before its guests, and a killed guest hangs up too. Standard library only, as the parent half
of ``server.py`` is.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib.metadata
import json
import os
import socket
import stat
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ANSWER_TIMEOUT_S = 2.0
STAY = b"stay\n"


def folder() -> Path:
    """Where this user's servers are found; short, because a socket's path is limited to 100 bytes."""
    place = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(place) / f"callqa-{os.getuid()}"


def door(home: Path) -> Path:
    """The socket of the server whose ``PREFECT_HOME`` this is."""
    return folder() / f"{hashlib.sha256(os.fsencode(home)).hexdigest()[:16]}.sock"


def make_folder() -> None:
    """Make the folder of doors.

    Raises:
        OSError: It cannot be made, or somebody else has made it.
    """
    folder().mkdir(mode=0o700, exist_ok=True)
    if not _is_ours():
        raise PermissionError(f"{folder()} is not this user's own")


def enter(home: Path) -> tuple[socket.socket, dict[str, Any]] | None:
    """Become a guest of the server of a home; hang up when done.

    Returns:
        The connection and what the server tells, or None when there is none of the installed Prefect.
    """
    found = _ask(door(home))
    if found is None:
        return None
    guest, told = found
    if told.get("made_by") != made_by():
        guest.close()
        return None
    with contextlib.suppress(OSError):
        guest.sendall(STAY)
    return found


def known() -> Iterator[dict[str, Any]]:
    """What each running server of this user tells; doors of those that were killed are removed."""
    for path in sorted(folder().glob("*.sock")) if hasattr(socket, "AF_UNIX") else ():
        found = _ask(path)
        if found is None:
            path.unlink(missing_ok=True)
            continue
        found[0].close()
        yield found[1]


def made_by() -> str:
    """The installation a server is of: after an upgrade, a run has no use for the server of before."""
    return f"prefect {importlib.metadata.version('prefect')} in {sys.prefix}"


def _ask(path: Path) -> tuple[socket.socket, dict[str, Any]] | None:
    if not hasattr(socket, "AF_UNIX") or not path.exists() or not _is_ours():
        return None
    guest = socket.socket(socket.AF_UNIX)
    guest.settimeout(ANSWER_TIMEOUT_S)
    try:
        guest.connect(str(path))
        told = json.loads(guest.makefile("rb").readline())
    except (OSError, ValueError):
        guest.close()
        return None
    return guest, told


def _is_ours() -> bool:
    """Nobody else may put a server of theirs in our way."""
    with contextlib.suppress(OSError):
        found = folder().lstat()
        return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o077
    return False
