"""``callqa export``: workbooks, packets and files out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import choice
from pipeline.cli.app import app
from pipeline.cli.console import note
from pipeline.cli.store import Db, open_store


@app.command()
def export(
    dest: Annotated[Path, typer.Argument(help="File or folder to write.")],
    format: Annotated[str, typer.Option("--format", "-f", help="xlsx, html, csv or jsonl.")] = "xlsx",  # noqa: A002
    db: Db = None,
    since: choice.Since = None,
    until: choice.Until = None,
    client: choice.Client = None,
    site: choice.Site = None,
    team: choice.Team = None,
    queue: choice.Queue = None,
    agent: choice.Agent = None,
    direction: choice.Direction = None,
    outcome: choice.Outcome = None,
    rubric: choice.Rubric = None,
    call: choice.Call = None,
) -> None:
    """Write a workbook, a review packet, or files for other systems.

    Example: callqa export review.xlsx --client acme --since 2026-11-01
    """
    from pipeline import export as exports

    filters = choice.chosen(
        since=since, until=until, client=client, site=site, team=team, queue=queue, agent=agent,
        direction=direction, outcome=outcome, rubric=rubric, call=call,
    )  # fmt: skip
    with open_store(db) as store:
        written = exports.write(store, dest, format, filters)
    for path in written:
        typer.echo(path)
    note(f"{len(written)} file{'s' if len(written) != 1 else ''} written")
