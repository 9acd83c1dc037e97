"""Fixtures shared by all suites."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

from tests.nats_server import NatsServer, running_server
from tests.postgres_server import PostgresServer

settings.register_profile("house", derandomize=True, deadline=None)
settings.register_profile("nightly", max_examples=5_000, stateful_step_count=80, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "house"))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Run async tests on asyncio alone; the code knows no other loop."""
    return "asyncio"


@pytest.fixture(scope="session")
def nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """One real server for all tests of a worker that do not kill it: `url`, `connect(user)`, `fresh_account()`."""
    server = running_server(tmp_path_factory.mktemp("nats"))
    yield server
    server.kill()


@pytest.fixture
def own_nats_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NatsServer]:
    """A real server of the test's own, to be killed and started at will."""
    server = running_server(tmp_path_factory.mktemp("own-nats"))
    yield server
    server.kill()


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A real PostgreSQL for all tests of a worker: that of `DATABASE_URL`, or one of our own."""
    given = os.environ.get("DATABASE_URL")
    if given:
        yield given
        return
    server = PostgresServer()
    try:
        server.start()
        yield server.url()
    finally:
        server.remove()


@pytest.fixture
def own_postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL of the test's own, to be killed and started at will."""
    server = PostgresServer()
    try:
        server.start()
        yield server
    finally:
        server.remove()
