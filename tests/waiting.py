"""Waits for a condition with a deadline, never for luck."""

import asyncio
import time
from collections.abc import Callable

WAIT_S_MAX = 30.0
POLL_S = 0.02


async def until(condition: Callable[[], object], within_s: float = WAIT_S_MAX) -> None:
    """Poll until the condition holds; fail when it does not in time."""
    deadline = time.monotonic() + within_s
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"not within {within_s:g} s: {condition}")
        await asyncio.sleep(POLL_S)
