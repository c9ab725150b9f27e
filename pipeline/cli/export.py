"""``callqa export``: write workbooks, packets and other files from the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli import call_options
from pipeline.cli.app import app
from pipeline.cli.console import counted, note
from pipeline.cli.store import ConfigOption, Db, open_store


@app.command()
def export(
    dest: Annotated[Path, typer.Argument(help="File or folder to write.")],
    format_: Annotated[
        str | None,
        typer.Option(
            "--format",
            "-f",
            help="xlsx, html, csv, jsonl, parquet, or another of docs/review.md; default: by the ending.",
        ),
    ] = None,
    db: Db = None,
    config: ConfigOption = None,
    since: call_options.Since = None,
    until: call_options.Until = None,
    client: call_options.Client = None,
    site: call_options.Site = None,
    team: call_options.Team = None,
    queue: call_options.Queue = None,
    agent: call_options.Agent = None,
    direction: call_options.Direction = None,
    outcome: call_options.Outcome = None,
    rubric: call_options.Rubric = None,
    call: call_options.Call = None,
    client_safe: Annotated[
        bool, typer.Option("--client-safe", help="Hide agents' names; with --client and --rubric.")
    ] = False,
    packet: Annotated[
        str, typer.Option(help="For xlsx: packet page, relative to the workbook, that times link into.")
    ] = "",
    audio: Annotated[bool, typer.Option(help="Put recordings, private data silenced, into packets.")] = True,
) -> None:
    """Write a workbook, a review packet, or files for other systems.

    Example: callqa export review.xlsx --client acme --since 2026-11-01
    """
    from pipeline import export as exports
    from pipeline.settings import load_settings

    format_ = format_ or exports.format_of(dest)
    filters = call_options.chosen(
        since=since, until=until, client=client, site=site, team=team, queue=queue, agent=agent,
        direction=direction, outcome=outcome, rubric=rubric, call=call,
    )  # fmt: skip
    with open_store(db, config) as store, counted("calls") as progress:
        call_options.tell_of_unknown(store, filters)
        written = exports.write(
            store, dest, format_, filters, privacy=load_settings(config).privacy, client_safe=client_safe,
            audio=audio, packet_link=packet, progress=progress,
        )  # fmt: skip
    for path in written:
        typer.echo(path)
    note(f"{len(written)} file{'s' if len(written) != 1 else ''} written")
