"""Human review: ``callqa review sample | packet | import`` and ``callqa calibrate``."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Column, Table

from pipeline.cli import call_options
from pipeline.cli.app import app
from pipeline.cli.console import counted, note
from pipeline.cli.store import ConfigOption, Db, open_store
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.calibrate import Calibration
    from pipeline.calibrate.agreement import Coefficient
    from pipeline.calibrate.figures import Agreement
    from pipeline.calibrate.trust import Trust
    from pipeline.review.import_reviews import Report
    from pipeline.review.sampling import ReviewQueue
    from pipeline.settings import JudgeSettings
    from pipeline.store import Store

review = typer.Typer(
    help="Choose calls for people to check, write packets of them, and import the answers.",
    no_args_is_help=True,
)
app.add_typer(review, name="review")


@review.command()
def sample(
    db: Db = None,
    config: ConfigOption = None,
    per_week: Annotated[int, typer.Option(min=0, help="Random calls per agent and week.")] = 2,
    risky: Annotated[int, typer.Option(min=0, help="Length of the risk-ranked queue.")] = 20,
    seed: Annotated[
        int, typer.Option(min=-(2**63), max=2**63 - 1, help="Of the random draw; recorded with it.")
    ] = 1,
    since: call_options.Since = None,
    until: call_options.Until = None,
    client: call_options.Client = None,
    team: call_options.Team = None,
    agent: call_options.Agent = None,
    rubric: call_options.Rubric = None,
) -> None:
    """Choose calls for people to check: a random sample for rates, the riskiest calls for rare failures.

    Example: callqa review sample --per-week 3 --since 2026-11-01
    """
    from pipeline.review.sampling import draw

    filters = call_options.chosen(
        since=since, until=until, client=client, team=team, agent=agent, rubric=rubric
    )
    with open_store(db, config, read_only=False) as store:
        call_options.tell_of_unknown(store, filters)
        queue = draw(store, filters, per_week=per_week, risky=risky, seed=seed, now=dt.datetime.now(dt.UTC))
    _print_queue(queue)


def _print_queue(queue: ReviewQueue) -> None:
    if not queue.picks:
        note("no call was drawn, and no sample recorded")
        return
    table = Table("call", "chosen", "chance", "why")
    for pick in queue.picks:
        chance = f"{pick.probability:.2f}" if pick.probability is not None else ""
        table.add_row(pick.call_id, pick.method, chance, pick.reason)
    Console().print(table, markup=False)
    for row in queue.precision:
        if row.margin is not None:
            share = f"{row.sampled} of {row.population} calls"
            note(f"{row.group}: {share} know a rate to within ±{100 * row.margin:.0f} points (95 %)")
    if queue.reviewed:
        note(f"not in the risk list: {queue.reviewed} calls that people have reviewed already")
    note(f"drawn as sample {queue.sample_id}: callqa review packet DEST --sample {queue.sample_id}")


@review.command()
def packet(
    dest: Annotated[Path, typer.Argument(help="Folder for the packet: index.html and its recordings.")],
    db: Db = None,
    config: ConfigOption = None,
    sample_id: Annotated[str | None, typer.Option("--sample", help="Only the calls of this draw.")] = None,
    since: call_options.Since = None,
    until: call_options.Until = None,
    client: call_options.Client = None,
    team: call_options.Team = None,
    agent: call_options.Agent = None,
    outcome: call_options.Outcome = None,
    rubric: call_options.Rubric = None,
    call: call_options.Call = None,
    blind: Annotated[
        bool, typer.Option("--blind", help="Hide what the machine and other people answered.")
    ] = False,
) -> None:
    """Write a packet that opens offline in any browser: play the moment, correct the answer.

    Example: callqa review packet packet/ --outcome needs_review
    """
    from pipeline import export
    from pipeline.review.sampling import sampled_calls
    from pipeline.settings import load_settings

    with open_store(db, config) as store:
        if sample_id is not None:
            call = [*sampled_calls(store, sample_id), *(call or [])]
            if not call:
                raise UsageError(
                    f"no sample {sample_id!r} in {store.db}", hint="callqa review sample draws one"
                )
        filters = call_options.chosen(
            since=since, until=until, client=client, team=team, agent=agent, outcome=outcome, rubric=rubric,
            call=call,
        )  # fmt: skip
        call_options.tell_of_unknown(store, filters)
        with counted("calls") as progress:
            privacy = load_settings(config).privacy
            written = export.write(
                store, dest, "html", filters, privacy=privacy, blind=blind, progress=progress
            )
    typer.echo(written[0])
    note(f"open {written[0]} in a browser; hand its download to: callqa review import FILE")


@review.command(name="import")
def import_(
    files: Annotated[list[Path], typer.Argument(help="Files that came back: packet JSON, workbooks, CSV.")],
    db: Db = None,
    config: ConfigOption = None,
    reviewer: Annotated[str, typer.Option(help="Who reviewed, where a file does not say.")] = "",
) -> None:
    """Import reviewers' answers; the machine's answers are kept beside them.

    Example: callqa review import review-amira-2026-11-22.json
    """
    from pipeline.review.import_reviews import import_reviews
    from pipeline.settings import load_settings

    privacy = load_settings(config).privacy
    with open_store(db, config, read_only=False) as store:
        report = import_reviews(store, files, privacy=privacy, reviewer=reviewer)
    _print_report(report)
    if report.rejected:
        raise typer.Exit(3)


def _print_report(report: Report) -> None:
    for title, problems in (
        ("corrected id", report.mended),
        ("differs", report.conflicts),
        ("not kept", report.rejected),
    ):
        for problem in problems:
            note(f"{title}: {problem.where}: {problem.what}")
    for path, count in report.marked.items():
        note(f"quotes marked in {path}: {count}; next: callqa rubric tune RUBRIC --marks {path}")
    for rubric in sorted(report.rescore):
        note(f"manual criteria of {rubric} answered; to score these answers: callqa rescore --rubric RUBRIC")
    typer.echo(f"{report.stored} stored, {report.unchanged} already known, {len(report.rejected)} not kept")


@app.command()
def calibrate(
    db: Db = None,
    config: ConfigOption = None,
    since: call_options.Since = None,
    until: call_options.Until = None,
    client: call_options.Client = None,
    team: call_options.Team = None,
    rubric: call_options.Rubric = None,
    json: Annotated[bool, typer.Option("--json", help="JSON, one object a criterion or reviewer.")] = False,
) -> None:
    """How far machine and people agree, criterion by criterion, and what to change.

    Example: callqa calibrate --rubric support
    """
    from pipeline.calibrate import calibrate as compare_all
    from pipeline.settings import load_settings

    filters = call_options.chosen(since=since, until=until, client=client, team=team, rubric=rubric)
    with open_store(db, config) as store:
        call_options.tell_of_unknown(store, filters)
        calibration = compare_all(store, filters)
        trusted = _trusted(store, load_settings(config).judge, rubric)
    if json:
        for row in (*calibration.criteria, *calibration.reviewers):
            typer.echo(_agreement_json(row))
    else:
        _print_calibration(calibration)
    for trust in trusted:
        counts = "" if trust.scored else "; until then its answers are suggestions"
        note(f"judge: {trust.rubric} {trust.criterion}: {trust.summary}{counts}")
    if any(trust.scored for trust in trusted):
        note("where that is new: callqa rescore --rubric RUBRIC counts the answers already given")
    for caution in calibration.cautions:
        note(f"caution: {caution}")


def _trusted(store: Store, settings: JudgeSettings, rubric: str | None) -> list[Trust]:
    """How far people agree with the language model, by criterion, in the newest version of each rubric."""
    from pipeline.calibrate.trust import trust

    if settings.url is None:
        return []
    from pipeline import judge

    rows = store.query("SELECT DISTINCT rubric_hash FROM scorecards WHERE is_latest")
    stored = store.rubrics(row["rubric_hash"] for row in rows).values()  # oldest first
    newest = {form.id: form for form in stored}
    wanted = [form for form in newest.values() if rubric in (None, form.id, form.hash)]
    return trust(store, wanted, settings, judge.fingerprint(settings))


def _agreement_json(row: Agreement) -> str:
    return json.dumps(
        {
            "rubric": row.rubric or None,
            "criterion": row.name if row.rubric else None,
            "reviewer": None if row.rubric else row.name,
            "reviewed": row.n,
            "undetermined": row.abstained,
            "agreement": row.agreement.estimate,
            "kappa": asdict(row.kappa),
            "weighted_kappa": asdict(row.weighted_kappa),
            "ac1": asdict(row.ac1),
            "pabak": row.pabak,
            "machine_more_generous": row.lenient,
            "machine_stricter": row.strict,
            "confusion": [{"machine": m, "person": p, "n": n} for (m, p), n in sorted(row.counts.items())],
            "warnings": list(row.warnings),
            "advice": row.advice,
        },
        ensure_ascii=False,
    )


def _print_calibration(calibration: Calibration) -> None:
    console = Console()
    said: set[str] = set()  # of a criterion; a reviewer who alone answered it has the same warnings
    for title, rows in (("criterion", calibration.criteria), ("reviewer", calibration.reviewers)):
        names = [f"{row.rubric} {row.name}".strip() for row in rows]
        figures = ("reviewed", "agree", "κ (95 %)", "AC1", "generous", "strict")
        table = Table(Column(title, overflow="fold"), *figures, box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
        for name, row in zip(names, rows, strict=True):
            weighted = row.weighted_kappa.value is not None
            kappa = f"weighted {_spread(row.weighted_kappa)}" if weighted else _spread(row.kappa)
            table.add_row(
                name,
                str(row.n),
                _percent(row.agreement.estimate),
                kappa,
                _spread(row.ac1),
                str(row.lenient),
                str(row.strict),
            )
        if rows:
            console.print(table, markup=False)
        for name, row in zip(names, rows, strict=True):
            new = [warning for warning in row.warnings if row.rubric or warning not in said]
            words = " ".join((row.advice, *(f"({warning})" for warning in new)))
            console.print(f"{name}: {words}", markup=False, highlight=False)
            said.update(new)
    if calibration.criteria:
        note("generous, strict: answers on which the machine scores higher, or lower, than the person")
    for people in calibration.people:
        answers = "answer" if people.answers == 1 else "answers"
        shared = f"{people.reviewers} people on {people.answers} {answers} to {people.criterion}"
        note(f"{shared}{', blind' if people.blind else ''}: α {_spread(people.alpha)}")
    for week in calibration.drift:
        if week.shifted:
            share = _percent(week.agreement.estimate)
            note(f"drift: agreement in {week.week} was {share}, unlike the weeks before")
    if calibration.score_change is not None:
        note(f"people's answers move a score {calibration.score_change}")


def _percent(share: float | None) -> str:
    return "" if share is None else f"{share:.0%}"


def _spread(coefficient: Coefficient) -> str:
    """The value with its interval, such as ``0.71 (0.55 to 0.87)``."""
    if coefficient.value is None:
        return "–"
    return f"{coefficient.value:z.2f}" + (f" ({coefficient.range})" if coefficient.range else "")
