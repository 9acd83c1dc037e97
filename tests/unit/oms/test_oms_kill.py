"""The kill switch: at once, on both planes, until nothing works."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.enums import KillMode, Side
from contracts.ids import OPERATOR, OrderId
from contracts.orders import OrderCancelRequested
from services.oms.sweep import STUCK_AFTER
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
MARKET = terms(10, limit=None)


@pytest.mark.parametrize("mode", [KillMode.CANCEL_ALL, KillMode.FLATTEN])
async def test_everything_that_works_is_canceled_foreign_orders_too(mode: KillMode):
    world = OmsWorld()
    async with world.running():
        order_ids = [await world.approve(decision(f"i-{number}", RESTING)) for number in range(20)]
        for order_id in order_ids:
            await world.settled(order_id, "working")
        await world.broker.submit(OrderId("by-hand"), RESTING)
        await world.engage(mode)
        for order_id in order_ids:
            await world.settled(order_id, "canceled")
        await until(lambda: world.broker.book.orders[OrderId("by-hand")].status == "canceled")
    assert {event.requested_by for event in world.of(OrderCancelRequested)} <= {OPERATOR}


async def test_block_new_cancels_nothing():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.engage(KillMode.BLOCK_NEW)
        await world.comparisons(3)
        assert world.order(order_id).status == "working"


async def test_a_kill_that_was_only_heard_cancels_already():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.engage(KillMode.CANCEL_ALL, stored=False)
        await world.settled(order_id, "canceled")


async def test_a_kill_engaged_while_the_oms_was_dead_is_carried_out_at_its_start():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    await world.engage(KillMode.CANCEL_ALL, heard=False)
    async with world.running():
        await world.settled(order_id, "canceled")


async def test_an_order_that_turns_up_under_a_kill_is_canceled_too():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.CANCEL_ALL)
        await world.broker.submit(OrderId("by-hand"), RESTING)
        await until(lambda: world.broker.book.orders[OrderId("by-hand")].status == "canceled")


async def test_a_flatten_spares_the_orders_that_close_positions():
    world = OmsWorld()
    async with world.running():
        opened = await world.approve(decision("i-1", MARKET))
        await world.settled(opened, "filled")
        await world.engage(KillMode.FLATTEN)
        closing = decision("flatten-1", terms(10, Side.SELL, "100.50"), reduces=True, agent=OPERATOR)
        order_id = await world.approve(closing)
        await world.settled(order_id, "working")
        await world.comparisons(4)
        assert world.order(order_id).status == "working"
        world.broker.quote(AAPL, Decimal("100.60"), Decimal("100.70"))
        await world.settled(order_id, "filled")
    assert world.broker.book.holdings[AAPL].qty == 0


async def test_a_flatten_gives_up_a_closing_order_that_the_broker_took_and_never_put_to_work():
    world = OmsWorld()
    async with world.running():
        opened = await world.approve(decision("i-1", MARKET))
        await world.settled(opened, "filled")
        await world.engage(KillMode.FLATTEN)
        closing = decision("flatten-1", terms(10, Side.SELL, "100.50"), reduces=True, agent=OPERATOR)
        order_id = await world.approve(closing)
        await world.settled(order_id, "working")
        book = world.broker.book.orders
        book[order_id] = replace(book[order_id], status="pending_new")
        await world.comparisons(2)
        assert world.order(order_id).status == "working"
        world.clock.advance(STUCK_AFTER + timedelta(seconds=1))
        await world.settled(order_id, "canceled")
        assert book[order_id].status == "canceled"


async def test_an_exit_that_rests_far_from_the_market_does_not_hold_a_flatten_up():
    world = OmsWorld()
    async with world.running():
        opened = await world.approve(decision("i-1", MARKET))
        await world.settled(opened, "filled")
        await world.engage(KillMode.FLATTEN)
        order_id = await world.approve(decision("i-2", terms(10, Side.SELL, "150.00"), reduces=True))
        await world.settled(order_id, "working")
        world.clock.advance(STUCK_AFTER + timedelta(seconds=1))
        await world.settled(order_id, "canceled")


async def test_a_word_heard_twice_and_stored_once_ends_with_its_release():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW, stored=False)
        await world.engage(KillMode.BLOCK_NEW)
        world.clock.advance(timedelta(milliseconds=1))
        await world.release()
        await until(lambda: world.kill.mode is None)


async def test_the_widest_mode_holds_whichever_plane_told_it():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW)
        await world.engage(KillMode.FLATTEN, stored=False)
        assert world.kill.mode is KillMode.FLATTEN


async def test_noise_on_the_control_subject_does_not_harm():
    world = OmsWorld()
    async with world.running():
        world.kill.hear(b"\xff not a word")
        assert world.kill.mode is None
