"""Keeps calls, answers and the ledger in one DuckDB file or in a DuckLake, and reads them back.

``open_store`` opens either kind as a ``Store``, which is the whole interface; a ``CallFilter`` selects
calls. No other package of callqa imports DuckDB.
"""

from __future__ import annotations

from pathlib import Path

from pipeline.store.connection import OnWait
from pipeline.store.lake import PREFIX, LakeStore
from pipeline.store.selection import CallFilter
from pipeline.store.store import Store

__all__ = ["CallFilter", "Store", "open_store"]


def open_store(
    db: str | Path, *, read_only: bool = False, lock_timeout_s: float = 30.0, on_wait: OnWait | None = None
) -> Store:
    """Make the store that the setting ``store.db`` names; it opens when entered as a context manager.

    Args:
        db: Path of a DuckDB file, or a lake as ``ducklake:…``.
        read_only: Allow other readers at the same time; writing then raises.
        lock_timeout_s: How long to wait while another process holds the file.
        on_wait: Called once when a wait begins, with a sentence saying who holds the file.
    """
    kind = LakeStore if str(db).startswith(PREFIX) else Store
    return kind(db, read_only=read_only, lock_timeout_s=lock_timeout_s, on_wait=on_wait)
