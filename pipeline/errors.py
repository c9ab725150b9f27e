"""The errors that callqa reports to users, grouped by who can fix them.

Every error says what happened, where, and what to do next (``hint``). It is raised close to the cause, and
only ``pipeline.cli`` turns it into text and an exit code. No other exception may reach a user.
"""

from __future__ import annotations

import errno

FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""The numbers of an ``OSError`` that mean a full disk."""
SIGNALS: list[int] = []
"""The signals by which this process was asked to end. Only the command line adds to them."""


def raise_if_interrupted() -> None:
    """Raise KeyboardInterrupt where this process was asked to end: libraries may swallow the first one."""
    if SIGNALS:
        raise KeyboardInterrupt


class CallQAError(Exception):
    """Base class of every error reported to users.

    Attributes:
        message: What happened and where, in one sentence, without a traceback.
        hint: What to do next, or "" where the message says enough.
        exit_code: Exit code of the command that this error ends.
    """

    exit_code = 2

    def __init__(self, message: str, *, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(CallQAError):
    """The command line, a path or a setting is wrong; the person who typed it can fix it."""


class RubricError(CallQAError):
    """A rubric is wrong or cannot be answered; its author can fix it."""


class RecordingError(CallQAError):
    """One recording or transcript file is unusable; the batch goes on without it.

    ``reason`` is a short word for programs that is kept in the ledger (``empty``, ``truncated``,
    ``unsupported``, ``not_audio``, ``too_short``, ``silent``, ...).
    """

    exit_code = 3

    def __init__(self, message: str, *, hint: str = "", reason: str = "unreadable") -> None:
        super().__init__(message, hint=hint)
        self.reason = reason


class ModelError(CallQAError):
    """Model weights or a language model are missing or damaged; whoever installs callqa can fix it."""


class StoreError(CallQAError):
    """The database cannot be used as asked; the data engineer can fix it."""


class StoreLockedError(StoreError):
    """Another process holds the database; wait for that process or end it."""


class MachineError(CallQAError):
    """The machine failed (disk full, server unreachable); trying again later may work."""
