"""Fixtures of the simulator's unit tests."""

from collections.abc import Iterator

import pytest

from tests.unit.simulator.world import OPENED


@pytest.fixture(autouse=True)
def _closed_stores() -> Iterator[None]:
    """Close the files of every world a test has made."""
    yield
    while OPENED:
        OPENED.pop().close()
