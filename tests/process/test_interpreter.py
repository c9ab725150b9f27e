"""Settings of the whole process are put back."""

import gc
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, suppress

import pytest

from pipeline.interpreter import few_collections, no_collections, quick_switches


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
