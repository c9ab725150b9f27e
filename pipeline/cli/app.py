"""The Typer application, to which the modules of this package add their commands.

The modules of this package import only Typer, Rich, ``pipeline.conversation`` and errors at the top. Whatever
loads slowly (settings, stages, the store) is imported inside the command, to keep ``callqa --help`` fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

import pipeline

app = typer.Typer(
    name="callqa",
    help="Recorded calls in, answered QA rubrics with evidence out. Everything stays on this machine.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
    rich_markup_mode="rich",
)


def _version(value: bool) -> None:
    if value:
        typer.echo(f"callqa {pipeline.__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """Recorded calls in, answered QA rubrics with evidence out. Everything stays on this machine."""
