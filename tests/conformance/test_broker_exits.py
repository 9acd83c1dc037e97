"""Exits, triggers and amounts at every broker behind the port."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.enums import LegRole, OrderClass, OrderType
from tests.conformance.broker_stories import (
    AAPL,
    Story,
    buy,
    run_in,
    sell,
    shown,
    standing,
    submitted,
    with_exits,
)
from tests.conformance.broker_worlds import WORLDS, World


@pytest.fixture(params=WORLDS)
def told(request):
    """Run one story in a fresh world of each kind."""

    def run(story: Story) -> None:
        run_in(request.param, story)

    return run


# Exits.


def test_a_bracket_shows_its_exits_from_the_first_answer_on(told):
    async def story(world: World) -> None:
        entry = buy(10, "95")
        entry = replace(entry, **with_exits(entry, OrderClass.BRACKET, "120", "80"))
        answer = await submitted(world.broker, "lg-bracket", entry)
        found = await standing(world.broker, "lg-bracket", "new")
        for order in (answer, found):
            legs = {leg.role: leg for leg in order.legs}
            assert set(legs) == {LegRole.TAKE_PROFIT, LegRole.STOP_LOSS}
            assert {leg.status for leg in legs.values()} == {"held"}
            take, stop = legs[LegRole.TAKE_PROFIT].terms, legs[LegRole.STOP_LOSS].terms
            assert take is not None
            assert stop is not None
            assert (take.order_type, take.limit_price, take.qty) == (OrderType.LIMIT, 120, 10)
            assert (stop.order_type, stop.stop_price) == (OrderType.STOP, 80)
        assert {leg.broker_order_id for leg in answer.legs} == {leg.broker_order_id for leg in found.legs}
        assert len(await world.broker.open_orders()) == 3

    told(story)


def test_a_filled_entry_wakes_its_exits_and_the_first_exit_to_fill_ends_the_other(told):
    async def story(world: World) -> None:
        entry = buy(10)
        entry = replace(entry, **with_exits(entry, OrderClass.BRACKET, "120", "80"))
        legs = {leg.role: leg.broker_order_id for leg in (await submitted(world.broker, "lg-bracket", entry)).legs}
        for leg in legs.values():
            await shown(world.broker, leg, "new")
        await world.quote(AAPL, Decimal("79.90"), Decimal("80.00"))
        await shown(world.broker, legs[LegRole.STOP_LOSS], "filled")
        await shown(world.broker, legs[LegRole.TAKE_PROFIT], "canceled")
        assert await world.broker.positions() == ()

    told(story)


def test_canceling_an_entry_cancels_its_exits(told):
    async def story(world: World) -> None:
        entry = buy(10, "95")
        entry = replace(entry, **with_exits(entry, OrderClass.OTO, None, "80"))
        order = await submitted(world.broker, "lg-oto", entry)
        (stop,) = order.legs
        await standing(world.broker, "lg-oto", "new")
        await world.broker.cancel(order.broker_order_id)
        await shown(world.broker, stop.broker_order_id, "canceled")
        assert await world.broker.open_orders() == ()

    told(story)


def test_an_oco_is_two_exits_of_which_the_first_to_fill_ends_the_other(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-in", buy(10))
        await standing(world.broker, "lg-in", "filled")
        oco = sell(10, "120")
        oco = replace(oco, **with_exits(oco, OrderClass.OCO, "120", "80"))
        order = await submitted(world.broker, "lg-oco", oco)
        (stop,) = order.legs
        assert stop.role is LegRole.STOP_LOSS
        await shown(world.broker, stop.broker_order_id, "new")
        await world.quote(AAPL, Decimal("120.10"), Decimal("120.30"))
        await standing(world.broker, "lg-oco", "filled")
        await shown(world.broker, stop.broker_order_id, "canceled")

    told(story)


# Triggers and amounts.


def test_a_trailing_stop_follows_the_market_and_sells_when_it_turns(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-in", buy(10))
        await standing(world.broker, "lg-in", "filled")
        trailing = sell(10, order_type=OrderType.TRAILING_STOP, trail_price=Decimal(2))
        await submitted(world.broker, "lg-trail", trailing)
        order = await standing(world.broker, "lg-trail", "new")
        assert order.terms == trailing
        await world.quote(AAPL, Decimal("109.90"), Decimal("110.10"))
        await world.quote(AAPL, Decimal("108.40"), Decimal("108.60"))
        assert (await standing(world.broker, "lg-trail", "new")).filled_qty == 0
        await world.quote(AAPL, Decimal("107.80"), Decimal("107.90"))
        assert (await standing(world.broker, "lg-trail", "filled")).filled_avg_price == Decimal("107.80")

    told(story)


def test_a_stop_and_a_stop_limit_wait_for_their_price(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-stop", buy(1, order_type=OrderType.STOP, stop_price=Decimal(101)))
        stop_limit = buy(1, "101.5", stop_price=Decimal(101))
        stop_limit = replace(stop_limit, order_type=OrderType.STOP_LIMIT)
        await submitted(world.broker, "lg-stop-limit", stop_limit)
        await standing(world.broker, "lg-stop", "new")
        assert (await standing(world.broker, "lg-stop-limit", "new")).terms == stop_limit
        await world.quote(AAPL, Decimal("101.10"), Decimal("101.20"))
        assert (await standing(world.broker, "lg-stop", "filled")).filled_avg_price == Decimal("101.20")
        await standing(world.broker, "lg-stop-limit", "filled")

    told(story)


def test_an_amount_in_dollars_is_filled_with_fewer_shares_than_it_could_have_become(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-usd", buy("10.5", notional_usd=Decimal(1000)))
        order = await standing(world.broker, "lg-usd", "filled")
        assert Decimal("9.98") < order.filled_qty < Decimal("9.991")
        assert order.terms is None or order.terms.notional_usd == 1000

    told(story)
