"""Entries that work for too long are ended by the OMS itself, on the record; exits and young orders stay."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.controls import LimitsSet
from contracts.enums import EndCause
from contracts.limits import LimitSet
from contracts.orders import OrderCanceled, OrderCancelRequested
from services.oms.age_limit import ASK_AGAIN_AFTER, ITSELF, AgeLimit, too_old
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, NOW, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
HOUR_MS = 3_600_000
HOUR = timedelta(hours=1)


async def limited(world: OmsWorld, age_ms: int | None) -> None:
    limits = LimitSet(open_order_age_max_ms=age_ms)
    event = LimitsSet(epoch=0, at=NOW, version=1, limits=limits, by="test", reason="test")
    await world.journal.append(subjects.control(ACCOUNT), event)


async def test_an_entry_older_than_the_limit_is_canceled_and_the_record_says_why_and_by_whom():
    world = OmsWorld()
    await limited(world, HOUR_MS)
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.clock.advance(HOUR - timedelta(seconds=1))
        await world.comparisons(2)
        assert world.order(order_id).status == "working"
        world.clock.advance(timedelta(seconds=2))
        await world.settled(order_id, "canceled")
    asked, ended = world.of(OrderCancelRequested), world.of(OrderCanceled)
    assert [(one.requested_by, one.cause) for one in asked] == [(ITSELF, EndCause.TOO_OLD)]
    assert [one.cause for one in ended] == [EndCause.TOO_OLD]


async def test_a_cancel_that_anybody_else_asked_for_ends_as_ever():
    world = OmsWorld()
    await limited(world, HOUR_MS)
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.broker.cancel(str(world.order(order_id).broker_order_id))
        await world.settled(order_id, "canceled")
    assert [one.cause for one in world.of(OrderCanceled)] == [EndCause.BROKER]


async def test_exits_and_orders_without_a_limit_stay_however_old():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        account = world.core.state.account
        later = NOW + timedelta(days=30)
        assert list(too_old(account, later)) == []
        await limited(world, HOUR_MS)
        await until(lambda: world.core.state.account.limits is not None)
        account = world.core.state.account
        assert list(too_old(account, later)) == [order_id]
        exit_order = replace(account.orders[order_id], reduces=True)
        assert list(too_old(replace(account, orders=account.orders.set(order_id, exit_order)), later)) == []


async def test_what_came_to_nothing_is_asked_again_but_not_at_once():
    world = OmsWorld()
    await limited(world, HOUR_MS)
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        account, later, limit = world.core.state.account, NOW + 2 * HOUR, AgeLimit()
        assert limit.due(account, later) == [order_id]
        assert limit.due(account, later + timedelta(seconds=29)) == []
        assert limit.due(account, later + ASK_AGAIN_AFTER) == [order_id]
