"""The prompt of ``callqa sql`` without a query."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
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


def converse(sandbox: Sandbox, read: Callable[[str], str] = input) -> None:
    """Read queries and print their answers until the input ends; a wrong query only prints an error.

    ``read`` prints a prompt and returns one line, or raises EOFError at the end. Earlier lines can be called
    back, but are not kept on disk, because queries may name customers.
    """
    with contextlib.suppress(ImportError):  # Windows
        import readline  # noqa: F401 - gives ``input`` editing and history
    note(HELP)
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
