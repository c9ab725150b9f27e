"""A batch prepared in this process, so that ``callqa run`` need not look at every file twice.

In a module of its own because a flow travels to worker processes with the names it uses, and a
context variable cannot travel.
"""

from __future__ import annotations

from contextvars import ContextVar

from pipeline.process.batch import Batch

batch: ContextVar[Batch | None] = ContextVar("batch", default=None)
