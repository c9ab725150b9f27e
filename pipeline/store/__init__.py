"""The store: calls, answers and the ledger in one DuckDB file, and the way back to nouns.

``Store`` is the whole interface; ``CallFilter`` says which calls. Nothing else in callqa
imports DuckDB.
"""

from pipeline.store.selection import CallFilter
from pipeline.store.store import Store

__all__ = ["CallFilter", "Store"]
