"""The command line: the only place that prints or exits.

A command parses its options, calls the library and prints the result: data on stdout, messages for people on
stderr. Only ``main`` turns errors into text and an exit code.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
import sys
from typing import Any, NoReturn

import typer

from pipeline.cli.console import complain, discard_results, say_interrupted
from pipeline.errors import FULL, SIGNALS, CallQAError, MachineError, ModelError, UsageError
from pipeline.interpreter import few_collections, no_collection_at_exit

INTERRUPTED, TERMINATED = 130, 143
OUR_PACKAGES = {"pipeline", "flows"}


def main() -> None:
    """Run ``callqa``; every error becomes one message and an exit code."""
    from pipeline.cli.commands import app

    signal.signal(signal.SIGTERM, _interrupt)
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
        signal.signal(signal.SIGINT, _interrupt)
    # A character that the terminal cannot show must not end a batch.
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with few_collections():
            code = app(standalone_mode=False)
            sys.stdout.flush()  # here, where an error is answered
        if code == INTERRUPTED:  # what Typer makes of Ctrl-C
            code = _end_interrupted()
    except CallQAError as error:
        complain(error)
        code = error.exit_code
    except (KeyboardInterrupt, EOFError, typer.Abort):
        code = _end_interrupted()
    except BrokenPipeError:  # `callqa sql … | head` is not a fault
        discard_results()
        code = 0
    except SystemExit as end:
        if not isinstance(end.__context__, BrokenPipeError):  # in place of which Rich raises it
            raise
        code = 0
    except Exception as error:
        code = _complain_of_other(error)
    _end_process(code if isinstance(code, int) else 0)


def _end_process(code: int) -> NoReturn:
    """End the process; skip exit handlers when Prefect's would wait endlessly for a server that is gone."""
    if "flows.launch" in sys.modules and "prefect" in sys.modules:
        from flows.launch import events_are_sent

        if not events_are_sent():
            with contextlib.suppress(OSError):
                sys.stdout.flush()  # nothing is buffered for stderr or the store's files
            os._exit(code)
    no_collection_at_exit()
    sys.exit(code)


def _interrupt(number: int, _frame: Any) -> None:
    """On SIGINT or SIGTERM clean up and end; a second one does not interrupt the cleaning up."""
    SIGNALS.append(number)
    answered: BaseException | None = sys.exception()
    while answered is not None and not isinstance(answered, KeyboardInterrupt):
        answered = answered.__context__
    if answered is None:
        raise KeyboardInterrupt


def _end_interrupted() -> int:
    """Say that the command was interrupted, and ignore further signals; returns the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    say_interrupted()
    return TERMINATED if signal.SIGTERM in SIGNALS else INTERRUPTED


def _complain_of_other(error: Exception) -> int:
    """Print an error that is not callqa's own: a usage error of the option parser, or a bug."""
    show = getattr(error, "show", None)  # click's exceptions print themselves
    if show is not None:
        show()
        return int(getattr(error, "exit_code", 2))
    if os.environ.get("CALLQA_DEBUG"):
        raise error
    if isinstance(error, OSError) and error.errno in FULL:
        discard_results()  # or they would be written again at the end of the process
        what = f"cannot write {error.filename or 'the output'}: {error.strerror}"
        complain(MachineError(what, hint="free some space, then run the same command again"))
        return MachineError.exit_code
    if isinstance(error, PermissionError) and error.filename:
        hint = "check its permissions and those of the folders it is in"
        complain(UsageError(f"cannot open {error.filename}: {error.strerror}", hint=hint))
        return UsageError.exit_code
    package = error.name.split(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else ""
    if package and package not in OUR_PACKAGES:
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
