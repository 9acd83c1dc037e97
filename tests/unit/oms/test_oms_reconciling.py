"""What the broker shows against what the journal says: gaps heal, foreign things count, nothing counts twice."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.broker import AccountObserved, BrokerLinkChanged, PositionAdopted, Reconciled
from contracts.enums import EndCause, Side
from contracts.ids import EXTERNAL, OrderId
from contracts.orders import OrderAdopted, OrderCancelRejected, OrderFilled, OrderReported
from services.oms.brokers.memory import Fault
from tests.unit.oms.oms_world import QUICK, OmsWorld
from tests.unit.oms.order_stories import AAPL, cancel_decision, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
MARKET = terms(10, limit=None)
FOR_EVER = 1_000_000


def position(world: OmsWorld) -> Decimal:
    held = world.core.state.account.positions.get(AAPL)
    return Decimal(0) if held is None else held.qty


async def test_a_start_observes_the_account_and_says_that_it_compared():
    world = OmsWorld()
    async with world.running():
        await until(lambda: world.of(BrokerLinkChanged))
    (seen, *_), (reconciled, *_) = world.of(AccountObserved), world.of(Reconciled)
    assert (seen.equity_usd, seen.cash_usd, seen.epoch) == (100_000, 100_000, 1)
    assert reconciled.position_breaks == ()
    assert world.of(BrokerLinkChanged)[0].up


async def test_an_unchanged_account_is_written_again_only_when_the_last_word_grows_old():
    world = OmsWorld()
    async with world.running():
        await until(lambda: world.of(BrokerLinkChanged))
        await world.comparisons(3)
        told = len(world.of(AccountObserved))
        await world.comparisons(3)
        assert len(world.of(AccountObserved)) == told
        world.clock.advance(timedelta(seconds=31))
        await until(lambda: len(world.of(AccountObserved)) == told + 1)


async def test_a_dropped_fill_is_recovered_by_the_next_comparisons():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.drop_updates(1)
        world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        order = await world.settled(order_id, "filled")
    (fill,) = world.of(OrderFilled)
    assert fill.recovered
    assert (order.filled_qty, order.avg_price) == (10, Decimal("89.90"))


async def test_a_dropped_partial_is_recovered_and_the_rest_counts_once():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.drop_updates(1)
        world.broker.fill(order_id, Decimal(4), Decimal("89.50"))
        await world.settled(order_id, "partially_filled")
        world.broker.fill(order_id, Decimal(6), Decimal(89))
        order = await world.settled(order_id, "filled")
    assert [fill.recovered for fill in world.of(OrderFilled)] == [True, False]
    assert order.filled_notional_usd == 4 * Decimal("89.50") + 6 * 89


async def test_what_happened_while_the_link_was_down_is_recovered_when_it_is_back():
    world = OmsWorld()
    async with world.running():
        filled = await world.approve(decision("i-1", RESTING))
        canceled = await world.approve(decision("i-2", RESTING))
        expired = await world.approve(decision("i-3", RESTING))
        for order_id in (filled, canceled, expired):
            await world.settled(order_id, "working")
        await until(lambda: world.core.state.account.broker_up)
        world.broker.cut_link()
        await until(lambda: not world.core.state.account.broker_up)
        world.broker.fill(filled, Decimal(10), Decimal(90))
        world.broker.fill(canceled, Decimal(3), Decimal(90))
        world.broker.end(canceled, "canceled")
        world.broker.end(expired, "expired")
        world.broker.restore_link()
        await world.settled(filled, "filled")
        assert (await world.settled(canceled, "canceled")).filled_qty == 3
        await world.settled(expired, "expired")
        await until(lambda: world.core.state.account.broker_up)
    assert [link.up for link in world.of(BrokerLinkChanged)] == [True, False, True]
    assert position(world) == 13
    assert not world.of(PositionAdopted)


async def test_what_happened_while_the_oms_was_dead_is_recovered_at_its_start():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
    async with world.running():
        await world.settled(order_id, "filled")
        await world.comparisons(3)
    assert position(world) == 10
    assert not world.of(PositionAdopted)
    assert sum(reconciled.fills_recovered for reconciled in world.of(Reconciled)) == 1


async def test_a_late_fill_of_a_canceled_order_is_recovered_after_an_outage():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.approve(cancel_decision("i-2", order_id))
        await world.settled(order_id, "canceled")
    world.clock.advance(timedelta(minutes=5))
    world.broker.fill(order_id, Decimal(2), Decimal(90))
    async with world.running():
        await until(lambda: world.order(order_id).filled_qty == 2)
    assert world.order(order_id).status == "canceled"
    assert position(world) == 2


async def test_a_silent_broker_at_the_start_is_waited_for_and_nothing_is_sent_meanwhile():
    world = OmsWorld()
    world.broker.refuse_reads(FOR_EVER)
    async with world.started():
        order_id = await world.approve(decision("i-1", MARKET))
        await until(lambda: world.core.state.order(order_id))
        assert world.broker.submits == []
        world.broker.refuse_reads(0)
        await world.settled(order_id, "filled")
    assert world.broker.submits == [order_id]


async def test_a_foreign_order_is_adopted_and_counts():
    world = OmsWorld()
    async with world.running():
        await world.broker.submit(OrderId("by-hand"), RESTING)
        await until(lambda: world.of(OrderAdopted))
        (adopted,) = world.of(OrderAdopted)
        assert (adopted.agent, adopted.client_order_id, adopted.terms) == (EXTERNAL, "by-hand", RESTING)
        world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        await world.settled(adopted.order_id, "filled")
        await world.comparisons(3)
    assert position(world) == 10
    assert len(world.of(OrderAdopted)) == 1
    assert not world.of(PositionAdopted)


async def test_a_foreign_order_that_came_and_went_during_an_outage_counts():
    world = OmsWorld()
    async with world.running():
        await until(lambda: world.of(Reconciled))
    world.clock.advance(timedelta(minutes=1))
    await world.broker.submit(OrderId("by-hand"), MARKET)
    async with world.running():
        await until(lambda: position(world) == 10)
        await world.comparisons(3)
    assert position(world) == 10
    assert not world.of(PositionAdopted)


async def test_a_position_from_before_our_time_is_adopted_once():
    world = OmsWorld()
    await world.broker.submit(OrderId("long-ago"), MARKET)
    async with world.running():
        await until(lambda: world.of(PositionAdopted))
        await world.comparisons(4)
    (adopted,) = world.of(PositionAdopted)
    assert (adopted.symbol, adopted.qty, adopted.price) == (AAPL, 10, Decimal("100.10"))
    assert position(world) == 10
    assert any(reconciled.position_breaks for reconciled in world.of(Reconciled))


async def test_trading_does_not_look_like_a_difference_of_positions():
    world = OmsWorld()
    async with world.running():
        for number in range(60):
            side = Side.BUY if number % 3 else Side.SELL
            order_id = await world.approve(decision(f"i-{number}", terms(1, side, None)))
            await world.settled(order_id, "filled")
        await world.comparisons(4)
    assert not world.of(PositionAdopted)
    assert position(world) == world.broker.book.holdings[AAPL].qty


async def test_an_order_in_doubt_is_not_taken_for_a_foreign_position():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_ANSWER)
    world.broker.drop_updates(100)
    lookup = world.broker.order_by_client_id

    async def slow_to_show(order_id: OrderId):
        return None

    world.broker.order_by_client_id = slow_to_show
    patient = replace(QUICK.sender, misses_to_resend=FOR_EVER, misses_to_give_up=FOR_EVER)
    async with world.running(replace(QUICK, sender=patient)):
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "unknown")
        await world.comparisons(4)
        assert not world.of(PositionAdopted)
        world.broker.order_by_client_id = lookup
        await world.settled(order_id, "filled")
        await world.comparisons(3)
    assert position(world) == 10
    assert not world.of(PositionAdopted)


async def test_an_order_that_we_gave_up_and_that_turns_up_is_canceled_at_once():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_REQUEST)
    world.broker.refuse_reads(FOR_EVER)
    async with world.started():
        world.broker.refuse_reads(0)
        await until(lambda: world.facts.get("reconciled_at"))
        world.broker.refuse_reads(FOR_EVER)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "unknown")
        world.clock.advance(timedelta(seconds=6))
        world.broker.refuse_reads(0)
        assert (await world.settled(order_id, "expired")).detail == EndCause.NEVER_ARRIVED
        world.broker.drop_updates(FOR_EVER)
        await world.broker.submit(order_id, RESTING)  # the network delivers it after all
        await until(lambda: world.broker.book.orders[order_id].status == "canceled")


async def test_a_cancel_that_the_broker_forgot_is_said_to_have_failed():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.ignore_cancels()
        await world.approve(cancel_decision("i-2", order_id))
        await until(lambda: world.of(OrderCancelRejected))  # it is pending for less than a look
        await world.settled(order_id, "working")
    assert world.story(order_id)[-2:] == ["OrderCancelRequested", "OrderCancelRejected"]


async def test_events_of_the_future_are_kept_and_change_nothing():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        strange = world.broker.book.end(order_id, "new")[0]
        world.broker.tell_again(type(strange)(event="levitated", order=strange.order))
        await until(lambda: world.of(OrderReported))
        assert world.order(order_id).status == "working"


async def test_the_state_after_a_restart_from_a_snapshot_equals_a_full_replay():
    world = OmsWorld()
    async with world.running():
        for number in range(20):
            order_id = await world.approve(decision(f"i-{number}", RESTING if number % 2 else MARKET))
            await world.settled(order_id, "working" if number % 2 else "filled")
        await world.approve(cancel_decision("c-1", order_id))
        await world.settled(order_id, "canceled")
    from_snapshot = (await world.prepared_core()).state
    world.snapshots = type(world.snapshots)()
    assert (await world.prepared_core()).state == from_snapshot
