"""Settings of the whole process are put back."""

import gc
import importlib
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress
from pathlib import Path

import pytest

from pipeline.interpreter import few_collections, no_collections, quick_switches, without_torch
from tests.command import environment, write_calls


@pytest.mark.parametrize("setting", [few_collections, no_collections, quick_switches])
def test_python_is_left_as_it_was(setting: Callable[[], AbstractContextManager[None]]) -> None:
    """Also after a fault inside."""

    def now() -> object:
        return gc.isenabled(), gc.get_threshold(), gc.get_freeze_count(), sys.getswitchinterval()

    before = now()
    with suppress(ValueError), setting():
        assert now() != before
        raise ValueError
    assert now() == before


def test_torch_is_hidden_only_inside(monkeypatch: pytest.MonkeyPatch) -> None:
    """What imports it meanwhile finds it not installed; afterwards it can be had again."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.delitem(sys.modules, "spacy", raising=False)
    with without_torch(), pytest.raises(ImportError):
        importlib.import_module("torch")
    assert "torch" not in sys.modules


def test_torch_is_not_hidden_once_spacy_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another thread may be importing torch then, and would find it not installed."""
    monkeypatch.delitem(sys.modules, "torch", raising=False)
    monkeypatch.setitem(sys.modules, "spacy", sys)
    with without_torch():
        assert "torch" not in sys.modules


@pytest.mark.parametrize(("file", "needed"), [("call-000.json", False), ("call.wav", True)])
def test_a_batch_of_transcripts_does_not_import_torch(tmp_path: Path, file: str, needed: bool) -> None:
    """It takes two seconds and 180 MB, which only recordings need."""
    if needed:
        sample = Path(__file__).parents[2] / "sample_audio" / "support-good.wav"
        (tmp_path / file).write_bytes(sample.read_bytes()[: 44 + 16_000])
    else:
        write_calls(tmp_path, 1)
    code = (
        "import sys; from pipeline.cli import main\ntry: main()\n"
        "finally: print('torch' in sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(tmp_path), "--local", "--db", str(tmp_path / "qa.duckdb")],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.stderr.splitlines()[-1] == str(needed)


def test_ctrl_c_during_imports_prints_no_traceback() -> None:
    """A third of a second passes before the command line can answer it in words."""
    code = (
        "import os, signal, sys\n"
        "class Interrupted:\n"
        "    def find_spec(name, path=None, target=None):\n"
        "        if name == 'pipeline.cli': os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.meta_path.insert(0, Interrupted)\n"
        "from pipeline.__main__ import main\n"
        "main()"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "--version"],
        env=environment(), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (-signal.SIGINT, "")
