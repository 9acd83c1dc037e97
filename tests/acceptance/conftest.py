"""One running system for all tests of this suite that do not need one of their own."""

from collections.abc import Iterator

import pytest

from tests.acceptance.running_system import FAST, System


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
