"""The store: calls, answers and the ledger in one DuckDB file or a lake, and the way back to nouns.

``open_store`` opens either as a ``Store``, the whole interface; ``CallFilter`` says which calls. Nothing
else in callqa imports DuckDB.
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
    """The store that a setting names: a DuckDB file's path, or a lake, ``ducklake:…``; a context manager.

    Args:
        db: Path or lake.
        read_only: Read beside other readers; writing then raises.
        lock_timeout_s: How long to wait for another process that holds the file.
        on_wait: Told once, in a sentence, who holds the file when a wait begins.
    """
    kind = LakeStore if str(db).startswith(PREFIX) else Store
    return kind(db, read_only=read_only, lock_timeout_s=lock_timeout_s, on_wait=on_wait)
