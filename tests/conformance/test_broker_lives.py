"""The rest of an order's life at every broker behind the port: new terms, cancels, and what goes wrong."""

import asyncio
from contextlib import aclosing
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.enums import OrderClass, TimeInForce
from contracts.ids import OrderId
from services.oms.brokers.port import Ambiguous, CancelAccepted, Changes, ReplaceAccepted, ReplaceRefused
from tests.conformance.broker_stories import (
    AAPL,
    EARLY,
    Story,
    buy,
    down,
    run_in,
    shown,
    standing,
    submitted,
    up,
    update_for,
    with_exits,
)
from tests.conformance.broker_worlds import WORLDS, MemoryWorld, World

RAISED = Changes(limit_price=Decimal("91.5"))
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=WORLDS)
def told(request):
    """Run one story in a fresh world of each kind."""

    def run(story: Story) -> None:
        run_in(request.param, story)

    return run


async def resting(world: World, order_id: str = "lg-rest", limit: str = "90") -> str:
    """Let an order stand at a limit below the market; give the broker's id of it."""
    await submitted(world.broker, order_id, buy(10, limit))
    return (await standing(world.broker, order_id, "new")).broker_order_id


async def replaced(world: World, old: str, new_id: str, changes: Changes = RAISED) -> str:
    """Ask for new terms and give the broker's id of the new order."""
    outcome = await world.broker.replace(old, OrderId(new_id), changes)
    assert isinstance(outcome, ReplaceAccepted), outcome
    return outcome.order.broker_order_id


# New terms.


