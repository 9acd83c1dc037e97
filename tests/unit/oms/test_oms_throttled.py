"""What a broker that says 429 does to orders: new risk waits and expires, exits and cancels go on."""

from datetime import timedelta

import pytest

from contracts.broker import BreakFound, BrokerLinkChanged
from contracts.enums import EndCause, KillMode, Side
from contracts.ids import OrderId
from contracts.orders import OrderTerms
from services.oms.brokers.memory import Fault
from services.oms.brokers.port import BrokerThrottledError, CancelOutcome, RateLimited, StillMay, SubmitOutcome
from services.oms.sender import SUBMITS_IN_FLIGHT_MAX
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, cancel_decision, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
MARKET = terms(10, limit=None)


class Halting:
    """Stands before the in-memory broker and turns new risk away, as the adapter's budget does after a 429."""

    def __init__(self, world: OmsWorld) -> None:
        self.on = True
        self.turned_away = 0
        self._submit = world.broker.submit
        world.broker.submit = self.submit

    async def submit(
        self, order_id: OrderId, wanted: OrderTerms, *, reduces: bool = False, still_may: StillMay | None = None
    ) -> SubmitOutcome:
        if self.on and not reduces:
            self.turned_away += 1
            return RateLimited(retry_after_ms=60_000)
        return await self._submit(order_id, wanted, reduces=reduces, still_may=still_may)


async def test_an_order_whose_decision_expires_while_it_waits_is_expired_and_never_sent_late():
    world = OmsWorld()
    async with world.running():
        halting = Halting(world)
        order_id = await world.approve(decision("i-1", MARKET))
        await until(lambda: halting.turned_away)
        world.clock.advance(timedelta(seconds=6))
        order = await world.settled(order_id, "expired")
        halting.on = False
        await world.comparisons(2)
    assert order.detail == EndCause.DECISION_STALE
    assert world.broker.submits == []


async def test_a_halt_that_ends_in_time_lets_the_order_go_once():
    world = OmsWorld()
    async with world.running():
        halting = Halting(world)
        order_id = await world.approve(decision("i-1", MARKET))
        await until(lambda: halting.turned_away > 2)
        halting.on = False
        await world.settled(order_id, "filled")
    assert world.broker.submits == [order_id]


async def test_exits_and_cancels_pass_any_number_of_orders_that_wait():
    world = OmsWorld()
    async with world.running():
        resting = await world.approve(decision("i-0", RESTING))
        await world.settled(resting, "working")
        halting = Halting(world)
        for number in range(SUBMITS_IN_FLIGHT_MAX + 10):
            await world.approve(decision(f"i-{number + 1}", MARKET))
        await until(lambda: halting.turned_away >= SUBMITS_IN_FLIGHT_MAX)
        exit_id = await world.approve(decision("x-1", terms(10, Side.SELL, None), reduces=True))
        await world.approve(cancel_decision("c-1", resting))
        await world.settled(exit_id, "filled")
        await world.settled(resting, "canceled")
        world.clock.advance(timedelta(seconds=6))
        await until(lambda: not world.core.state.account.open_orders)


async def test_a_cancel_that_is_turned_away_is_asked_until_it_is_taken():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        cancel, left = world.broker.cancel, [RateLimited(retry_after_ms=1)] * 40

        async def turned_away(broker_order_id: str) -> CancelOutcome:
            return left.pop() if left else await cancel(broker_order_id)

        world.broker.cancel = turned_away
        await world.approve(cancel_decision("c-1", order_id))
        await world.settled(order_id, "canceled")


async def test_a_kill_cancels_what_works_while_questions_must_wait():
    world = OmsWorld()
    async with world.running():
        order_ids = [await world.approve(decision(f"i-{number}", RESTING)) for number in range(3)]
        for order_id in order_ids:
            await world.settled(order_id, "working")

        async def must_wait():
            raise BrokerThrottledError("too many requests", 60_000)

        world.broker.open_orders = must_wait
        await world.engage(KillMode.CANCEL_ALL)
        for order_id in order_ids:
            await world.settled(order_id, "canceled")


async def test_reads_that_must_wait_say_nothing_of_the_link_and_comparisons_go_on_after():
    world = OmsWorld()
    async with world.running():
        await until(lambda: world.core.state.account.cash_usd is not None)
        await until(lambda: world.core.state.account.broker_up)
        positions, waits = world.broker.positions, [20] * 3

        async def must_wait():
            if waits:
                raise BrokerThrottledError("the request budget is spent", waits.pop())
            return await positions()

        world.broker.positions = must_wait
        await until(lambda: not waits)
        await world.comparisons(2)
    assert [link.up for link in world.of(BrokerLinkChanged)] == [True]
    assert not world.of(BreakFound)


async def test_a_rate_limited_broker_breaks_and_doubles_nothing():
    world = OmsWorld()
    world.broker.fail_submits(*[Fault.RATE_LIMITED] * 20)
    async with world.running():
        order_ids = [await world.approve(decision(f"i-{number}", replace_qty(number))) for number in range(10)]
        for order_id in order_ids:
            await world.settled(order_id, "filled")
    assert sorted(world.broker.submits) == sorted(order_ids)
    assert world.core.state.account.positions[AAPL].qty == sum(range(1, 11))


def replace_qty(number: int) -> OrderTerms:
    return terms(number + 1, limit=None)
