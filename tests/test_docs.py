"""Documents made from code are current, and every command is documented with help."""

import importlib
import inspect
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import typer

from pipeline import metrics, settings, turns
from pipeline.audio import clip
from pipeline.cli.commands import app
from pipeline.cli.run import doctor as doctor_command
from pipeline.export import captions, sound
from pipeline.process import doctor, loop, report
from pipeline.speakers import diarise, parties, roles
from pipeline.transcribe import recognition, vad

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
generate = importlib.import_module("docs.generate")


@pytest.mark.parametrize("name", generate.DOCUMENTS)
def test_generated_documents_have_not_drifted(name: str) -> None:
    """`make docs` would change nothing."""
    assert (ROOT / "docs" / name).read_text("utf-8") == generate.DOCUMENTS[name]()


def test_every_command_has_help_and_an_example() -> None:
    """A newcomer finds out what a command does, with a line to copy, from --help alone."""
    for name, command in generate.commands(typer.main.get_command(app)):
        assert command.help, name
        assert "Example" in command.help, f"{name} shows no Example"


def test_every_command_on_a_database_takes_the_settings_file() -> None:
    """Who names the database in night.toml gives every command --config night.toml."""
    for name, command in generate.commands(typer.main.get_command(app)):
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--db" not in options or "--config" in options, name


def test_links_between_documents_lead_somewhere() -> None:
    """No relative link in a document is broken."""
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"


def steps_of(*functions: Callable[..., object]) -> list[str]:
    """The steps that functions of the loop ask for, which are the tasks of a flow run."""
    return [n for f in functions for n in re.findall(r'steps\.do(?:, |\()"(\w+)"', inspect.getsource(f))]


IN_WORDS = {2: "two", 3: "three"}
HERE = steps_of(loop._begin_here, loop._load)
IN_WORKERS = steps_of(loop._begin_in, loop._load)
CHECKS = [check.__name__.strip("_") for check in doctor.CHECKS]
CLAIMS = [
    ("transcription.md", "padded by {:g} s", vad.PAD_S),
    ("transcription.md", "joined up to {:g} s", recognition.FULL_CONTEXT_S),
    ("transcription.md", "is padded by {:g} s, to", recognition.MARGIN_S),
    ("transcription.md", "at least {:g} s and at most", recognition.LEAST_CONTEXT_S),
    ("transcription.md", "padded to {:g} s", recognition.LEAST_CONTEXT_S),
    ("transcription.md", "a pause of {:g} s", turns.TURN_PAUSE_S),
    ("transcription.md", "a gap of {:g} s", turns.YIELD_PAUSE_S),
    ("audio.md", "more than {:.1f} million samples", clip.MAX_SAMPLES_IN_MEMORY / 1e6),
    ("audio.md", "shorter than `intake.min_audio_s` ({:g} s)", settings.IntakeSettings().min_audio_s),
    ("audio.md", "Clipping is reported from {:.0%} of the samples", clip.CLIPPED_SHARE),
    ("audio.md", "| {:.0%} of the samples are at full scale", clip.CLIPPED_SHARE),
    ("audio.md", "Windows of {:g} s", diarise.WINDOW_S),
    ("audio.md", "contradicts it (under {:.0%})", parties.CONTRADICTION),
    ("audio.md", "at least {:.0%} sure", roles.ENOUGH_EVIDENCE),
    ("metrics.md", "longer than {:g} s between", metrics.DEAD_AIR_S),
    ("metrics.md", "longer than {:g} s in which both speak (MiiTel)", metrics.OVERTALK_S),
    ("metrics.md", "longer than {:g} s in which both speak, backchannels", metrics.OVERLAP_S),
    ("operations.md", "{} more tries", IN_WORDS[len(loop.RETRY_DELAYS_S)]),
    ("operations.md", "a group that kills {} becomes", IN_WORDS[loop.DEATHS_OF_A_GROUP]),
    ("operations.md", "A run has {} tasks a group", IN_WORDS[len(HERE)]),
    ("operations.md", "a group ({})", ", ".join(HERE)),
    ("operations.md", "or {} where other processes do the work", IN_WORDS[len(IN_WORKERS)]),
    ("operations.md", "do the work ({})", ", ".join(IN_WORKERS)),
    ("scaling.md", "{} tasks a group", IN_WORDS[len(HERE)]),
    ("scaling.md", "or {} with the pool runners", IN_WORDS[len(IN_WORKERS)]),
    ("operations.md", "the last {}", report.KEPT_SUMMARIES),
    ("review.md", "(up to {:.0f} MB)", sound.MOST_EMBEDDED_BYTES / 2**20),
    ("review.md", "cut at {} characters", captions.LONGEST_CUE_CHARS),
    ("review.md", "characters or {:g} s", captions.LONGEST_CUE_S),
]


@pytest.mark.parametrize(("name", "claim", "value"), CLAIMS)
def test_figures_in_documents_are_those_of_the_code(name: str, claim: str, value: float | str) -> None:
    """A constant that a document names is the constant that the code has."""
    text = " ".join((ROOT / "docs" / name).read_text("utf-8").split())
    assert claim.format(value).replace("%", " %") in text


def test_limits_written_in_words_are_those_of_the_code() -> None:
    """A day of recording, and a second between words of one interval."""
    assert (clip.MAX_DURATION_S, metrics.JOIN_GAP_S) == (24 * 3600, 1)


def test_every_check_of_doctor_is_named_where_doctor_is_described() -> None:
    """Its help and the page name each check as doctor prints it, and no others, in doctor's order."""
    page = (ROOT / "docs" / "operations.md").read_text("utf-8")
    told = page.split("It checks ")[1].split(", and prints")[0]
    for text in (told, (doctor_command.__doc__ or "").removeprefix("Check ").split(";")[0]):
        plain = re.sub(r" \(.*?\)", "", " ".join(text.split())).lower().replace(" and ", ", ")
        assert plain.split(", ") == CHECKS
