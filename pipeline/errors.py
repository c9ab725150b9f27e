"""The faults callqa can report, grouped by who can mend them.

Every error says what happened, where, and what to do next (``hint``). They are raised close to
the cause and turned into text and an exit code in exactly one place, ``pipeline.cli``.
Nothing else may reach a user.
"""

from __future__ import annotations


class CallQAError(Exception):
    """Base of every fault reported to people.

    Attributes:
        message: What happened and where, one sentence, no traceback.
        hint: What to do next, or "" where the message says it all.
        exit_code: What the command exits with when this error ends it.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CallQAError):
    """The command line, a path or a setting is wrong; the person who typed it can mend it."""


class RubricError(CallQAError):
    """A rubric does not say something answerable; its author can mend it."""


class RecordingError(CallQAError):
    """One recording or transcript file is unusable; the batch goes on without it.

    ``reason`` is the short machine-readable word kept in the ledger (``empty``, ``truncated``,
    ``unsupported``, ``not_audio``, ``too_short``, ``silent``, ...).
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", reason: str = "unreadable") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ModelError(CallQAError):
    """Weights or a language model are missing or damaged; whoever installs can mend it."""


class StoreError(CallQAError):
    """The database cannot be used as asked; the data engineer can mend it."""


class StoreLockedError(StoreError):
    """Another process holds the database; waiting or ending that process mends it."""


class MachineError(CallQAError):
    """The machine gave way (disk full, server unreachable); trying again later may work."""
