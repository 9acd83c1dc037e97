"""From approval to order: what is sent, once, and what is not."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.controls import EpochTaken
from contracts.enums import EndCause, KillMode, OrderStatus, Role, Side
from contracts.ids import Symbol
from contracts.orders import OrderExpired, OrderFilled, OrderRejected
from services.oms.brokers.memory import Fault
from services.oms.core import FencedError
from services.runtime.ports import LeaseLostError
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, NOW, cancel_decision, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
MARKET = terms(10, limit=None)
FOR_EVER = 1_000_000


async def test_an_approval_becomes_an_order_and_its_fill_comes_back():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", MARKET))
        order = await world.settled(order_id, "filled")
    assert (order.filled_qty, order.avg_price) == (10, Decimal("100.10"))
    assert world.broker.submits == [order_id]
    (fill,) = world.of(OrderFilled)
    assert not fill.recovered
    assert fill.epoch == 1


async def test_a_rejection_is_recorded_with_its_code():
    world = OmsWorld()
    async with world.running():
        rejected = await world.approve(decision("i-1", replace(MARKET, symbol=Symbol("NOPE"))))
        await world.settled(rejected, "rejected")
    (event,) = world.of(OrderRejected)
    assert event.broker_code == "422/42210000"


async def test_a_decision_past_its_time_expires_without_being_sent():
    world = OmsWorld()
    async with world.running():
        world.clock.advance(timedelta(seconds=6))
        order_id = await world.approve(decision("i-1", MARKET))
        order = await world.settled(order_id, "expired")
    assert order.detail == EndCause.DECISION_STALE
    assert world.broker.submits == []


async def test_a_kill_that_was_only_heard_blocks_an_order_that_was_approved_before():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW, stored=False)
        order_id = await world.approve(decision("i-1", MARKET))
        order = await world.settled(order_id, "canceled")
    assert order.detail == EndCause.KILL_SWITCH
    assert world.broker.submits == []


async def test_a_reducing_order_passes_a_kill():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW)
        order_id = await world.approve(decision("i-1", terms(10, Side.SELL, None), reduces=True))
        await world.settled(order_id, "filled")


async def test_a_released_kill_lets_orders_pass_again():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW)
        world.clock.advance(timedelta(milliseconds=1))
        await world.release()
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "filled")
        assert world.kill.mode is None


async def test_a_lost_answer_is_unknown_until_the_look_up_finds_the_order():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_ANSWER)
    world.broker.drop_updates(100)
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    assert world.story(order_id) == ["OrderUnknown", "OrderAcknowledged", "OrderWorking"]
    assert world.broker.submits == [order_id]


async def test_a_lost_request_is_sent_again_under_its_id_while_the_decision_holds():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_REQUEST)
    async with world.running():
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "filled")
    assert world.broker.submits == [order_id]
    assert world.story(order_id)[0] == "OrderUnknown"


async def test_a_lost_request_of_a_stale_decision_expires_only_after_the_broker_denied_it_often():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_REQUEST)
    async with world.running():
        world.broker.refuse_reads(FOR_EVER)
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "unknown")
        world.clock.advance(timedelta(seconds=6))
        world.broker.refuse_reads(0)
        order = await world.settled(order_id, "expired")
    assert order.detail == EndCause.NEVER_ARRIVED
    assert world.broker.submits == []


async def test_silence_of_the_broker_is_no_denial():
    world = OmsWorld()
    world.broker.fail_submits(Fault.LOST_ANSWER)
    world.broker.drop_updates(100)
    async with world.running():
        world.broker.refuse_reads(FOR_EVER)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "unknown")
        world.clock.advance(timedelta(seconds=60))
        world.broker.refuse_reads(30)
        await world.settled(order_id, "working")
    assert not world.of(OrderExpired)


@pytest.mark.parametrize("fault", [Fault.RATE_LIMITED, Fault.NOT_SENT])
async def test_what_was_turned_away_unread_is_sent_again_while_the_decision_holds(fault: Fault):
    world = OmsWorld()
    world.broker.fail_submits(fault, fault)
    async with world.running():
        order_id = await world.approve(decision("i-1", MARKET))
        await world.settled(order_id, "filled")
    assert world.broker.submits == [order_id]
    assert "OrderUnknown" not in world.story(order_id)


async def test_what_was_turned_away_until_its_decision_ended_expires_unsent():
    world = OmsWorld()
    world.broker.fail_submits(*[Fault.NOT_SENT] * 500)
    async with world.running():
        order_id = await world.approve(decision("i-1", MARKET))
        await asyncio.sleep(0)
        world.clock.advance(timedelta(seconds=6))
        order = await world.settled(order_id, "expired")
    assert order.detail == EndCause.DECISION_STALE


async def test_a_cancel_is_asked_recorded_and_comes_true():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.approve(cancel_decision("i-2", order_id))
        await world.settled(order_id, "canceled")
    assert not world.core.state.cancels


async def test_a_cancel_right_behind_its_submit_waits_for_the_brokers_id():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.approve(cancel_decision("i-2", order_id))
        await world.settled(order_id, "canceled")
    assert world.broker.submits == [order_id]


async def test_many_orders_at_once_are_each_sent_once_and_told_in_order():
    world = OmsWorld()
    async with world.running():
        order_ids = [await world.approve(decision(f"i-{number}", MARKET)) for number in range(120)]
        for order_id in order_ids:
            await world.settled(order_id, "filled")
    assert sorted(world.broker.submits) == sorted(order_ids)
    assert len(world.of(OrderFilled)) == 120
    for order_id in order_ids:
        assert world.story(order_id)[0] == "OrderAcknowledged"


async def test_a_decision_of_a_fenced_risk_is_never_sent():
    world = OmsWorld()
    taken = EpochTaken(epoch=5, at=NOW, role=Role.RISK, owner="new", code_version="test")
    async with world.running():
        await world.journal.append(subjects.epoch(ACCOUNT, Role.RISK), taken)
        await world.approve(decision("i-1", MARKET, epoch=4))
        good = await world.approve(decision("i-2", MARKET, epoch=5))
        await world.settled(good, "filled")
    assert world.broker.submits == [good]


async def test_a_newer_oms_stops_this_one():
    world = OmsWorld()
    async with world.started() as task:
        await until(lambda: world.facts.get("reconciled_at"))
        taken = EpochTaken(epoch=9, at=NOW, role=Role.OMS, owner="new", code_version="test")
        await world.journal.append(subjects.epoch(ACCOUNT, Role.OMS), taken)
        with pytest.raises(ExceptionGroup) as ended:
            await task
    assert ended.group_contains(FencedError)


async def test_a_lost_lease_stops_it_before_the_next_order_goes_out():
    world = OmsWorld()
    async with world.started() as task:
        await until(lambda: world.facts.get("reconciled_at"))
        world.lease.take_away()
        await world.approve(decision("i-1", MARKET))
        with pytest.raises(ExceptionGroup) as ended:
            await task
    assert ended.group_contains(LeaseLostError)
    assert world.broker.submits == []


async def test_a_killed_oms_takes_up_what_was_approved_and_asks_before_it_sends():
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))
    await world.broker.submit(order_id, RESTING)  # the predecessor sent it and died before its record
    async with world.running():
        await world.settled(order_id, "working")
    assert world.broker.submits == [order_id]


async def test_an_approval_that_outlived_its_time_during_an_outage_expires():
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))
    world.clock.advance(timedelta(seconds=30))
    async with world.running():
        order = await world.settled(order_id, "expired")
    assert order.detail == EndCause.DECISION_STALE
    assert order.status is OrderStatus.EXPIRED
    assert world.broker.submits == []


async def test_a_cancel_approved_during_an_outage_is_carried_out():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    await world.approve(cancel_decision("i-2", order_id))
    async with world.running():
        await world.settled(order_id, "canceled")
