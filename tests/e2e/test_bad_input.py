"""What a person may get wrong: one clear message with a hint, exit 2, nothing half-written."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

ROOT = Path(__file__).parents[2]

SOUND = """\
rubric: mine
version: "1"
title: Mine
mode: points
sections:
  - id: only
    title: Only
    criteria:
      - id: talk
        question: Did the customer get to speak?
        check: {kind: metric, metric: agent_talk_ratio, max: 0.75}
"""


def run(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """``callqa run`` on whatever the test prepared."""
    return subprocess.run(
        [sys.executable, "-m", "pipeline", "run", *map(str, arguments)],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CALLQA_STORE__LOCK_TIMEOUT_S": "0.5"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture
def calls(tmp_path: Path) -> Path:
    """A folder with one small transcript, so that no speech model is needed."""
    folder = tmp_path / "calls"
    folder.mkdir()
    (folder / "a.json").write_text('{"turns": [{"role": "agent", "text": "thank you for calling"}]}')
    return folder


def refused(done: subprocess.CompletedProcess[str], *words: str) -> None:
    """One message, with a hint, exit 2."""
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("error:") == 1, done.stderr
    assert "hint:" in done.stderr
    assert "Traceback" not in done.stderr
    for word in words:
        assert word in done.stderr.replace("\n", " "), done.stderr


def test_a_missing_path(tmp_path: Path) -> None:
    """The path is named and no database appears."""
    refused(run("nowhere/", "--db", "x.duckdb", cwd=tmp_path), "nowhere")
    assert not list(tmp_path.glob("x.duckdb*"))


def test_an_unknown_settings_key(calls: Path, tmp_path: Path) -> None:
    """The key is named with its slice."""
    (tmp_path / "callqa.toml").write_text("[transcribe]\nmodle = 'base'\n")
    refused(run(calls, cwd=tmp_path), "transcribe.modle")


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("rubric: [unclosed", "mine.yaml:"),
        (SOUND + "surprise: 1\n", "surprise"),
        (SOUND.replace("agent_talk_ratio", "no_such_metric"), "no_such_metric"),
    ],
)
def test_a_rubric_that_is_wrong(calls: Path, tmp_path: Path, text: str, word: str) -> None:
    """Bad YAML, an unknown key, an unknown metric: refused before any work."""
    (tmp_path / "mine.yaml").write_text(text)
    done = run(calls, "--rubric", "mine.yaml", "--db", "x.duckdb", cwd=tmp_path)
    refused(done, "mine.yaml", word)
    assert not list(tmp_path.glob("x.duckdb*"))


def test_a_database_another_process_holds(calls: Path, tmp_path: Path) -> None:
    """The holder is named after a short wait."""
    with duckdb.connect(str(tmp_path / "x.duckdb")):
        done = run(calls, "--db", "x.duckdb", cwd=tmp_path)
    refused(done, "x.duckdb", str(os.getpid()))


def test_a_database_of_a_newer_version(calls: Path, tmp_path: Path) -> None:
    """A file written by tomorrow's callqa is refused and left as it is."""
    assert run(calls, "--db", "x.duckdb", "--local", cwd=tmp_path).returncode == 0
    with duckdb.connect(str(tmp_path / "x.duckdb")) as connection:
        connection.execute("update schema_migrations set version = 999 where version = 1")
    before = (tmp_path / "x.duckdb").read_bytes()

    refused(run(calls, "--db", "x.duckdb", cwd=tmp_path), "schema version 999")
    assert (tmp_path / "x.duckdb").read_bytes() == before


def test_a_file_that_is_no_database(calls: Path, tmp_path: Path) -> None:
    """A foreign file given as --db is refused and left as it is."""
    (tmp_path / "x.duckdb").write_text("dear diary")
    refused(run(calls, "--db", "x.duckdb", cwd=tmp_path), "x.duckdb")
    assert (tmp_path / "x.duckdb").read_text() == "dear diary"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every folder")
def test_an_unreadable_folder(tmp_path: Path) -> None:
    """The folder is named."""
    (tmp_path / "closed").mkdir(mode=0)
    refused(run("closed", cwd=tmp_path), "closed")
