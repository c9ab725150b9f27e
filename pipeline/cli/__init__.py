"""The command line: the only place that prints or exits.

A command parses, calls the library, and renders; stdout is data, stderr is people. ``main`` is
the one place where an error becomes text and an exit code.
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any, NoReturn

import typer

from pipeline.cli.console import complain, say_interrupted
from pipeline.errors import CallQAError, ModelError
from pipeline.interpreter import few_collections, no_collection_at_exit

INTERRUPTED, TERMINATED = 130, 143
OURS = {"pipeline", "flows"}


def main() -> None:
    """Run ``callqa``; every fault leaves as one message and an exit code."""
    from pipeline.cli.commands import app

    signal.signal(signal.SIGTERM, _terminate)
    try:
        with few_collections():
            code = app(standalone_mode=False)
        if code == INTERRUPTED:  # what Typer makes of Ctrl-C
            say_interrupted()
    except CallQAError as error:
        complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, EOFError, typer.Abort):
        say_interrupted()
        code = INTERRUPTED
    except BrokenPipeError:  # `callqa sql … | head` is not a fault
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 0
    except Exception as error:
        code = _other(error)
    if code == INTERRUPTED and _terminations:
        code = TERMINATED
    _leave(code if isinstance(code, int) else 0)


def _leave(code: int) -> NoReturn:
    """End the process; at once where Prefect, which knows no limit, would wait for a server that is gone."""
    if "flows.launch" in sys.modules and "prefect" in sys.modules:
        from flows.launch import events_are_sent

        if not events_are_sent():
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)
    no_collection_at_exit()
    sys.exit(code)


_terminations: list[int] = []


def _terminate(number: int, _frame: Any) -> None:
    """SIGTERM ends a command as Ctrl-C does, in order; a second one does not disturb that."""
    _terminations.append(number)
    if len(_terminations) == 1:
        raise KeyboardInterrupt


def _other(error: Exception) -> int:
    """Usage errors of the option parser, and bugs of ours."""
    show = getattr(error, "show", None)  # click's own exceptions know how to print themselves
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if os.environ.get("CALLQA_DEBUG"):
        raise error
    if isinstance(error, ModuleNotFoundError) and error.name and error.name.split(".")[0] not in OURS:
        package = error.name.split(".")[0]
        complain(
            ModelError(
                f"the Python package {package!r} is not installed, and this command needs it",
                hint="pip install callqa brings what is missing",
            )
        )
        return ModelError.exit_code
    complain(
        CallQAError(
            f"internal error: {type(error).__name__}: {error}",
            hint="this is a bug in callqa; run again with CALLQA_DEBUG=1 and report what it prints",
        )
    )
    return 1
