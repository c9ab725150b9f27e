"""Settings of the whole process are put back."""

import gc
import importlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest

from pipeline.interpreter import few_collections, no_collections, quick_switches, without_torch


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
    with without_torch(), pytest.raises(ImportError):
        importlib.import_module("torch")
    assert "torch" not in sys.modules
