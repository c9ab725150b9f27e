"""Commands on the database: sql, search, show, status, snapshot, backup, restore and purge."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from typer.core import TyperCommand

from pipeline.cli import call_options
from pipeline.cli.app import app
from pipeline.cli.console import complain, note
from pipeline.cli.query_output import print_hits, print_table, write_csv, write_json, write_parquet
from pipeline.cli.scorecard import render
from pipeline.errors import StoreError, UsageError

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.store import Store
    from pipeline.store.erase import Purged
    from pipeline.store.sandbox import Sandbox

Db = Annotated[str | None, typer.Option("--db", help="Database; default from settings.", metavar="FILE")]
ConfigOption = Annotated[Path | None, typer.Option("--config", help="Settings file; default: callqa.toml.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, one object a row.")]
PROMPT_HELP = (
    "end a query with ; — SHOW TABLES; and DESCRIBE v_scorecards; list what there is — exit or Ctrl-D leaves"
)
LEAVE = {"exit", "quit", ".exit", ".quit", "\\q"}
IDS_NAMED = 20
DAYS = {"d": 1, "w": 7, "m": 30.4375, "y": 365.25}


def open_store(
    db: str | None, config: Path | None = None, *, read_only: bool = True, create: bool = False
) -> Store:
    """Open ``db``, or the store that the settings name; print a message when it is locked by another run.

    A database that is not there is an error, also for a command that writes, unless it is to ``create`` it.
    """
    from pipeline import store
    from pipeline.settings import load_settings

    settings = load_settings(config, store={"db": db}).store
    timeout_s = settings.lock_timeout_s
    opened = store.open_store(settings.db, read_only=read_only, lock_timeout_s=timeout_s, on_wait=note)
    opened.read_only = read_only or not (create or opened.exists())  # to read what is not there is refused
    return opened


class _CommentFirst(TyperCommand):
    """A command whose argument may begin with an SQL comment, which the parser would take for an option."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put a line break before such an argument."""
        return super().parse_args(ctx, [f"\n{a}" if a.startswith("--") and "\n" in a else a for a in args])


@app.command(cls=_CommentFirst)
def sql(
    query: Annotated[
        str | None, typer.Argument(help="A SELECT; without one, a prompt opens.", metavar="SQL")
    ] = None,
    db: Db = None,
    config: ConfigOption = None,
    csv: Annotated[bool, typer.Option("--csv", help="CSV.")] = False,
    json: Json = False,
    table: Annotated[bool, typer.Option("--table", help="A table, also when piped.")] = False,
    parquet: Annotated[
        Path | None,
        typer.Option(help="Write a Parquet file.", metavar="FILE", callback=call_options.file_to_write),
    ] = None,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds a query may take.")] = 60.0,
) -> None:
    """Query the database in SQL, for reading only.

    Example: callqa sql "SELECT outcome, count(*) FROM v_scorecards GROUP BY ALL"
    """
    from pipeline.store.sandbox import Sandbox

    if sum((csv, json, table, parquet is not None)) > 1:
        raise UsageError("--csv, --json, --table and --parquet exclude one another", hint="choose one")
    if query is None and not sys.stdin.isatty():
        query = sys.stdin.read()
    with open_store(db, config) as store:
        if parquet is not None:
            store.refuse_itself(parquet)
        if query is None:
            converse(Sandbox(store, timeout_s=timeout))
            return
        answer = Sandbox(store, timeout_s=timeout).ask(query)
    if parquet is not None:
        write_parquet(answer, parquet)
    elif csv:
        write_csv(answer)
    elif json:
        write_json(answer)
    else:
        print_table(answer, plain=table)


def converse(sandbox: Sandbox, read: Callable[[str], str] = input) -> None:
    """Read queries and print their answers until the input ends; a wrong query only prints an error.

    ``read`` prints a prompt and returns one line, or raises EOFError at the end. Earlier lines can be called
    back, but are not kept on disk, because queries may name customers.
    """
    with contextlib.suppress(ImportError):  # Windows
        import readline  # noqa: F401 - gives ``input`` editing and history
    note(PROMPT_HELP)
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


