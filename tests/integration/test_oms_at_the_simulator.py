"""The whole order side on the real wire: exits, replacements and lost answers at a simulator process."""

import asyncio
from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from contracts import subjects
from contracts.enums import LegRole
from contracts.ids import OrderId, leg_id_for
from contracts.orders import OrderAdopted, OrderReplaced, OrderTerms
from services.runtime.clock import SystemClock
from services.runtime.memory import MemoryJournal
from tests.conformance.broker_worlds import adapter_for
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, DEMO, bracket, decision, replace_decision, terms
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

type Story = Callable[[OmsWorld, RunningSimulator], Awaitable[None]]


def told(folder: Path, story: Story) -> None:
    """Run a story with an order side of its own at a simulator of its own."""

    async def within() -> None:
        simulator = RunningSimulator(folder / "data")
        world: Any = OmsWorld()
        world.clock = SystemClock()
        world.journal = MemoryJournal(ACCOUNT, world.clock)
        world.broker = adapter_for(simulator)
        try:
            simulator.pin(AAPL, "99.90", "100.10")
            async with asyncio.timeout(60), world.running():
                await story(world, simulator)
        finally:
            await world.broker.close()
            simulator.close()

    asyncio.run(within())


async def approve_terms(world: OmsWorld, order_id: OrderId, new_terms: OrderTerms, intent: str) -> None:
    approved = replace_decision(intent, order_id, new_terms, at=world.clock.now())
    await world.journal.append(subjects.decision(ACCOUNT, DEMO, intent), approved)


def test_a_bracket_lives_through_a_replaced_exit_to_its_flat_end(tmp_path: Path):
    async def story(world: OmsWorld, simulator: RunningSimulator) -> None:
        entry = await world.approve(decision("i-1", bracket(limit="95"), at=world.clock.now()))
        take, stop = leg_id_for(entry, LegRole.TAKE_PROFIT), leg_id_for(entry, LegRole.STOP_LOSS)
        await world.settled(entry, "working")
        await world.settled(stop, "held")
        await approve_terms(world, stop, replace(world.order(stop).terms, stop_price=Decimal(85)), "i-2")
        await until(lambda: world.order(stop).terms.stop_price == 85, 20)
        await asyncio.to_thread(simulator.pin, AAPL, "94.80", "94.90")
        await world.settled(take, "working")
        await world.settled(stop, "working")
        await asyncio.to_thread(simulator.pin, AAPL, "84.80", "84.90")
        await world.settled(stop, "filled")
        await world.settled(take, "canceled")
        await until(lambda: not world.core.state.account.positions[AAPL].qty, 10)
        assert world.of(OrderAdopted) == []

    told(tmp_path, story)


def test_new_terms_whose_answer_is_lost_are_asked_for_once_and_come_true(tmp_path: Path):
    async def story(world: OmsWorld, simulator: RunningSimulator) -> None:
        order_id = await world.approve(decision("i-1", terms(10, limit="90"), at=world.clock.now()))
        await world.settled(order_id, "working")
        await asyncio.to_thread(
            simulator.control, "faults", fault="accept_then_504", times=1, method="PATCH", path="/v2/orders/*"
        )
        await approve_terms(world, order_id, terms(12, limit="91"), "i-2")
        await until(lambda: world.order(order_id).terms.qty == 12, 20)
        await asyncio.to_thread(simulator.pin, AAPL, "90.80", "90.90")
        order = await world.settled(order_id, "filled")
        assert (order.filled_qty, len(order.parts)) == (12, 2)
        assert len(world.of(OrderReplaced)) == 1
        assert world.of(OrderAdopted) == []

    told(tmp_path, story)
