"""A gateway in memory for each test."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from tests.unit.gateway.world import World, running_world


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncGenerator[World, None]:
    async with running_world(tmp_path) as one:
        yield one
