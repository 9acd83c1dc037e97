"""One running system for all tests of this suite that do not need one of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.running_system import FAST, System


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file on one worker: each worker that gets one of them would start a system of its own."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.path.stem))


@pytest.fixture(scope="module")
def shared_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that is up; a test leaves it up and as it found it, save for its orders."""
    running = System(tmp_path_factory.mktemp("shared") / "home", **FAST)
    running.up()
    yield running
    running.down()


@pytest.fixture
def own_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of the test's own, not yet up."""
    own = System(tmp_path_factory.mktemp("own") / "home", **FAST)
    yield own
    own.down()
