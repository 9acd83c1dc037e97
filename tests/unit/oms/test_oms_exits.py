"""Brackets, OCO and OTO: exits are orders of their own, under names of ours, and never foreign."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.enums import KillMode, LegRole, OrderClass, OrderStatus, OrderType, Side, TimeInForce
from contracts.ids import EXTERNAL, OrderId, leg_id_for
from contracts.intents import StopLoss, TakeProfit
from contracts.orders import OrderAdopted, OrderLegAdded, OrderTerms
from services.oms.brokers.memory import Fault
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, DEMO, bracket, cancel_all_decision, cancel_decision, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
TAKE, STOP = LegRole.TAKE_PROFIT, LegRole.STOP_LOSS
MARKET_BRACKET = bracket(limit=None)
OCO = replace(bracket(limit="120", order_class=OrderClass.OCO), side=Side.SELL)


def position(world: OmsWorld) -> Decimal:
    held = world.core.state.account.positions.get(AAPL)
    return Decimal(0) if held is None else held.qty


async def exits_known(world: OmsWorld, parent: OrderId) -> tuple[OrderId, OrderId]:
    take, stop = leg_id_for(parent, TAKE), leg_id_for(parent, STOP)
    await until(lambda: world.core.state.order(take) and world.core.state.order(stop))
    return take, stop


async def test_a_brackets_exits_are_held_until_the_entry_fills_and_belong_to_its_agent():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", bracket()))
        take, stop = await exits_known(world, entry)
        await world.settled(entry, "working")
        assert (world.order(take).status, world.order(stop).status) == (OrderStatus.HELD, OrderStatus.HELD)
        world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        await world.settled(take, "working")
        await world.settled(stop, "working")
    added = {event.role: event for event in world.of(OrderLegAdded)}
    assert {event.agent for event in added.values()} == {DEMO}
    assert {event.correlation_id for event in added.values()} == {"i-1"}
    assert (added[TAKE].terms.order_type, added[TAKE].terms.limit_price) == (OrderType.LIMIT, 120)
    assert (added[STOP].terms.order_type, added[STOP].terms.stop_price) == (OrderType.STOP, 80)
    assert world.of(OrderAdopted) == []


async def test_the_exit_that_fills_ends_the_other_and_the_position():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", MARKET_BRACKET))
        take, stop = await exits_known(world, entry)
        await world.settled(take, "working")
        world.broker.quote(AAPL, Decimal("79.80"), Decimal("79.90"))
        await world.settled(stop, "filled")
        await world.settled(take, "canceled")
        await until(lambda: not position(world))
    assert world.core.state.account.open_orders == 0


async def test_an_exit_that_fills_in_part_cuts_the_other_one():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", MARKET_BRACKET))
        take, stop = await exits_known(world, entry)
        await world.settled(take, "working")
        leg = OrderId(next(o.client_order_id for o in world.broker.book.orders.values() if o.role is TAKE))
        world.broker.fill(leg, Decimal(4), Decimal(120))
        await until(lambda: world.order(stop).terms.qty == 6)
    assert world.order(take).filled_qty == 4
    assert world.order(stop).status is OrderStatus.WORKING


async def test_both_exits_of_an_oco_are_known_and_the_first_to_fill_ends_the_other():
    world = OmsWorld()
    async with world.running():
        held = await world.approve(decision("i-0", terms(10, limit=None)))
        await world.settled(held, "filled")
        take = await world.approve(decision("i-1", OCO, reduces=True))
        stop = leg_id_for(take, STOP)
        await world.settled(stop, "working")
        world.broker.quote(AAPL, Decimal("120.10"), Decimal("120.20"))
        await world.settled(take, "filled")
        await world.settled(stop, "canceled")
        await until(lambda: not position(world))


async def test_an_oto_brings_the_one_exit_that_it_names():
    world = OmsWorld()
    async with world.running():
        oto = bracket(limit=None, order_class=OrderClass.OTO, take=None)
        entry = await world.approve(decision("i-1", oto))
        await world.settled(leg_id_for(entry, STOP), "working")
    assert world.core.state.order(leg_id_for(entry, TAKE)) is None


async def test_exits_that_nobody_recorded_before_a_crash_are_found_by_their_entry_and_not_adopted():
    world = OmsWorld()
    entry = await world.approve(decision("i-1", MARKET_BRACKET))
    await world.broker.submit(entry, MARKET_BRACKET)  # sent, filled, and the sender died before its record
    async with world.running():
        take, stop = await exits_known(world, entry)
        await world.settled(entry, "filled")
        await world.settled(take, "working")
        await world.settled(stop, "working")
    assert world.of(OrderAdopted) == []


async def test_exits_whose_entry_ended_before_a_crash_are_found_too():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", terms(10, limit="90")))
        await world.settled(entry, "working")
    about = world.broker.book.about[entry]
    async with world.running():
        assert about.terms.order_class is OrderClass.SIMPLE
    second = OmsWorld()
    second.broker.fail_submits(Fault.LOST_ANSWER)
    second.broker.drop_updates(100)
    async with second.running():
        entry = await second.approve(decision("i-1", MARKET_BRACKET))
        take, _ = await exits_known(second, entry)
        await second.settled(take, "working")
    assert second.of(OrderAdopted) == []


async def test_an_exit_told_before_the_answer_to_its_submit_waits_for_it():
    world = OmsWorld()
    async with world.running():
        world.broker.repeat_updates(100)
        entry = await world.approve(decision("i-1", MARKET_BRACKET))
        take, stop = await exits_known(world, entry)
        await world.settled(take, "working")
        await world.settled(stop, "working")
        await world.comparisons(2)
    assert len(world.of(OrderLegAdded)) == 2
    assert world.of(OrderAdopted) == []


async def test_an_exit_can_be_canceled_by_its_name_which_ends_the_other_too():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", MARKET_BRACKET))
        take, stop = await exits_known(world, entry)
        await world.settled(stop, "working")
        await world.approve(cancel_decision("i-2", stop))
        await world.settled(stop, "canceled")
        await world.settled(take, "canceled")
    assert position(world) == 10


async def test_a_cancel_of_all_asks_for_each_order_that_it_names():
    world = OmsWorld()
    async with world.running():
        wanted = [await world.approve(decision(f"i-{number}", terms(1, limit="90"))) for number in range(3)]
        kept = await world.approve(decision("i-9", terms(1, limit="90")))
        for order_id in (*wanted, kept):
            await world.settled(order_id, "working")
        await world.journal.append("acct.paper.decision.demo.all", cancel_all_decision("all", tuple(wanted)))
        for order_id in wanted:
            await world.settled(order_id, "canceled")
    assert world.order(kept).status is OrderStatus.WORKING
    assert not world.core.state.cancels


async def test_a_kill_cancels_exits_that_wait():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", bracket()))
        take, stop = await exits_known(world, entry)
        await world.settled(entry, "working")
        await world.engage(KillMode.CANCEL_ALL)
        for order_id in (entry, take, stop):
            await world.settled(order_id, "canceled")


async def test_a_bracket_made_by_hand_is_adopted_with_its_exits_as_exits():
    world = OmsWorld()
    async with world.running():
        await world.broker.submit(OrderId("by-hand"), bracket())
        await until(lambda: len(world.of(OrderLegAdded)) == 2)
        await world.comparisons(2)
    (adopted,) = world.of(OrderAdopted)
    assert {event.parent_id for event in world.of(OrderLegAdded)} == {adopted.order_id}
    assert {event.agent for event in world.of(OrderLegAdded)} == {EXTERNAL}


@pytest.mark.parametrize(
    ("wanted", "quotes", "price"),
    [
        (OrderTerms(symbol=AAPL, side=Side.BUY, order_type=OrderType.STOP, qty=Decimal(5), stop_price=Decimal(101)),
         [("100.80", "101.00")], "101"),
        (OrderTerms(symbol=AAPL, side=Side.BUY, order_type=OrderType.TRAILING_STOP, qty=Decimal(5),
                    trail_price=Decimal(2), time_in_force=TimeInForce.GTC),
         [("95.00", "95.10"), ("97.00", "97.10")], "97.1"),
        (OrderTerms(symbol=AAPL, side=Side.BUY, order_type=OrderType.TRAILING_STOP, qty=Decimal(5),
                    trail_percent=Decimal(2)), [("95.00", "95.10"), ("97.00", "97.10")], "97.1"),
        (OrderTerms(symbol=AAPL, side=Side.BUY, order_type=OrderType.STOP_LIMIT, qty=Decimal(5),
                    stop_price=Decimal(101), limit_price=Decimal(102)), [("101.00", "101.20")], "101.2"),
    ],
)  # fmt: skip
async def test_stops_wait_for_their_price_and_fill_as_any_order(wanted, quotes, price):
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", wanted))
        await world.settled(order_id, "working")
        for bid, ask in quotes:
            world.broker.quote(AAPL, Decimal(bid), Decimal(ask))
        order = await world.settled(order_id, "filled")
    assert order.avg_price == Decimal(price)


async def test_an_amount_in_dollars_is_complete_when_the_broker_says_so():
    world = OmsWorld()
    wanted = replace(terms("10.5", limit=None), notional_usd=Decimal(1000))
    async with world.running():
        order_id = await world.approve(decision("i-1", wanted))
        order = await world.settled(order_id, "filled")
    assert order.filled_qty == Decimal("9.990009990")
    assert world.story(order_id)[-2:] == ["OrderFilled", "OrderCompleted"]


async def test_what_asks_to_be_filled_at_once_or_not_at_all_ends_at_once():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", replace(terms(5, limit="90"), time_in_force=TimeInForce.IOC)))
        await world.settled(order_id, "canceled")


def test_the_exits_of_terms_are_those_that_they_name():
    assert bracket().take_profit == TakeProfit(limit_price=Decimal(120))
    assert bracket(take=None).stop_loss == StopLoss(stop_price=Decimal(80))
