"""``callqa sql`` without a query: a prompt with history, or harlequin where it is installed."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cli.console import complain, note
from pipeline.cli.query_output import print_table
from pipeline.errors import StoreError

if TYPE_CHECKING:
    from pipeline.store.sandbox import Sandbox

HELP = (
    "end a query with ; — SHOW TABLES; and DESCRIBE v_scorecards; list what there is — exit or Ctrl-D leaves"
)
LEAVE = {"exit", "quit", ".exit", ".quit", "\\q"}


def hand_over(db: str) -> None:
    """Replace this process by harlequin, read-only, if it is installed and the database is a file."""
    program = shutil.which("harlequin")
    if program is not None and not db.startswith("ducklake:"):
        os.execv(program, [program, "--read-only", db])  # noqa: S606  (no shell: the path is one argument)


def converse(sandbox: Sandbox, read: Callable[[str], str] = input) -> None:
    """Read queries and print their answers until the input ends; a wrong query only prints an error.

    ``read`` prints a prompt and returns one line, or raises EOFError at the end.
    """
    note(HELP)
    _keep_history()
    lines: list[str] = []
    while True:
        try:
            lines.append(read("     > " if lines else "callqa> "))
        except EOFError:
            note("")
            break
        except KeyboardInterrupt:  # the query typed so far is dropped
            note("")
            lines = []
            continue
        query = "\n".join(lines).strip()
        if query.rstrip("; ").lower() in LEAVE:
            break
        if not query.rstrip().endswith(";") and query:
            continue
        lines = []
        if query.strip("; \n"):
            try:
                print_table(sandbox.ask(query))
            except StoreError as error:
                complain(error)
            except KeyboardInterrupt:
                note("stopped")


def _keep_history() -> None:
    """Keep the prompt's history in a file that only its owner can read: queries may name customers."""
    try:
        import readline
    except ImportError:  # Windows
        return
    if not sys.stdin.isatty():
        return
    import atexit

    state = Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "callqa"
    history = state / "sql_history"
    try:
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        history.touch(mode=0o600)
        readline.read_history_file(history)
    except OSError:  # no home folder to write to
        return
    readline.set_history_length(1000)
    atexit.register(readline.write_history_file, history)
