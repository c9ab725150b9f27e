"""Retention and erasure: what a call leaves behind when it is purged."""

from __future__ import annotations

import hashlib

PURGED_PREFIX = "sha256:"


def path_hash(path: str) -> str:
    """How the ledger remembers the path of an erased file, whose name may itself be private."""
    if path.startswith(PURGED_PREFIX):
        return path
    return PURGED_PREFIX + hashlib.sha256(path.encode("utf-8", "backslashreplace")).hexdigest()
