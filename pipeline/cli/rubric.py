"""``callqa rubric lint | check | explain | schema | test | new``, and ``callqa rescore``."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli import call_options
from pipeline.cli.app import app
from pipeline.cli.console import note
from pipeline.cli.query_output import print_table, write_json
from pipeline.cli.store import ConfigOption, Db, Json, open_store
from pipeline.errors import RubricError, UsageError

if TYPE_CHECKING:
    from pipeline.conversation import Conversation, Scorecard
    from pipeline.rescore import Rescored
    from pipeline.rubric import Rubric
    from pipeline.rubric.cases import CaseResult
    from pipeline.store import Store

group = typer.Typer(no_args_is_help=True, help="Write and check rubrics.")
app.add_typer(group, name="rubric")

Which = Annotated[str, typer.Argument(help="A YAML file or a shipped name.", metavar="RUBRIC")]
WhichOrAll = Annotated[
    list[str] | None, typer.Argument(help="YAML files or shipped names; all shipped when left out.")
]


@group.command("lint")
def lint(
    which: Annotated[list[str], typer.Argument(help="YAML files or shipped names.", metavar="RUBRIC...")],
    db: Annotated[str | None, typer.Option("--db", help="Also ask stored calls.", metavar="FILE")] = None,
    config: ConfigOption = None,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings are errors.")] = False,
) -> None:
    """Check rubrics: every error with its line, then warnings about what would do nothing.

    Example: callqa rubric lint my_rubric.yaml
    """
    from pipeline import rubric
    from pipeline.matching.chance import chance_in_call
    from pipeline.settings import load_settings

    errors: list[str] = []
    warned = 0
    judged = load_settings(config).judge.url is not None
    for name in which:
        try:
            form = rubric.load(name)
        except RubricError as error:
            errors.append(error.message)
            continue
        typical_s, met = None, {}
        if db is not None:
            with open_store(db, config) as store:
                typical_s = store.query(rubric.TYPICAL_SQL)[0]["s"]
                rates = store.query(rubric.NEVER_MET_SQL, [form.id])
                met = {row["criterion_id"]: row["met"] for row in rates}
        warnings = rubric.lint(form, typical_s, chance_in_call, judged=judged) + rubric.never_met(form, met)
        for warning in warnings:
            typer.echo(f"{form.source}: warning: {warning}")
        warned += len(warnings)
        if not warnings:
            note(f"{form.source}: no errors, no warnings")
    if errors:
        raise RubricError("\n".join(errors), hint="docs/rubrics.md describes every key")
    if strict and warned:
        raise RubricError(f"{warned} warnings, and --strict was given")


def calls_for(store: Store, form: Rubric, most: int) -> Iterator[Conversation]:
    """The stored calls that a rubric applies to, the first loaded first, at most ``most``."""
    from pipeline.rubric.select import why_not
    from pipeline.store import CallFilter

    applying = (
        about.call_id
        for about, call in store.headings()
        if not why_not(form, about, duration_s=call.duration_s, language=call.language)
    )
    ids = tuple(islice(applying, most))
    if not ids:
        note(f"no stored call is one that {form.id} applies to (applies_to)")
    return (conversation for _, conversation in store.conversations(CallFilter(call_ids=ids)))


@group.command("check")
def check(
    which: Which,
    db: Annotated[str | None, typer.Option("--db", help="Also look in stored calls.", metavar="FILE")] = None,
    config: ConfigOption = None,
    calls: Annotated[
        int, typer.Option(min=1, help="How many stored calls it applies to, the first loaded first.")
    ] = 200,
    json: Json = False,
) -> None:
    """Show how often each phrase would match by chance, and where stored calls come nearest to it.

    Example: callqa rubric check my_rubric.yaml --db qa.duckdb
    """
    import pyarrow as pa

    from pipeline import matching, rubric, score
    from pipeline.matching.chance import chance_in_call

    form = rubric.load(which)
    matcher = matching.load_matcher()
    stored = []
    if db is not None:
        with open_store(db, config) as store:
            stored = list(calls_for(store, form, calls))
    rows, english = [], "en" in form.spoken
    for phrase in rubric.phrases(form):
        rate = chance_in_call(phrase.text, phrase.check.match, phrase.seconds) if english else None
        row: dict[str, object] = {
            "criterion": phrase.criterion,
            "phrase": phrase.text,
            "match": phrase.check.match,
            "in_100_ordinary_calls": None if rate is None else round(100 * rate, 1),
        }
        if db is not None:
            found = [score.find_matches(call, form, phrase.alone, matcher=matcher) for call in stored]
            quotes = [max(hits, key=lambda hit: hit.strength).quote for hits, _ in found if hits]
            misses = [miss for _, miss in found if miss is not None]
            nearest = max(misses, key=lambda miss: miss.strength, default=None)
            row |= {
                f"in_{len(stored)}_calls": len(quotes),
                "heard": " | ".join(list(dict.fromkeys(quotes))[:2]),
                "nearest_miss": f"{nearest.strength:.2f} {nearest.quote}" if nearest else "",
            }
        row["advice"] = f"too common: {rubric.advice(phrase)}" if rate and rate >= rubric.COMMON else ""
        rows.append(row)
    table = pa.Table.from_pylist(rows)
    write_json(table) if json else print_table(table)
    common = sum(bool(row["advice"]) for row in rows)
    bound = f"{100 * rubric.COMMON:.0f} of 100 ordinary calls or more"
    if english:
        note(f"{len(rows)} phrases, {common} of them too common ({bound})")
        note("ordinary talk here is that of meetings: closing words such as bye are commoner in calls")
    else:
        note("chance is not shown: it is measured on English, and this rubric names another language")
    if db is None:
        note("use --db to see how often each phrase matches stored calls")


@group.command("explain")
def explain(which: WhichOrAll = None) -> None:
    """Explain a rubric in plain words; of several, also in which order they are tried on a call.

    Example: callqa rubric explain support
    """
    from pipeline import rubric

    forms = [rubric.load(name) for name in which or rubric.shipped()]
    if len(forms) > 1:
        typer.echo(rubric.explain_order(forms))
    if which:
        for form in forms:
            typer.echo(rubric.explain(form))


@group.command("schema")
def schema() -> None:
    """Write the JSON Schema of rubrics, for completion in editors.

    Example: callqa rubric schema > rubric.schema.json
    """
    from pipeline.rubric.model import Rubric, SchemaOfYaml

    written = Rubric.model_json_schema(schema_generator=SchemaOfYaml)
    typer.echo(json.dumps({"title": "callqa rubric", **written}, indent=2))


@group.command("test")
def run_tests(which: WhichOrAll = None) -> None:
    """Run the tests written inside rubrics.

    Example: callqa rubric test my_rubric.yaml
    """
    from pipeline import matching, rubric, score
    from pipeline.rubric.cases import run_cases

    matcher = matching.load_matcher()
    failed = count = 0
    for name in which or rubric.shipped():
        form = rubric.load(name)
        for result in run_cases(
            form, lambda c, r, m: score.score(c, r, m, min_confidence=0.4, matcher=matcher)
        ):
            count += 1
            failed += bool(result.faults)
            _print_case(form.id, result)
    for sentence in matcher.notes:
        note(sentence)
    if failed:
        raise RubricError(f"{failed} of {count} rubric tests failed")
    note(f"{count} rubric tests passed")


def _print_case(name: str, result: CaseResult) -> None:
    typer.echo(f"{'FAIL' if result.faults else 'ok  '} {name}: {result.name}")
    for fault in result.faults:
        typer.echo(f"       {fault}")


def write_new(path: Path, text: str) -> None:
    """Write a rubric to a new file.

    Raises:
        UsageError: The file exists already, or cannot be written.
    """
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        raise UsageError(f"{path} exists already", hint="choose another name") from error
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


@group.command("new")
def new(
    path: Annotated[Path, typer.Argument(help="File to write.", metavar="FILE")],
    start: Annotated[str, typer.Option("--from", help="Shipped rubric to start from.")] = "support",
) -> None:
    """Start a rubric from a shipped one; never overwrites a file.

    Example: callqa rubric new acme_support.yaml --from support
    """
    from pipeline.rubric.load import read_source

    text, _ = read_source(start)
    name = "".join(c if c.isalnum() or c in "_-" else "_" for c in path.stem) or "rubric"
    text = text.replace(f"rubric: {start.split('/')[-1]}\n", f"rubric: {name}\n", 1)
    write_new(path, text)
    note(f"wrote {path}; next: edit it, then callqa rubric test {path}")


@app.command()
def rescore(
    which: Annotated[str, typer.Option("--rubric", help="A YAML file or a shipped name.", metavar="RUBRIC")],
    db: Db = None,
    config: ConfigOption = None,
    since: call_options.Since = None,
    until: call_options.Until = None,
    client: call_options.Client = None,
    queue: call_options.Queue = None,
    agent: call_options.Agent = None,
    everything: Annotated[bool, typer.Option("--all", help="Also calls it does not apply to.")] = False,
    json: Json = False,
) -> None:
    """Score stored calls under another rubric, keep old scores, and list calls with a changed outcome.

    Example: callqa rescore --rubric support_v2.yaml
    """
    from pipeline import matching, rubric
    from pipeline.process import judging
    from pipeline.process.cache import StageCache
    from pipeline.rescore import rescore as run
    from pipeline.settings import load_settings

    form = rubric.load(which)
    matcher = matching.load_matcher()
    calls = call_options.chosen(since=since, until=until, client=client, queue=queue, agent=agent)
    settings = load_settings(config, store={"db": db})
    floor = settings.score.min_confidence
    for sentence in judging.notes(settings, [form]):
        note(sentence)
    flips: Counter[tuple[str, str]] = Counter()
    warnings: Counter[str] = Counter()
    count = 0
    with open_store(db, config, read_only=False) as store:
        call_options.tell_of_unknown(store, calls)
        judge = judging.load_judge(settings, [form], judging.standings(store, [form], settings))
        if judge is not None:  # its answers are kept there
            StageCache(settings.state_dir).register(store)
        for rescored in run(
            store, form, matcher, min_confidence=floor, calls=calls, everything=everything, judge=judge
        ):
            count += 1
            warnings.update(rescored.after.warnings)
            warnings.update({a.reason for a in rescored.after.answers if a.awaits == "judge"})
            if rescored.flipped and rescored.before is not None:
                flips[rescored.before.outcome, rescored.after.outcome] += 1
                _print_flip(rescored, rescored.before, as_json=json)
    for warning, n in warnings.most_common():
        note(f"{n} calls: {warning}")
    listed = ", ".join(f"{n} {a} → {b}" for (a, b), n in sorted(flips.items())) or "nobody flips"
    note(f"{count} calls scored under {form.id} {form.version} ({form.hash[:12]}): {listed}")


def _print_flip(rescored: Rescored, before: Scorecard, *, as_json: bool) -> None:
    after = rescored.after
    if as_json:
        row = {
            "call_id": rescored.call_id,
            "outcome_before": before.outcome,
            "outcome_after": after.outcome,
            "score_before": before.final_score,
            "score_after": after.final_score,
            "changes": list(rescored.changes),
        }
        typer.echo(json.dumps(row, ensure_ascii=False))
        return
    scores = f"{_score(before.final_score)} → {_score(after.final_score)}"
    why = "; ".join(rescored.changes[:3]) + ("; …" if len(rescored.changes) > 3 else "")
    typer.echo(f"{rescored.call_id}  {before.outcome} → {after.outcome}  {scores}  {why}")


def _score(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"
