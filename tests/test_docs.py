"""Documents made from code are current, and every command is documented with help."""

import importlib
import re
import sys
from pathlib import Path

import pytest
import typer

from pipeline.cli.commands import app

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


def test_links_between_documents_lead_somewhere() -> None:
    """No relative link in a document is broken."""
    for document in [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", document.read_text("utf-8")):
            assert (document.parent / target).exists(), f"{document.name}: {target}"
