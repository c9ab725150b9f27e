"""Fixtures shared by all tests: development data beside the project, and a quiet environment."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
NO_SERVER_STAYS = "CALLQA_FLOW__SERVER_WAIT_S"
os.environ[NO_SERVER_STAYS] = "0"  # a test leaves no process behind

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


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keep the developer's own CALLQA_* variables out of the tests."""
    for name in [n for n in os.environ if n.startswith("CALLQA_") and n != NO_SERVER_STAYS]:
        monkeypatch.delenv(name)
