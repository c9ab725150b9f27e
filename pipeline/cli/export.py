"""``callqa export``: workbooks, packets and files out of the store."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.app import app

DAY = ["%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"]


@app.command()
def export(
    dest: Annotated[Path, typer.Argument(help="File or folder to write.")],
    format: Annotated[str, typer.Option("--format", "-f", help="xlsx, html, csv or jsonl.")] = "xlsx",  # noqa: A002
    db: Annotated[Path | None, typer.Option(help="DuckDB file.")] = None,
    since: Annotated[dt.datetime | None, typer.Option(formats=DAY, help="First day or time (UTC).")] = None,
    until: Annotated[
        dt.datetime | None, typer.Option(formats=DAY, help="First day or time left out (UTC).")
    ] = None,
    client: Annotated[str | None, typer.Option(help="Only this client.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team.")] = None,
    queue: Annotated[str | None, typer.Option(help="Only this queue.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent id.")] = None,
    outcome: Annotated[str | None, typer.Option(help="pass, fail, needs_review or not_scored.")] = None,
    rubric: Annotated[str | None, typer.Option(help="Only scorecards of this rubric.")] = None,
    call: Annotated[list[str] | None, typer.Option(help="Only this call; repeat for more.")] = None,
    config: Annotated[Path | None, typer.Option(help="Settings file.")] = None,
) -> None:
    """Write a workbook, a packet or files for other systems."""
    from pipeline import export as exports
    from pipeline.cli.console import note
    from pipeline.settings import load_settings
    from pipeline.store import CallFilter, Store

    settings = load_settings(config, store={"db": str(db) if db else None})
    filters = CallFilter(
        since=since.replace(tzinfo=dt.UTC) if since else None,
        until=until.replace(tzinfo=dt.UTC) if until else None,
        client=client,
        team=team,
        queue=queue,
        agent_id=agent,
        outcome=outcome,
        rubric=rubric,
        call_ids=tuple(call) if call else None,
    )
    with Store(settings.store.db, read_only=True, lock_timeout_s=settings.store.lock_timeout_s) as store:
        written = exports.write(store, dest, format, filters)  # type: ignore[arg-type]
    for path in written:
        typer.echo(path)
    note(f"{len(written)} file{'s' if len(written) != 1 else ''} written")
