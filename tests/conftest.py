"""Fixtures shared by all tests: development data beside the project, and a quiet environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("callqa", deadline=None)  # machines are shared: a slow example is no fault
settings.load_profile("callqa")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
# Before NumPy is imported: on two cores, the threads of two test processes waited for each other busily, and
# a call that is scored in 0.2 s took 16.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
for name in [name for name in os.environ if name.startswith("PREFECT_API")]:
    del os.environ[name]  # a developer's own server is none of our business

ROOT = Path(__file__).parents[1]
DATA = ROOT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def sample_audio() -> Path:
    """The folder of synthetic sample calls that ships with the project."""
    return ROOT / "sample_audio"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Real speech and text with human truth; absent outside the development machines."""
    if not DATA.is_dir():
        pytest.skip(f"development data is not at {DATA}")
    return DATA


@pytest.fixture(scope="session", autouse=True)
def _state_of_the_tests(tmp_path_factory: pytest.TempPathFactory) -> None:
    """One ``PREFECT_HOME`` for all tests, none of the developer's."""
    os.environ["PREFECT_HOME"] = str(tmp_path_factory.mktemp("state") / "prefect")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own CALLQA_* variables out of the tests."""
    for name in [n for n in os.environ if n.startswith("CALLQA_")]:
        monkeypatch.delenv(name)
