"""What every broker behind the port must do, on whatever stands behind it."""

from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.enums import OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from services.oms.brokers.port import CancelAccepted, CancelRefused, Rejected
from tests.conformance.broker_stories import (
    AAPL,
    EARLY,
    Story,
    buy,
    run_in,
    sell,
    standing,
    submitted,
    up,
    update_for,
)
from tests.conformance.broker_worlds import WORLDS, World


@pytest.fixture(params=WORLDS)
def told(request):
    """Run one story in a fresh world of each kind."""

    def run(story: Story) -> None:
        run_in(request.param, story)

    return run


def test_a_marketable_order_fills_and_moves_position_and_cash(told):
    async def story(world: World) -> None:
        before = await world.broker.account()
        await submitted(world.broker, "lg-market", buy(10))
        order = await standing(world.broker, "lg-market", "filled")
        assert order.filled_qty == 10
        assert order.filled_avg_price == Decimal("100.10")
        (position,) = await world.broker.positions()
        assert (position.symbol, position.qty, position.avg_entry_price) == (AAPL, 10, Decimal("100.10"))
        assert before.cash_usd - (await world.broker.account()).cash_usd == Decimal(1001)

    told(story)


def test_a_limit_order_away_from_the_market_stands_open_with_its_terms(told):
    async def story(world: World) -> None:
        order_terms = buy(10, "95.50")
        await submitted(world.broker, "lg-rest", order_terms)
        order = await standing(world.broker, "lg-rest", "new")
        assert order.terms == order_terms
        assert await world.broker.order_by_id(order.broker_order_id) == order
        assert [one.broker_order_id for one in await world.broker.open_orders()] == [order.broker_order_id]

    told(story)


def test_a_resting_order_fills_when_the_market_comes_to_it(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-rest", buy(10, "95.50"))
        await standing(world.broker, "lg-rest", "new")
        await world.quote(AAPL, Decimal("95.30"), Decimal("95.40"))
        order = await standing(world.broker, "lg-rest", "filled")
        assert order.filled_avg_price is not None
        assert order.filled_avg_price <= Decimal("95.50")

    told(story)


def test_the_same_id_again_is_the_same_order_and_never_a_second_one(told):
    async def story(world: World) -> None:
        first = await submitted(world.broker, "lg-twice", buy(10, "90"))
        second = await submitted(world.broker, "lg-twice", buy(10, "90"))
        assert first.broker_order_id == second.broker_order_id
        assert len(await world.broker.open_orders()) == 1

    told(story)


def test_a_cancel_is_taken_and_then_comes_true(told):
    async def story(world: World) -> None:
        order = await submitted(world.broker, "lg-cancel", buy(10, "90"))
        await standing(world.broker, "lg-cancel", "new")
        assert await world.broker.cancel(order.broker_order_id) == CancelAccepted()
        await standing(world.broker, "lg-cancel", "canceled")
        assert await world.broker.open_orders() == ()

    told(story)


def test_an_ended_order_cannot_be_canceled_and_the_refusal_says_so(told):
    async def story(world: World) -> None:
        order = await submitted(world.broker, "lg-done", buy(1))
        await standing(world.broker, "lg-done", "filled")
        refused = await world.broker.cancel(order.broker_order_id)
        assert isinstance(refused, CancelRefused)
        assert refused.already_terminal

    told(story)


def test_an_order_nobody_knows_cannot_be_canceled_and_did_not_end(told):
    async def story(world: World) -> None:
        refused = await world.broker.cancel("00000000-0000-4000-8000-000000000000")
        assert isinstance(refused, CancelRefused)
        assert not refused.already_terminal

    told(story)


def test_an_unknown_id_is_not_found_rather_than_an_error(told):
    async def story(world: World) -> None:
        assert await world.broker.order_by_client_id(OrderId("lg-nobody")) is None
        assert await world.broker.order_by_id("00000000-0000-4000-8000-000000000000") is None

    told(story)


def test_an_unknown_symbol_is_rejected_and_leaves_no_order(told):
    async def story(world: World) -> None:
        unknown = OrderTerms(symbol=Symbol("NOSUCH"), side=Side.BUY, order_type=OrderType.MARKET, qty=Decimal(1))
        assert isinstance(await world.broker.submit(OrderId("lg-bad"), unknown), Rejected)
        assert await world.broker.order_by_client_id(OrderId("lg-bad")) is None

    told(story)


def test_updates_tell_an_orders_life_with_one_execution_id_per_fill(told):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            await submitted(world.broker, "lg-told", buy(7))
            new = await update_for(updates, "lg-told", "new")
            assert new.order.filled_qty == 0
            fill = await update_for(updates, "lg-told", "fill")
            assert fill.execution_id
            assert fill.event_id
            assert (fill.qty, fill.price, fill.position_qty) == (7, Decimal("100.10"), 7)
            assert fill.order.filled_qty == 7

    told(story)


def test_a_cancel_is_told_too(told):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            order = await submitted(world.broker, "lg-told", buy(7, "90"))
            await update_for(updates, "lg-told", "new")
            await world.broker.cancel(order.broker_order_id)
            canceled = await update_for(updates, "lg-told", "canceled")
            assert canceled.order.status == "canceled"

    told(story)


def test_orders_after_a_moment_hold_the_ended_ones_too(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-1", buy(1))
        await standing(world.broker, "lg-1", "filled")
        await submitted(world.broker, "lg-2", buy(1, "90"))
        listed = await world.broker.orders_after(EARLY)
        assert [order.client_order_id for order in listed] == ["lg-1", "lg-2"]
        future = (await world.broker.clock()).at + timedelta(days=1)
        assert await world.broker.orders_after(future) == ()

    told(story)


def test_fills_after_a_moment_add_up_to_the_order(told):
    async def story(world: World) -> None:
        order = await submitted(world.broker, "lg-1", buy(12))
        await standing(world.broker, "lg-1", "filled")
        fills = await world.broker.fills_after(EARLY)
        assert {fill.broker_order_id for fill in fills} == {order.broker_order_id}
        assert sum(fill.qty for fill in fills) == 12
        assert fills[-1].cum_qty == 12

    told(story)


def test_selling_more_than_is_held_after_closing_leaves_a_negative_position(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-short", sell(5))
        await standing(world.broker, "lg-short", "filled")
        (position,) = await world.broker.positions()
        assert (position.qty, position.avg_entry_price) == (-5, Decimal("99.90"))

    told(story)


def test_a_closed_position_is_gone(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-in", buy(5))
        await standing(world.broker, "lg-in", "filled")
        await submitted(world.broker, "lg-out", sell(5))
        await standing(world.broker, "lg-out", "filled")
        assert await world.broker.positions() == ()

    told(story)


def test_the_clock_is_in_utc(told):
    async def story(world: World) -> None:
        asked: list[str] = []
        clock = await world.broker.clock(lambda: not asked.append("goes now"))
        assert asked == ["goes now"]
        assert clock.at.utcoffset() == timedelta(0)
        assert clock.next_close > clock.at

    told(story)
