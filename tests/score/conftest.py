"""A language model's server for the tests of judges."""

from collections.abc import Iterator

import pytest

from tests.judge_server import Model, serving


@pytest.fixture
def model() -> Iterator[Model]:
    """A server that answers honestly until told otherwise."""
    with serving(Model()) as served:
        yield served
