"""The changes that docs/tour.md describes can be made as it says, and their tests pass."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STEP = re.compile(
    r"^(?:In `(?P<file>[^`]+)`, (?P<side>after|before) `(?P<line>[^`]+)`|New, `(?P<new>[^`]+)`):\n\n"
    r"```(?:python)?\n(?P<code>.*?)```$",
    re.MULTILINE | re.DOTALL,
)
MOST_FILES = 3


def sections() -> dict[str, list[re.Match[str]]]:
    """Title of each change to its steps."""
    text = (ROOT / "docs" / "tour.md").read_text("utf-8")
    return {part.split("\n")[0]: list(STEP.finditer(part)) for part in text.split("\n## ")[1:]}


def copy_of_the_code(folder: Path) -> None:
    """The code, the helpers of its tests and the documents; weights as links."""
    for name in ("pipeline", "tests", "docs"):
        left_out = shutil.ignore_patterns("__pycache__", "weights", "test_*.py")
        shutil.copytree(ROOT / name, folder / name, ignore=left_out)
    for weights in (ROOT / "pipeline").rglob("weights"):
        (folder / weights.relative_to(ROOT)).symlink_to(weights)


def make(step: re.Match[str], folder: Path) -> None:
    """One step of a change; the line it names must be there, once."""
    if step["new"]:
        (folder / step["new"]).write_text(step["code"], "utf-8")
        return
    path = folder / step["file"]
    lines = path.read_text("utf-8").splitlines(keepends=True)
    (place,) = (number for number, line in enumerate(lines) if line.rstrip("\n") == step["line"])
    place += step["side"] == "after"
    path.write_text("".join([*lines[:place], step["code"], *lines[place:]]), "utf-8")


def test_each_change_touches_three_files_at_most() -> None:
    """A metric, a kind of check, a format and a column; the test is one of the files."""
    for title, steps in sections().items():
        files = {step["file"] or step["new"] for step in steps}
        assert 2 <= len(files) <= MOST_FILES, title
        assert sum(Path(name).name.startswith("test_") for name in files) == 1, title
    assert len(sections()) == 4


def run(folder: Path, *module: str) -> str:
    """What a module of the copy prints; it must end well."""
    ran = subprocess.run(
        [sys.executable, "-m", *module],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_the_changes_work_as_described(tmp_path: Path) -> None:
    """All four, made to a copy of the code, pass the tests they bring; `make docs` lists what they add."""
    copy_of_the_code(tmp_path)
    for steps in sections().values():
        for step in steps:
            make(step, tmp_path)
    assert "4 passed" in run(tmp_path, "pytest", "-q", "-p", "no:cacheprovider", "tests")

    run(tmp_path, "docs.generate")
    assert "| `turns` | the call has" in (tmp_path / "docs" / "rubrics.md").read_text("utf-8")
    assert "| `txt` | the words alone" in (tmp_path / "docs" / "review.md").read_text("utf-8")
    assert "| `agent_turns` | turns of the agent" in (tmp_path / "docs" / "metrics.md").read_text("utf-8")


@pytest.mark.parametrize("name", ["rttm", "vcon", "tokens", "obligation"])
def test_no_page_lists_formats_or_kinds_of_checks_by_hand(name: str) -> None:
    """Each has one row in the documents, which `make docs` writes."""
    for page in (ROOT / "docs").glob("*.md"):
        by_hand = re.sub(
            r"<!-- ([\w ]+): made by .*?<!-- end of \1 -->", "", page.read_text("utf-8"), flags=re.DOTALL
        )
        assert f"| `{name}` |" not in by_hand, page.name
