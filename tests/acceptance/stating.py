"""Orders over HTTP, and what became of them, for tests with the whole system running."""

import asyncio
from collections.abc import Callable
from typing import Any

from tests.acceptance.running_system import System, eventually


def submit(system: System, who: str = "agent-demo", **fields: Any) -> Any:
    """State an order for one AAPL at the market, or what is said otherwise."""
    base = {"symbol": "AAPL", "side": "buy", "qty": "1", "type": "market"}
    status, answer = system.http("POST", "/v1/intents", base | fields, who)
    assert status == 200, answer
    return answer


def code(answer: Any) -> str | None:
    """Give the code of a denial, none of an approval."""
    return answer["reason"]["code"] if answer["status"] == "rejected" else None


def wait[T](ask: Callable[[], T], holds: Callable[[T], bool], what: str) -> T:
    """Ask until the answer holds."""
    return asyncio.run(eventually(ask, holds, what))