@app.command()
def search(
    text: Annotated[str, typer.Argument(help="Words that were said.")],
    db: Db = None,
    config: ConfigOption = None,
    limit: Annotated[int, typer.Option(min=1, help="How many turns at most.")] = 20,
    client: Annotated[str | None, typer.Option(help="Only this client's calls.")] = None,
    team: Annotated[str | None, typer.Option(help="Only this team's calls.")] = None,
    agent: Annotated[str | None, typer.Option(help="Only this agent's calls.")] = None,
    json: Json = False,
) -> None:
    """Find the turns in which something was said, in any form of its words.

    Example: callqa search 'cancel "right now"' --team blue
    """
    from pipeline.store import CallFilter
    from pipeline.store.search import search as find

    with open_store(db, config) as store:
        calls = CallFilter(client=client, team=team, agent_id=agent)
        found = find(store, text, calls, limit=limit, on_note=note)
        if not found.hits:
            call_options.tell_of_unknown(store, calls)
    print_hits(found, as_json=json)


@app.command()
def show(
    call: Annotated[str, typer.Argument(help="Call id.", metavar="CALL")],
    db: Db = None,
    config: ConfigOption = None,
    rubric: Annotated[str | None, typer.Option(help="Rubric id, or the hash of an older one.")] = None,
    json: Json = False,
) -> None:
    """Show a call's scorecard with the words each answer rests on, and what people answered.

    Example: callqa show call-0042 --db out/qa.duckdb
    """
    from pipeline.calibrate.pairs import newest_answers
    from pipeline.contract import to_json
    from pipeline.review.sampling import open_disputes, rubric_ids
    from pipeline.store import CallFilter

    with open_store(db, config) as store:
        cards = list(store.scorecards(CallFilter(call_ids=(call,), rubric=rubric)))
        found = next(store.conversations(CallFilter(call_ids=(call,))), None)
        reviews = store.reviews(CallFilter(call_ids=(call,)))
        disputes = open_disputes(reviews, rubric_ids(store))
    if not cards:
        what = "has no scorecard under that rubric" if found else "is not in the database"
        raise UsageError(
            f"call {call} {what}", hint='list the calls with: callqa sql "SELECT call_id FROM v_calls"'
        )
    for card in cards:
        if json:
            typer.echo(to_json(card))
        else:
            metadata = found[0] if found else None
            Console().print(render(card, metadata, newest_answers(reviews), disputes.get(card.rubric.id)))


_FILES_SQL = (
    "SELECT status, reason, files, recordings, last_at FROM v_coverage ORDER BY files DESC, status, reason"
)
_CALLS_SQL = (
    "SELECT call_id, coalesce(agent_name, agent_id) AS agent, rubric_id AS rubric, "
    "round_even(final_score, 0) AS score, outcome, why FROM v_scorecards ORDER BY final_score, call_id"
)

_JUDGE_SQL = (
    "SELECT rubric_id AS rubric, criterion_id AS judged, model, count(*) AS answers, "
    "count(*) FILTER (result = 'answered') AS decided, count(*) FILTER (result = 'invented') AS invented, "
    "count(*) FILTER (result = 'differs') AS differs, "
    "count(*) FILTER (result IN ('away', 'budget')) AS not_asked, sum(calls)::BIGINT AS requests, "
    "sum(prompt_tokens + answer_tokens)::BIGINT AS tokens, round(sum(seconds), 1) AS seconds "
    "FROM stage_runs WHERE stage = 'judge' GROUP BY ALL ORDER BY ALL"
)


