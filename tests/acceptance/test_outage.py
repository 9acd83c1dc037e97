"""The broker is gone for half a minute under a hundred working orders, and some of them fill meanwhile."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from contracts.broker import BreakFound, PositionAdopted
from contracts.enums import EndCause, OrderStatus
from contracts.orders import OrderFilled
from services.runtime.ports import Recorded
from tests.integration.test_oms_process import MARKET, World
from tests.nats_server import NatsServer
from tests.unit.oms.order_stories import AAPL, decision, terms
from tests.unit.simulator.process import RunningSimulator
from tests.unit.simulator.process import until as until_true
from tests.waiting import until

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]
OUTAGE_S = 30
RECONCILED_WITHIN_S = 5
LIMITS = ("90", "80", "70", "60")
EACH = 25
QUOTES = {"80": ("79.80", "79.90"), "70": ("69.80", "69.90")}
"""A market at which the orders with this limit, and those above it, fill."""


@pytest.fixture
def world(own_nats_server: NatsServer, tmp_path: Path) -> Iterator[World]:
    made = World(own_nats_server, tmp_path)
    yield made
    made.end()


async def filled_out_of_hearing(world: World) -> None:
    """Let the broker work on where the OMS cannot reach it, until the first two prices have filled, and die again."""
    hidden = await asyncio.to_thread(RunningSimulator, world.home / "simulator")
    try:
        await asyncio.to_thread(hidden.pin, AAPL, *QUOTES["80"])
        await asyncio.to_thread(until_true, lambda: len(hidden.control("state")["open_orders"]) == 2 * EACH)
    finally:
        hidden.close()


async def journal(world: World) -> list[Recorded]:
    last_seq = await world.journal.last_seq()
    found: list[Recorded] = []
    async for recorded in world.journal.read():
        found.append(recorded)
        if recorded.seq == last_seq:
            break
    return found


async def test_fills_of_an_outage_are_known_within_seconds_of_its_end_and_nothing_breaks_or_doubles(world: World):
    async with world.following():
        world.start_oms()
        await world.wait(lambda: world.core.state.account.cash_usd is not None)
        orders = {limit: await world.approve_many(EACH, terms(1, limit=limit), f"at-{limit}") for limit in LIMITS}
        everything = [order_id for order_ids in orders.values() for order_id in order_ids]
        await world.all_in(everything, OrderStatus.WORKING)
        port = world.simulator.url.rsplit(":", 1)[1]
        world.simulator.kill()
        over = asyncio.get_running_loop().time() + OUTAGE_S
        await world.wait(lambda: not world.core.state.account.broker_up)
        late = await world.approve(decision("late", MARKET, at=datetime.now(UTC)))
        await filled_out_of_hearing(world)
        await world.all_in([late], OrderStatus.EXPIRED)
        await asyncio.sleep(over - asyncio.get_running_loop().time())

        world.simulator = await asyncio.to_thread(RunningSimulator, world.home / "simulator", "--port", port)
        await asyncio.to_thread(world.simulator.pin, AAPL, *QUOTES["70"])  # and more fill while the OMS comes back
        done = [*orders["90"], *orders["80"], *orders["70"]]

        def reconciled() -> bool:
            state = world.core.state.account
            at_rest = world.statuses(orders["60"]) == {OrderStatus.WORKING}
            return state.broker_up and world.statuses(done) == {OrderStatus.FILLED} and at_rest

        await until(reconciled, RECONCILED_WITHIN_S)
        assert world.held() == 3 * EACH
        await world.agrees_with_the_broker()
        cash = Decimal((await world.broker())["cash"])  # pyright: ignore[reportArgumentType]
        assert world.core.state.account.cash_usd == cash
        told = [recorded.event for recorded in await journal(world)]
        assert not [event for event in told if isinstance(event, (BreakFound, PositionAdopted))]
        assert len([event for event in told if isinstance(event, OrderFilled)]) == 3 * EACH
        never_sent = world.core.state.order(late)  # pyright: ignore[reportArgumentType]
        assert never_sent is not None
        assert never_sent.detail == EndCause.DECISION_STALE
