"""Messages for people: on stderr, coloured where the terminal can show colours."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.text import Text

from pipeline.errors import CallQAError

Item = TypeVar("Item")


def complain(error: CallQAError) -> None:
    """Print one error and its hint, unwrapped so that logs and pipes keep whole lines."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text.assemble(("hint:  ", "bold cyan"), error.hint))


def note(text: str) -> None:
    """Print a message that is not data."""
    Console(stderr=True, soft_wrap=True).print(Text(text))


@contextlib.contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A progress bar on a terminal; yields a function to call with how many of how many items are done."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def waited_for(what: str, items: Iterable[Item]) -> Iterator[Item]:
    """Yield the items, showing on a terminal that the next one is computed."""
    status = Console(stderr=True).status(what)
    with status:
        for item in items:
            status.stop()  # whoever takes the item prints it
            yield item
            status.start()


def discard_results() -> None:
    """Write nothing more to stdout, whose reader is gone or whose disk is full."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say_interrupted() -> None:
    """Print that nothing finished was lost by the interruption."""
    sys.stderr.write("interrupted: what was finished is kept; run the same command again to go on\n")