@app.command()
def status(
    db: Db = None,
    config: ConfigOption = None,
    calls: Annotated[
        bool, typer.Option("--calls", help="Each scored call, worst first, with the reason of a fail.")
    ] = False,
    json: Json = False,
) -> None:
    """Say what became of every file received, or of every call.

    Example: callqa status --calls --db out/qa.duckdb
    """
    from pipeline.store.sandbox import Sandbox

    with open_store(db, config) as store:
        sandbox = Sandbox(store)
        answer = sandbox.ask(_CALLS_SQL if calls else _FILES_SQL)
        judged = sandbox.ask(_JUDGE_SQL)
    if json:
        write_json(answer)
        return
    print_table(answer)
    if not calls:
        _print_file_totals(answer)
        if judged.num_rows:
            print_table(judged)


def _print_file_totals(answer: pa.Table) -> None:
    """Print how many files were received, and how many have each status."""
    totals: Counter[str] = Counter()
    for row in answer.to_pylist():
        totals[row["status"]] += row["files"]
    parts = " + ".join(f"{count} {name}" for name, count in totals.items())
    note(f"{totals.total()} files received = {parts or 'none'}")


@app.command()
def snapshot(
    dest: Annotated[
        Path,
        typer.Argument(
            help="The copy, e.g. on a share.", metavar="COPY.duckdb", callback=call_options.file_to_write
        ),
    ],
    db: Db = None,
    config: ConfigOption = None,
) -> None:
    """Copy the database for analysts; the copy appears complete or not at all.

    Example: callqa snapshot /srv/analysts/qa.duckdb
    """
    with open_store(db, config) as store:
        size = store.snapshot(dest)
    note(f"{dest}: {size / 1e6:.1f} MB")


@app.command()
def backup(
    folder: Annotated[
        Path, typer.Argument(help="Folder of Parquet files, replaced as a whole.", file_okay=False)
    ],
    db: Db = None,
    config: ConfigOption = None,
) -> None:
    """Write the whole store as Parquet, for other tools and for the long term.

    Example: callqa backup /srv/backup/qa
    """
    with open_store(db, config) as store:
        rows = store.export_parquet(folder)
    note(f"{folder}: " + ", ".join(f"{n} {table}" for table, n in rows.items() if n))


@app.command()
def restore(
    folder: Annotated[Path, typer.Argument(help="Folder written by callqa backup.")],
    db: Db = None,
    config: ConfigOption = None,
) -> None:
    """Take a backup in; its calls replace those already there, and erased calls stay erased.

    Example: callqa restore /srv/backup/qa --db again.duckdb
    """
    with open_store(db, config, read_only=False, create=True) as store:
        rows = store.import_parquet(folder, note)
    note("restored " + (", ".join(f"{n} {table}" for table, n in rows.items() if n) or "nothing"))


