"""How the command line speaks to people: on stderr, coloured where the terminal can."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from pipeline.errors import CallQAError

Item = TypeVar("Item")


def complain(error: CallQAError) -> None:
    """Print one error and its hint; plain text, so that it survives logs and pipes."""
    console = Console(stderr=True, soft_wrap=True)
    console.print(Text.assemble(("error: ", "bold red"), error.message))
    if error.hint:
        console.print(Text.assemble(("hint:  ", "bold cyan"), error.hint))


def note(text: str) -> None:
    """Tell people something that is not data."""
    Console(stderr=True, soft_wrap=True).print(Text(text))


@contextlib.contextmanager
def counted(what: str) -> Iterator[Callable[[int, int], None]]:
    """A bar for work on so many of so many, gone when done; silent where stderr is no terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    console = Console(stderr=True)
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def waited_for(what: str, items: Iterable[Item]) -> Iterator[Item]:
    """Items as they come, with a running clock while the next is waited for; silent where no terminal is."""
    console, coming = Console(stderr=True), iter(items)
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    while True:
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as clock:
            clock.add_task(what, total=None)
            try:
                item = next(coming)
            except StopIteration:
                return
        yield item


def say_interrupted() -> None:
    """Say that Ctrl-C lost nothing."""
    sys.stderr.write("interrupted: what was finished is kept; run the same command again to go on\n")
