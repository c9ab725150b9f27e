"""``callqa`` as a user runs it, in a process of its own, and short calls for it."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

from typer.testing import CliRunner

from pipeline import contract
from pipeline.conversation import Transcript, Turn

ROOT = Path(__file__).parents[1]
COMMAND = (sys.executable, "-m", "pipeline")


def environment(**more: str) -> dict[str, str]:
    """The environment for ``COMMAND`` in any folder, with further variables."""
    return {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **more}


def callqa(
    *arguments: object, cwd: Path, timeout_s: float = 120, **env: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *map(str, arguments)],
        cwd=cwd, env=environment(**env), capture_output=True, text=True, timeout=timeout_s,
    )  # fmt: skip


def callqa_here(*arguments: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    """The same in this process, without the seconds of its start; an error is raised as it is."""
    from pipeline.cli.commands import app

    with contextlib.chdir(cwd):
        done = CliRunner().invoke(app, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False)
    return subprocess.CompletedProcess(arguments, done.return_value or 0, done.stdout, done.stderr)


def started(*arguments: str, cwd: Path, **how: object) -> subprocess.Popen[bytes]:
    """A command in groups of two calls that has just been started; its output goes to pipes."""
    usual = {
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "env": environment(CALLQA_FLOW__WINDOW="2"),
    }
    return subprocess.Popen([*COMMAND, *arguments], cwd=cwd, **{**usual, **how})


def write_calls(folder: Path, n: int, customer: str = "my card does not work") -> Path:
    """Transcript files of short support calls: no Whisper needed, so the test is quick."""
    folder.mkdir(exist_ok=True)
    for i in range(n):
        turns = (
            Turn(0, "agent", f"thank you for calling this is agent {i} how can I help", 0.0, 4.0),
            Turn(1, "customer", customer, 5.0, 7.0),
            Turn(2, "agent", "I am sorry to hear that let me look into it", 8.0, 11.0),
        )
        transcript = Transcript(f"call-{i:03}", turns, language="en", duration_s=12.0, channels=2)
        (folder / f"call-{i:03}.json").write_text(contract.to_json(transcript))
    return folder
