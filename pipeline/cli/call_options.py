"""Options that select calls, shared by export, review, calibrate and rescore."""

from __future__ import annotations

import contextlib
import datetime as dt
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from pipeline import conversation
from pipeline.cli.console import note
from pipeline.errors import UsageError
from pipeline.known_names import did_you_mean

if TYPE_CHECKING:
    from pipeline.store import CallFilter, Store


def _moment(text: str) -> dt.datetime:
    """A day or time as typed."""
    for form in ("%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S"):
        with contextlib.suppress(ValueError):
            return dt.datetime.strptime(text, form)  # noqa: DTZ007 - on the site's clock
    raise UsageError(f"there is no day or time {text}", hint="write it as 2026-11-30 or 2026-11-30T08:00")


def _known(param: typer.CallbackParam, value: str | None) -> str | None:
    """Refuse a word that can never match."""
    words = get_args(conversation.Outcome if param.name == "outcome" else conversation.Direction)
    if value is not None and value not in words:
        raise UsageError(f"no {param.name} {value!r}; {did_you_mean(value, words)}")
    return value


Since = Annotated[
    dt.datetime | None,
    typer.Option(parser=_moment, help="First day or time, on the site's clock.", metavar="DAY"),
]
Until = Annotated[
    dt.datetime | None,
    typer.Option(parser=_moment, help="First day or time left out, likewise.", metavar="DAY"),
]
Client = Annotated[str | None, typer.Option(help="Only this client.")]
Site = Annotated[str | None, typer.Option(help="Only this site.")]
Team = Annotated[str | None, typer.Option(help="Only this team.")]
Queue = Annotated[str | None, typer.Option(help="Only this queue.")]
Agent = Annotated[str | None, typer.Option(help="Only this agent id.")]
Direction = Annotated[str | None, typer.Option(help="inbound, outbound or internal.", callback=_known)]
Outcome = Annotated[str | None, typer.Option(help="pass, fail, needs_review or not_scored.", callback=_known)]
Rubric = Annotated[str | None, typer.Option(help="Only scorecards of this rubric.")]
Call = Annotated[list[str] | None, typer.Option(help="Only this call; repeat for more.")]


def chosen(
    *,
    since: dt.datetime | None = None,
    until: dt.datetime | None = None,
    call: list[str] | None = None,
    agent: str | None = None,
    **fields: str | None,
) -> CallFilter:
    """The filter that these options describe; days begin at each site's own midnight."""
    from pipeline.store import CallFilter

    if since is not None and until is not None and since >= until:
        raise UsageError(
            f"--since {since} is not before --until {until}", hint="--until is the first left out"
        )
    call_ids = tuple(call) if call else None
    return CallFilter(since=since, until=until, call_ids=call_ids, agent_id=agent, **fields)


def file_to_write(path: Path | None) -> Path | None:
    """Refuse a folder, or no name at all, where a file is to be written."""
    if path is not None and path.is_dir():
        raise UsageError(f"{path} is a folder, not a file to write", hint="name the file to write in it")
    return path


def tell_of_unknown(store: Store, filters: CallFilter) -> None:
    """Name the calls that are not there, and where no call matches, the option that is the reason.

    An empty report, or one with fewer calls than were asked for, would not show it.
    """
    sql = "SELECT id FROM unnest(?::VARCHAR[]) AS asked (id) WHERE id NOT IN (SELECT call_id FROM calls)"
    unknown = [row["id"] for row in store.query(sql, [list(filters.call_ids or ())])]
    if unknown:
        note(f"not in the database: {', '.join(unknown[:20])}" + (" …" if len(unknown) > 20 else ""))
    where, values = filters.where()
    if store.query(f"SELECT 1 FROM calls WHERE {where} LIMIT 1", values):  # noqa: S608
        return
    columns = dict.fromkeys(("client", "site", "team", "queue", "agent_id", "direction"), "calls")
    columns |= {"outcome": "scorecards", "rubric": "scorecards"}
    for option, table in columns.items():
        column = "rubric_id" if option == "rubric" else option
        rows = store.query(f"SELECT DISTINCT {column} AS name FROM {table} WHERE {column} <> '' ORDER BY 1")  # noqa: S608
        known = [row["name"] for row in rows]
        wanted = getattr(filters, option)
        is_hash = option == "rubric" and wanted is not None and len(wanted) == 64
        if wanted is not None and wanted not in known and not is_hash:
            option = option.replace("_", " ")
            note(f"no calls match: no {option} {wanted!r} here; {did_you_mean(wanted, known)}")
            return
    if not unknown:
        note("no call matches these options together")
