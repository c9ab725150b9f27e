"""Run one stage on single files; only ``original`` needs a database."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cli.app import app
from pipeline.cli.console import note, waited_for
from pipeline.cli.scorecard import clock, render
from pipeline.cli.store import ConfigOption, Db, open_store
from pipeline.conversation import Conversation, Transcript
from pipeline.errors import UsageError

RubricsOption = Annotated[
    list[str] | None, typer.Option("--rubric", help="Rubric file or shipped name; again for several.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout, for other programs.")]


@app.command()
def transcribe(
    file: Annotated[Path, typer.Argument(help="A recording in any common format.")],
    as_json: JsonOption = False,
    as_srt: Annotated[bool, typer.Option("--srt", help="SubRip subtitles.")] = False,
    as_vtt: Annotated[bool, typer.Option("--vtt", help="WebVTT with speaker voices.")] = False,
    model: Annotated[str | None, typer.Option(help="Whisper model name or path.")] = None,
    language: Annotated[str | None, typer.Option(help="Language spoken: ISO 639-1 code, or auto.")] = None,
    config: ConfigOption = None,
) -> None:
    """Transcribe one recording to stdout.

    Example: callqa transcribe sample_audio/support-good.wav --vtt
    """
    if as_json + as_srt + as_vtt > 1:
        raise UsageError("--json, --srt and --vtt exclude one another", hint="choose one")
    from pipeline.process.files import transcribe_file
    from pipeline.settings import load_settings
    from pipeline.transcribe import warning

    settings = load_settings(config, transcribe={"model": model, "language": language})
    if slow := warning(settings.transcribe):
        note(slow)
    transcript = transcribe_file(file, settings)
    if as_json:
        _print_json(transcript)
    elif as_srt or as_vtt:
        from pipeline.export.captions import srt, vtt

        sys.stdout.write((srt if as_srt else vtt)(transcript))
    else:
        _print_turns(transcript)


@app.command()
def annotate(
    files: Annotated[
        list[Path], typer.Argument(help="Transcripts: callqa's JSON, vCon, other tools' JSON, subtitles.")
    ],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Sentiment, findings and metrics of transcript files.

    With --json one conversation a line is printed, in the order of the files.

    Example: callqa annotate sample_audio/support-good.expected.json
    """
    from pipeline.process.files import annotate_files
    from pipeline.settings import load_settings

    annotated = annotate_files(files, load_settings(config))
    for conversation in waited_for("reading what was said", annotated):
        if as_json:
            _print_json(conversation)
        else:
            _print_conversation(conversation)


@app.command()
def score(
    files: Annotated[list[Path], typer.Argument(help="Transcript files, annotated or not.")],
    rubric: Annotated[str, typer.Option("--rubric", help="A rubric file or a shipped rubric's name.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Answer a rubric on transcript files: no audio, no database.

    With --json one scorecard a line is printed, in the order of the files.

    Example: callqa score sample_audio/support-good.expected.json --rubric support
    """
    from pipeline.process.files import score_files
    from pipeline.settings import load_settings

    scored = score_files(files, rubric, load_settings(config))
    for scorecard in waited_for("scoring", scored):
        if as_json:
            _print_json(scorecard)
        else:
            Console().print(render(scorecard))


@app.command()
def original(
    call: Annotated[str, typer.Argument(help="Call id.", metavar="CALL")],
    reason: Annotated[str, typer.Option("--reason", help="Why; it goes on record.", metavar="TEXT")],
    db: Db = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Transcribe one call again without redaction. Who asked, when and why goes on record.

    The words come from the recording itself, which must still lie where it was; nothing is stored.
    The record is originals.jsonl in the state folder beside the database.

    Example: callqa original call-0042 --reason "dispute 118, card holder asked" --db out/qa.duckdb
    """
    from pipeline.process.files import original_of
    from pipeline.settings import load_settings
    from pipeline.store import CallFilter

    if not reason.strip():
        raise UsageError("--reason is empty", hint="say why the original is needed")
    with open_store(db, config) as store:
        files = store.query(
            "SELECT path, audio_sha256 FROM ledger WHERE call_id = ? AND status = 'scored' LIMIT 1", [call]
        )
        stored = next(store.conversations(CallFilter(call_ids=(call,))), None)
        settings = load_settings(config, store={"db": store.db})
    if not files or stored is None:
        raise UsageError(
            f"call {call} is not in the database",
            hint='list the calls with: callqa sql "SELECT call_id FROM v_calls"',
        )
    path, sha256 = files[0]["path"], files[0]["audio_sha256"]
    transcript = original_of(path, sha256, stored[0], settings, reason.strip())
    if as_json:
        _print_json(transcript)
    else:
        _print_turns(transcript)


def _print_json(noun: object) -> None:
    from pipeline.contract import to_json

    sys.stdout.write(to_json(noun) + "\n")


def _print_turns(transcript: Transcript) -> None:
    table = Table("time", "who", "said", box=box.SIMPLE_HEAD)
    for turn in transcript.turns:
        table.add_row(clock(turn.start_s), turn.role, Text(turn.text))
    _print_tables([table], transcript.warnings)


def _print_conversation(conversation: Conversation) -> None:
    styles = {"negative": "red", "neutral": "", "positive": "green"}
    turns = Table("time", "who", "mood", "said", box=box.SIMPLE_HEAD)
    for turn in conversation.transcript.turns:
        mood = turn.sentiment
        style = styles[mood.label] if mood else ""
        score = f"{mood.score:+.2f}" if mood else ""
        turns.add_row(clock(turn.start_s), turn.role, score, Text(turn.text, style=style))
    findings = Table("finding", "time", "quote", "value", box=box.SIMPLE_HEAD)
    for finding in conversation.findings:
        label, value = f"{finding.kind}: {finding.label}", "" if finding.value is None else str(finding.value)
        findings.add_row(label, clock(finding.start_s), Text(finding.text), Text(value))
    metrics = Table("metric", "value", box=box.SIMPLE_HEAD)
    for name, number in conversation.metrics.items():
        metrics.add_row(name, "unknown" if number is None else f"{number:.2f}")
    _print_tables([turns, findings, metrics], (*conversation.transcript.warnings, *conversation.warnings))


def _print_tables(tables: Sequence[Table], warnings: Sequence[str]) -> None:
    console = Console()
    for table in tables:
        console.print(table)
    for warning in warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
