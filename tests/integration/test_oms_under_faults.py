"""The OMS under every fault: after reconciliation its books are the broker's, and nothing was sent twice."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.faulty_oms import FaultyOms, oms_at, trade
from tests.unit.simulator.process import RunningSimulator

PARTIAL = ("--partial-percent", "100")
LIMIT_S = 60

Fault = dict[str, Any]
Told = Callable[[Callable[[FaultyOms], Awaitable[None]]], None]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    found = RunningSimulator(tmp_path / "data", *PARTIAL)
    yield found
    found.close()


@pytest.fixture
def told(simulator: RunningSimulator) -> Told:
    """Run one story of an OMS at a fresh simulator."""

    def run(story: Callable[[FaultyOms], Awaitable[None]]) -> None:
        async def within() -> None:
            async with asyncio.timeout(LIMIT_S), oms_at(simulator) as world:
                await story(world)

        asyncio.run(within())

    return run


def chance(name: str, seed: int, probability: str = "0.3", **options: Any) -> Fault:
    return {"fault": name, "seed": seed, "probability": probability, **options}


def storm(seed: int) -> list[Fault]:
    """Everything that can happen to updates, by chance."""
    names = ("drop_update", "duplicate_update", "null_frame", "unknown_event", "missing_fields", "cumulative_qty")
    late = [chance("delay_update", seed, delay_ms=60), chance("reorder_update", seed, window=3, hold_ms=100)]
    return [*late, *(chance(name, seed) for name in names)]


UPDATES: dict[str, list[Fault]] = {
    "fills are lost": [{"fault": "drop_update", "event": "fill,partial_fill"}],
    "all updates are lost": [{"fault": "drop_update"}],
    "half of the updates are lost": [chance("drop_update", 3, "0.5")],
    "updates come late": [chance("delay_update", 5, "0.5", delay_ms=150)],
    "updates come three times": [{"fault": "duplicate_update", "copies": 2}],
    "updates come again later": [{"fault": "duplicate_update", "delay_ms": 150}],
    "updates come in another order": [{"fault": "reorder_update", "window": 4, "hold_ms": 200, "seed": 2}],
    "quantities are cumulative": [{"fault": "cumulative_qty"}],
    "quantities are cumulative at the average price": [{"fault": "cumulative_qty", "form": "average"}],
    "fills have an unknown event name": [{"fault": "unknown_event", "event": "fill,partial_fill,canceled"}],
    "orders have an unknown status in updates": [{"fault": "unknown_status", "where": "stream"}],
    "orders have an unknown status in answers": [{"fault": "unknown_status", "where": "rest", "times": 12}],
    "optional fields are missing": [{"fault": "missing_fields"}],
    "frames have no data": [{"fault": "null_frame"}],
    "frames without data come instead of fills": [{"fault": "null_frame", "event": "fill", "instead": True}],
    "the socket breaks at every fill": [{"fault": "disconnect_on_update", "event": "fill,partial_fill"}],
    "the socket is silent": [{"fault": "silent_stream"}],
    "the socket is deaf": [{"fault": "silent_stream", "deaf": True, "seconds": 3}],
    "the socket breaks and is refused": [
        {"fault": "disconnect_on_update", "event": "new", "times": 1},
        {"fault": "refuse_stream", "times": 5},
    ],
    "storm 1": storm(1),
    "storm 2": storm(2),
    "storm 3": storm(3),
}
CANCELING: Fault = {"method": "DELETE", "path": "/v2/orders/*"}
ASKING: Fault = {"method": "GET", "path": "*"}
REQUESTS: dict[str, list[Fault]] = {
    "504 after the order was taken": [{"fault": "accept_then_504", "times": 3}],
    "the connection breaks after the order was taken": [{"fault": "accept_then_reset", "times": 3}],
    "504 and the order was not taken": [{"fault": "refuse_504", "times": 2}],
    "the connection breaks and the order was not taken": [{"fault": "refuse_reset", "times": 2}],
    "no answer after the order was taken": [{"fault": "stall", "accept": True, "times": 2}],
    "no answer and the order was not taken": [{"fault": "stall", "times": 2}],
    "the answer is cut in half": [{"fault": "garbled_answer", "times": 3}],
    "500 after the order was taken": [{"fault": "server_error", "accept": True, "times": 3}],
    "500 and the order was not taken": [{"fault": "server_error", "times": 2}],
    "429 for everything": [{"fault": "rate_limit", "times": 5}],
    "429 with a long wait": [{"fault": "rate_limit", "times": 1, "method": "POST", "retry_after": 1}],
    "504 after the cancel was taken": [{"fault": "accept_then_504", **CANCELING, "times": 2}],
    "no answer after the cancel was taken": [{"fault": "stall", **CANCELING, "accept": True, "times": 1}],
    "the connection breaks before the cancel": [{"fault": "refuse_reset", **CANCELING, "times": 2}],
    "429 for cancels": [{"fault": "rate_limit", **CANCELING, "times": 2, "headers": "none"}],
    "questions are answered with 500": [chance("server_error", 4, "0.5", **ASKING)],
    "look-ups fail after a doubtful send": [
        {"fault": "accept_then_reset", "times": 1},
        {"fault": "server_error", "method": "GET", "path": "/v2/orders:*", "times": 3},
    ],
    "504 while updates are lost": [{"fault": "accept_then_504", "times": 3}, {"fault": "drop_update"}],
    "requests and updates in a storm": [
        *storm(4),
        chance("accept_then_504", 4),
        chance("refuse_504", 5),
        chance("accept_then_reset", 6),
    ],
}


@pytest.mark.parametrize("faults", UPDATES.values(), ids=UPDATES.keys())
def test_whatever_happens_to_updates_the_books_agree_in_the_end(told: Told, faults: list[Fault]) -> None:
    async def story(world: FaultyOms) -> None:
        for fault in faults:
            await world.arm(**fault)
        await trade(world)
        await world.agree()
        assert await world.hits() > 0

    told(story)


@pytest.mark.parametrize("faults", REQUESTS.values(), ids=REQUESTS.keys())
def test_whatever_happens_to_requests_the_books_agree_in_the_end(told: Told, faults: list[Fault]) -> None:
    async def story(world: FaultyOms) -> None:
        for fault in faults:
            await world.arm(**fault)
        await trade(world)
        await world.agree()
        assert await world.hits() > 0

    told(story)
