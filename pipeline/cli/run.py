"""``callqa run``: process recordings into the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.cli.app import app
from pipeline.cli.batch_view import BatchView
from pipeline.cli.stages import ConfigOption, RubricsOption
from pipeline.cli.store import Db

if TYPE_CHECKING:
    from pipeline.process.batch import Tally
    from pipeline.settings import Settings


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
    with view.shown():
        view.say("looking at files")
        from pipeline.process.report import conclude, tell_of_failure  # imports spaCy: the bar is shown first

        try:
            tally = _process(paths, settings, view, local=local)
            for sentence in conclude(tally, settings):
                view.warn(sentence)
        except Exception as error:
            for sentence in tell_of_failure(error, settings):
                view.warn(sentence)
            raise
    view.ended(tally)
    return tally.exit_code


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