def test_a_replacement_is_a_new_order_in_the_place_of_the_old_one(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        new_id = await replaced(world, old_id, "lg-rest-r1")
        old = await shown(world.broker, old_id, "replaced")
        new = await standing(world.broker, "lg-rest-r1", "new")
        assert (old.replaced_by, new.replaces, new.broker_order_id) == (new_id, old_id, new_id)
        assert new.terms is not None
        assert (new.terms.limit_price, new.terms.qty) == (Decimal("91.5"), 10)
        assert [order.broker_order_id for order in await world.broker.open_orders()] == [new_id]

    told(story)


def test_a_replacement_is_told_of_the_old_order_and_of_the_new_one(told):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            old_id = await resting(world)
            new_id = await replaced(world, old_id, "lg-rest-r1")
            assert (await update_for(updates, "lg-rest", "replaced")).order.replaced_by == new_id
            assert (await update_for(updates, "lg-rest-r1", "new")).order.replaces == old_id

    told(story)


def test_the_same_replacement_again_is_the_same_order(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        first = await replaced(world, old_id, "lg-rest-r1")
        await standing(world.broker, "lg-rest-r1", "new")
        assert await replaced(world, first, "lg-rest-r1", Changes(limit_price=Decimal(80))) == first
        assert len(await world.broker.open_orders()) == 1

    told(story)


def test_a_replacement_whose_answer_is_lost_can_be_looked_up_by_its_id(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        await world.lose_next_answer("PATCH")
        assert isinstance(await world.broker.replace(old_id, OrderId("lg-rest-r1"), RAISED), Ambiguous)
        new = await standing(world.broker, "lg-rest-r1", "new")
        assert new.replaces == old_id

    told(story)


def test_terms_that_change_nothing_or_come_after_the_end_are_refused(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        assert isinstance(await world.broker.replace(old_id, OrderId("lg-r1"), Changes()), ReplaceRefused)
        await world.broker.cancel(old_id)
        await standing(world.broker, "lg-rest", "canceled")
        assert isinstance(await world.broker.replace(old_id, OrderId("lg-r2"), RAISED), ReplaceRefused)
        assert isinstance(await world.broker.replace(UNKNOWN_ID, OrderId("lg-r3"), RAISED), ReplaceRefused)
        assert await world.broker.order_by_client_id(OrderId("lg-r2")) is None

    told(story)


def test_a_replacement_that_is_rejected_after_it_was_taken_leaves_the_old_order_working(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        await world.reject_next_replace()
        new_id = await replaced(world, old_id, "lg-rest-r1")
        await world.settle()
        await shown(world.broker, new_id, "rejected")
        assert (await shown(world.broker, old_id, "new")).replaced_by is None

    told(story)


def test_a_fill_that_beats_the_replacement_stands_and_the_replacement_is_rejected(told):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            old_id = await resting(world)
            await world.linger()
            new_id = await replaced(world, old_id, "lg-rest-r1")
            await world.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
            await shown(world.broker, old_id, "filled")
            await world.settle()
            await shown(world.broker, new_id, "rejected")
            await update_for(updates, "lg-rest", "order_replace_rejected")
        (position,) = await world.broker.positions()
        assert position.qty == 10

    told(story)


# Cancels.


def test_a_cancel_loses_to_a_fill_that_comes_first(told):
    async def story(world: World) -> None:
        old_id = await resting(world)
        await world.linger()
        assert await world.broker.cancel(old_id) == CancelAccepted()
        await standing(world.broker, "lg-rest", "pending_cancel")
        await world.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        order = await standing(world.broker, "lg-rest", "filled")
        await world.settle()
        assert (await world.broker.order_by_id(order.broker_order_id) or order).status == "filled"

    told(story)


@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_a_lost_answer_is_ambiguous_and_a_look_up_tells(told, method):
    async def story(world: World) -> None:
        if method == "POST":
            await world.lose_next_answer(method)
            assert isinstance(await world.broker.submit(OrderId("lg-rest"), buy(10, "90")), Ambiguous)
            await standing(world.broker, "lg-rest", "new")
            return
        broker_id = await resting(world)
        await world.lose_next_answer(method)
        assert isinstance(await world.broker.cancel(broker_id), Ambiguous)
        await standing(world.broker, "lg-rest", "canceled")

    told(story)


def test_an_order_that_is_rejected_after_it_was_taken_says_so_in_a_look_up(told):
    async def story(world: World) -> None:
        await world.reject(OrderId("lg-bad"))
        await submitted(world.broker, "lg-bad", buy(10, "90"))
        assert (await standing(world.broker, "lg-bad", "rejected")).filled_qty == 0

    told(story)


def test_what_cannot_fill_at_once_ends_at_once_when_asked_to(told):
    async def story(world: World) -> None:
        await submitted(world.broker, "lg-ioc", buy(10, "90", time_in_force=TimeInForce.IOC))
        assert (await standing(world.broker, "lg-ioc", "canceled")).filled_qty == 0

    told(story)


# What goes wrong.


def test_a_bust_names_the_execution_it_takes_back_and_the_order_shows_it(told):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            await submitted(world.broker, "lg-in", buy(10))
            filled = await update_for(updates, "lg-in", "fill")
            await world.bust_newest()
            busted = await update_for(updates, "lg-in", "trade_bust")
            assert busted.previous_execution_id == filled.execution_id
            assert busted.qty == -10
        order = await world.broker.order_by_client_id(OrderId("lg-in"))
        assert order is not None
        assert order.filled_qty == 0
        assert await world.broker.positions() == ()

    told(story)


@pytest.mark.parametrize("state", ["resting", "pending_cancel", "replacing", "bracket", "filled"])
def test_after_a_disconnect_a_look_up_tells_what_happened_meanwhile(told, state):
    async def story(world: World) -> None:
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            broker_id = await _brought_to(world, state)
            await world.cut_link()
            async with asyncio.timeout(20):
                await down(updates)
            await world.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
            order = await shown(world.broker, broker_id, "filled")
            async with asyncio.timeout(20):
                await up(updates)
        assert order.filled_qty == 10
        fills = [fill for fill in await world.broker.fills_after(EARLY) if fill.broker_order_id == broker_id]
        assert sum(fill.qty for fill in fills) == 10

    told(story)


async def _brought_to(world: World, state: str) -> str:
    """Bring an order to a state of its life; give the broker's id of what can fill at 90."""
    if state == "bracket":
        entry = buy(10, "90")
        entry = replace(entry, **with_exits(entry, OrderClass.BRACKET, "120", "80"))
        return (await submitted(world.broker, "lg-bracket", entry)).broker_order_id
    if state == "filled":
        await submitted(world.broker, "lg-in", buy(10))
        return (await standing(world.broker, "lg-in", "filled")).broker_order_id
    broker_id = await resting(world)
    if state == "replacing":
        return await replaced(world, broker_id, "lg-rest-r1")
    if state == "pending_cancel":
        await world.linger()
        await world.broker.cancel(broker_id)
    return broker_id


# What only the in-memory broker can be told to do.


def test_a_part_that_filled_before_a_cancel_and_one_that_fills_after_it_both_count():
    async def story() -> None:
        world = MemoryWorld()
        await world.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        broker_id = await resting(world)
        world.broker.fill(OrderId("lg-rest"), Decimal(4), Decimal(90))
        assert (await standing(world.broker, "lg-rest", "partially_filled")).filled_qty == 4
        await world.broker.cancel(broker_id)
        world.broker.fill(OrderId("lg-rest"), Decimal(2), Decimal(89))
        order = await standing(world.broker, "lg-rest", "canceled")
        assert (order.filled_qty, order.filled_qty * (order.filled_avg_price or 0)) == (6, 4 * 90 + 2 * 89)

    asyncio.run(story())


def test_an_expiry_ends_an_order_with_what_it_filled():
    async def story() -> None:
        world = MemoryWorld()
        await world.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        await resting(world)
        world.broker.fill(OrderId("lg-rest"), Decimal(4), Decimal(90))
        world.broker.end(OrderId("lg-rest"), "expired")
        assert (await standing(world.broker, "lg-rest", "expired")).filled_qty == 4

    asyncio.run(story())


def test_updates_can_be_held_back_mixed_repeated_and_lost():
    async def story() -> None:
        world = MemoryWorld()
        await world.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        async with aclosing(world.broker.updates()) as updates:
            await up(updates)
            world.broker.hold_updates()
            await submitted(world.broker, "lg-in", buy(10))
            world.broker.release_updates(lambda held: [*reversed(held), held[0]])
            told = [(await anext(updates)).event for _ in range(3)]  # pyright: ignore[reportAttributeAccessIssue]
            assert told == ["fill", "new", "new"]

    asyncio.run(story())