@app.command()
def purge(
    older_than: Annotated[
        str | None, typer.Option(help="Began, or came in, so long ago: 365d, 12w, 24m.", metavar="AGE")
    ] = None,
    customer: Annotated[str | None, typer.Option(help="Calls of this customer.", metavar="REF")] = None,
    client: Annotated[str | None, typer.Option(help="Only this client's calls.")] = None,
    call: Annotated[list[str] | None, typer.Option(help="This call; may be repeated.", metavar="ID")] = None,
    keep_figures: Annotated[
        bool, typer.Option("--keep-figures", help="Keep scores and metrics, without words or references.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    db: Db = None,
    config: ConfigOption = None,
    json: Json = False,
) -> None:
    """Erase calls for good: words, findings, quotes, stage results; a tombstone remains.

    callqa never deletes recordings. It names the state folders of other machines: the next batch
    there deletes the transcripts of erased calls. Exit code 3: a call given by --call was not erased.

    Example: callqa purge --older-than 365d --keep-figures --yes
    """
    from pipeline.process.cache import StageCache
    from pipeline.settings import load_settings
    from pipeline.store import CallFilter
    from pipeline.store.erase import digest

    before = _age(older_than) if older_than else None
    calls = CallFilter(client=client, customer_ref=customer, call_ids=tuple(call) if call else None)
    with open_store(db, config, read_only=False) as store:
        call_options.tell_of_unknown(store, calls)
        if not yes:
            _confirm(store.count_erasable(calls, older_than=before))
        caches, away = StageCache(load_settings(config, store={"db": store.db}).state_dir).all_of(store)
        purged = store.purge(
            calls, older_than=before, keep_figures=keep_figures,
            forget=lambda ids: sum(cache.forget(ids) for cache in caches),
        )  # fmt: skip
        gone = store.tombstones() | {f"call:{digest(name)}" for name in purged.erasure.call_ids}
    missed = [name for name in call or () if f"call:{digest(name)}" not in gone]  # nor by an earlier purge
    _print_erasure(purged, [str(cache.state_dir) for cache in caches], away, missed, as_json=json)
    if missed:
        raise typer.Exit(3)


def _age(text: str) -> dt.datetime:
    """The time that lies an age such as ``365d`` before now."""
    match = re.fullmatch(r"(\d{1,5})([dwmy])", text.strip())
    if match is None:
        raise UsageError(f"--older-than {text}: not an age", hint="a number and d, w, m or y, e.g. 365d")
    try:
        return dt.datetime.now(dt.UTC) - dt.timedelta(days=int(match[1]) * DAYS[match[2]])
    except OverflowError as error:
        raise UsageError(f"--older-than {text}: before the year 1", hint="give a shorter age") from error


def _calls(count: int) -> str:
    return f"{count} call" if count == 1 else f"{count} calls"


def _confirm(count: int) -> None:
    """Ask whether this many calls may be erased; raises ``UsageError`` unless their number is typed."""
    if not sys.stdin.isatty():
        raise UsageError(f"{_calls(count)} would be erased for good", hint="say --yes to do it")
    sys.stderr.write(f"{_calls(count)} will be erased for good. Type the number to go on: ")
    sys.stderr.flush()
    if sys.stdin.readline().strip() != str(count):
        raise UsageError("nothing was erased")


def _print_erasure(
    purged: Purged, folders: list[str], away: list[str], missed: list[str], *, as_json: bool
) -> None:
    """Print what was erased, what remains, which state folders were searched, and what is not reached.

    ``missed`` are the calls that were asked for by their ids and are not erased.
    """
    erasure = purged.erasure
    facts = {
        "calls": list(erasure.call_ids),
        "not_erased": missed,
        "rows_deleted": dict(erasure.deleted),
        "rows_left": dict(erasure.left),
        "tombstones": erasure.tombstones,
        "stage_results_deleted": purged.stage_results,
        "state_folders": folders,
        "not_reached": away,
        "files_deleted": list(purged.files),
        "bytes_before": purged.bytes_before,
        "bytes_after": purged.bytes_after,
    }
    if as_json:
        typer.echo(json.dumps(facts, ensure_ascii=False))
        return
    freed = [
        f"  stage results deleted: {_calls(purged.stage_results)}; other files deleted: {len(purged.files)}",
        f"  state folders searched: {', '.join(folders)}",
        *(f"  NOT reached, the next batch there deletes its transcripts: {place}" for place in away),
    ]
    if purged.bytes_before is not None and purged.bytes_after is not None:
        freed.append(f"  database: {purged.bytes_before:,} bytes before, {purged.bytes_after:,} after")
    if missed:
        freed.append(f"  NOT erased, not in the database or not met by the options: {' '.join(missed)}")
    if not erasure.call_ids:
        note("\n".join(["no call matches; nothing was erased", *freed]))
        return
    named, others = erasure.call_ids[:IDS_NAMED], len(erasure.call_ids[IDS_NAMED:])
    more = f" and {others} more" if others else ""
    lines = [f"{_calls(len(erasure.call_ids))} erased: {' '.join(named)}{more}"]
    lines += [f"  {table}: {n} {'row' if n == 1 else 'rows'} deleted" for table, n in erasure.deleted.items()]
    left = ", ".join(f"{n} {table}" for table, n in erasure.left.items())
    lines += [f"  rows of these calls left: {left or 'none'}"]
    lines += [f"  tombstones in the ledger: {erasure.tombstones}", *freed]
    lines.append("not reached: the recordings, and exports, packets, backups and snapshots made before")
    typer.echo("\n".join(lines))
