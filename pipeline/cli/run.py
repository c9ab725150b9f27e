"""Running batches, once or unattended, and ``callqa doctor``, which checks the machine."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from pipeline.cli.app import app
from pipeline.cli.batch_view import BatchView
from pipeline.cli.console import note
from pipeline.cli.stages import RubricsOption
from pipeline.cli.store import ConfigOption, Db
from pipeline.errors import CallQAError, UsageError

if TYPE_CHECKING:
    from pipeline.process.batch import Tally
    from pipeline.settings import Settings

DAY_S = 86_400.0


@app.command()
def run(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Recordings, transcript files, folders or manifests.", show_default=False),
    ],
    db: Db = None,
    rubric: RubricsOption = None,
    model: Annotated[str | None, typer.Option(help="Whisper model name or path of weights.")] = None,
    language: Annotated[str | None, typer.Option(help="Language spoken: ISO 639-1 code, or auto.")] = None,
    config: ConfigOption = None,
    local: Annotated[bool, typer.Option("--local", help="Run without Prefect.")] = False,
    runner: Annotated[
        str | None, typer.Option(help="thread, process, dask or ray: where files are processed.")
    ] = None,
    log_format: Annotated[str | None, typer.Option(help="text, or json for log collectors.")] = None,
) -> int:
    """Score recorded calls: transcribe, annotate, answer the rubrics, load the answers.

    Files already in the database under the same audio, models and rubrics are left alone, so the
    same command finishes what an interrupted one began.

    Example: callqa run recordings/ --db qa.duckdb --rubric support
    """
    from pipeline.settings import load_settings

    settings = load_settings(
        config,
        store={"db": db},
        score={"rubrics": rubric or None},
        transcribe={"model": model, "language": language},
        flow={"log_format": log_format, "runner": runner},
    )
    view = BatchView(settings.flow.log_format)
    with view.bar, _failure_told(settings, view):
        view.say("looking at files")
        from pipeline.process.report import conclude  # imports spaCy: the bar is shown first

        tally = _process(paths, settings, view, local=local)
        for sentence in conclude(tally, settings):
            view.warn(sentence)
    view.ended(tally)
    return tally.exit_code


@contextlib.contextmanager
def _failure_told(settings: Settings, view: BatchView) -> Iterator[None]:
    """Send an alert about what ends the block, and log it where the log is JSON."""
    try:
        yield
    except Exception as error:
        from pipeline.process.report import tell_of_failure

        for sentence in tell_of_failure(error, settings):
            view.warn(sentence)
        if isinstance(error, CallQAError) and view.failed(error):
            raise typer.Exit(error.exit_code) from error
        raise


def _process(paths: list[Path], settings: Settings, view: BatchView, *, local: bool) -> Tally:
    from pipeline.process.prepare import prepare

    batch = prepare(paths, settings, view, view.warn)
    for sentence in batch.notes:
        view.warn(sentence)
    if not batch.plan.pending:
        batch.tally.add_known(batch.plan.known)
        return batch.tally
    view.say("loading models")
    if local:
        from pipeline.process.loop import run_batch

        return run_batch(batch)
    from flows.launch import run_as_flow

    return run_as_flow(batch, [str(path) for path in paths], view.warn)


@app.command()
def serve(
    paths: Annotated[list[Path], typer.Argument(help="What each batch looks through.")],
    cron: Annotated[str, typer.Option(help="Minute, hour, day, month, weekday.")] = "0 2 * * *",
    timezone: Annotated[str | None, typer.Option(help="IANA zone of the schedule.")] = None,
    db: Db = None,
    rubric: RubricsOption = None,
    config: ConfigOption = None,
) -> None:
    """Run the batch on a schedule, until stopped.

    Example: callqa serve /recordings --db qa.duckdb --cron "0 2 * * *" --timezone Asia/Karachi
    """
    from flows.serve import check_schedule, serve_batch
    from pipeline.process.prepare import load_rubrics
    from pipeline.settings import load_settings
    from pipeline.store.lake import absolute

    options: dict[str, dict[str, Any]] = {
        "store": {"db": absolute(db) if db else None},
        "score": {"rubrics": [_absolute(name) for name in rubric] if rubric else None},
    }
    settings = load_settings(config, **options)
    load_rubrics(settings)  # to fail now, not at the first run
    zone = timezone or settings.intake.timezone
    check_schedule(cron, zone)
    for path in paths:
        if not path.exists():
            note(f"{path} is not there (yet)")
    note(f"serving: {cron} {zone}; stop with Ctrl-C")
    flags = {name: {k: v for k, v in part.items() if v is not None} for name, part in options.items()}
    serve_batch(paths, flags, config, cron, zone)


@app.command()
def watch(
    folders: Annotated[list[Path], typer.Argument(help="Drop folders.", exists=True, file_okay=False)],
    settle: Annotated[float, typer.Option(help="Seconds a file must have kept its size.")] = 30.0,
    every: Annotated[float, typer.Option(help="Seconds between looks.")] = 10.0,
    db: Db = None,
    rubric: RubricsOption = None,
    config: ConfigOption = None,
) -> None:
    """Process each recording soon after it has arrived, until stopped.

    Example: callqa watch /incoming --db qa.duckdb --settle 30
    """
    from pipeline.process.report import Rounds
    from pipeline.process.watch import watch as watch_folders
    from pipeline.settings import load_settings

    if not (0 <= settle <= DAY_S and 0.1 <= every <= DAY_S):  # NaN is neither
        raise UsageError(f"--settle {settle:g} --every {every:g}: too short, or longer than a day")
    settings = load_settings(config, store={"db": db}, score={"rubrics": rubric or None})
    view, rounds = BatchView(settings.flow.log_format), Rounds()

    def wait(seconds: float) -> None:
        for sentence in rounds.overdue(settings):
            view.warn(sentence)
        time.sleep(seconds)

    note(f"watching {', '.join(map(str, folders))}; stop with Ctrl-C")
    with _failure_told(settings, view):
        for tally in watch_folders(
            folders, settings, view, settle_s=settle, every_s=every, on_wait=view.warn, sleep=wait
        ):
            for sentence in rounds.conclude(tally, settings):
                view.warn(sentence)


@app.command()
def doctor(db: Db = None, config: ConfigOption = None) -> int:
    """Check machine, kernels, disk, model, database, rubrics, judge, codecs, zones and Prefect; print fixes.

    Example: callqa doctor --db qa.duckdb
    """
    from pipeline.process.doctor import examine
    from pipeline.settings import load_settings

    styles = {"ok": "green", "warning": "yellow", "fault": "bold red"}
    console = Console(soft_wrap=True, highlight=False)
    faults = 0
    for finding in examine(load_settings(config, store={"db": db})):
        faults += finding.state == "fault"
        console.print(
            Text.assemble(
                (f"{finding.state:<8}", styles[finding.state]), f"{finding.name:<9} {finding.found}"
            )
        )
        if finding.fix:
            console.print(Text.assemble(" " * 18, ("fix: ", "bold cyan"), finding.fix))
    return 2 if faults else 0


def _absolute(rubric: str) -> str:
    """A rubric file's absolute path, because scheduled runs have another working folder; names stay."""
    path = Path(rubric)
    return str(path.absolute()) if path.is_file() else rubric
