"""The command line: the only place that prints or exits.

A command parses, calls the library, and renders; stdout is data, stderr is people. ``main`` is
the one place where an error becomes text and an exit code.
"""

from __future__ import annotations

import os
import sys

from pipeline.cli.console import complain, say_interrupted
from pipeline.errors import CallQAError


def main() -> None:
    """Run ``callqa``; every fault leaves as one message and an exit code."""
    from pipeline.cli.commands import app

    try:
        code = app(standalone_mode=False)
    except CallQAError as error:
        complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, EOFError):
        say_interrupted()
        code = 130
    except BrokenPipeError:  # `callqa sql … | head` is not a fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _other(error)
    sys.exit(code if isinstance(code, int) else 0)


def _other(error: Exception) -> int:
    """Usage errors of the option parser, and bugs of ours."""
    show = getattr(error, "show", None)  # click's own exceptions know how to print themselves
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if type(error).__name__ == "Abort":  # what the option parser makes of Ctrl-C
        say_interrupted()
        return 130
    if type(error).__name__ == "Exit":
        return int(getattr(error, "exit_code", 0))
    if os.environ.get("CALLQA_DEBUG"):
        raise error
    complain(
        CallQAError(
            f"internal error: {type(error).__name__}: {error}",
            hint="this is a bug in callqa; run again with CALLQA_DEBUG=1 and report what it prints",
        )
    )
    return 1
