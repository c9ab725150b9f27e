"""The commands of the README work as written, on a small input."""

import re
import shlex
from pathlib import Path

import pytest

from pipeline.child_processes import cores
from tests.command import ROOT, callqa

BLOCK = re.search(r"```sh\n(.*?)```", (ROOT / "README.md").read_text("utf-8"), re.DOTALL)


@pytest.mark.whisper
def test_the_quick_start_runs_as_written(tmp_path: Path) -> None:
    """Every line of the quick start exits well, on one of the sample calls."""
    (tmp_path / "sample_audio").mkdir()
    call = "billing-unresolved.wav"
    (tmp_path / "sample_audio" / call).write_bytes((ROOT / "sample_audio" / call).read_bytes())

    for line in BLOCK[1].strip().splitlines():
        words = shlex.split(line)
        assert words[0] == "callqa"
        done = callqa(*words[1:], cwd=tmp_path, timeout_s=300, OMP_NUM_THREADS=str(cores()))
        assert done.returncode == 0, f"{line}\n{done.stderr}"
