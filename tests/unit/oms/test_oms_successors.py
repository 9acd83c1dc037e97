"""What an OMS leaves behind when it dies, and what the one after it makes of that."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import msgspec
import pytest

from contracts import subjects
from contracts.broker import PositionAdopted
from contracts.enums import Action, EndCause, KillMode
from contracts.ids import OrderId
from contracts.orders import OrderAdopted, OrderCanceled, OrderRejected, OrderReplaceRejected, OrderWorking
from contracts.reasons import RejectionCode
from services.oms.brokers.memory import Fault
from services.oms.brokers.port import Rejected
from services.oms.core import OmsCore
from services.oms.service import OmsWaits
from services.oms.waits import SenderWaits
from tests.unit.oms.oms_world import QUICK, OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
PATIENT = OmsWaits(
    compare_every_ms=40,
    confirm_after_ms=10,
    retry_first_ms=5,
    retry_last_ms=20,
    tick_ms=20,
    sender=SenderWaits(lookup_first_ms=20, lookup_last_ms=20, misses_to_give_up=6),
    sweep=QUICK.sweep,
)


async def test_a_late_word_of_a_fenced_predecessor_does_not_stand_in_the_way():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        order = await world.settled(order_id, "working")
    subject = subjects.order(ACCOUNT, order.agent, order_id)
    async with world.running():
        void = OrderWorking(epoch=1, at=world.clock.now(), order_id=order_id, broker_status="new")
        await world.journal.append(subject, void)
        world.broker.fill(order_id, Decimal(10), Decimal(90))
        await world.settled(order_id, "filled")
    async with world.running():
        assert world.order(order_id).status == "filled"


async def test_an_order_that_a_predecessor_may_have_sent_is_not_ended_at_the_first_look():
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))
    await world.engage(KillMode.BLOCK_NEW, heard=False)
    async with world.started(PATIENT):
        await until(lambda: world.of(OrderCanceled) or world.broker.book.quotes)
        world.broker.fail_submits(Fault.LOST_ANSWER)
        await world.broker.submit(order_id, RESTING)  # the predecessor's request arrives only now
        order = await world.settled(order_id, "working")
    assert order.broker_order_id is not None
    assert not world.of(OrderCanceled)


async def test_an_order_that_nobody_sent_ends_once_no_request_can_be_on_its_way():
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))
    await world.engage(KillMode.BLOCK_NEW, heard=False)
    async with world.running(PATIENT):
        await world.settled(order_id, "canceled")
    assert [event.cause for event in world.of(OrderCanceled)] == [EndCause.KILL_SWITCH]


async def test_a_snapshot_keeps_orders_of_days_before_and_their_fills():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", terms(10, limit=None)))
        await world.settled(order_id, "filled")
        world.clock.advance(timedelta(days=1))
        world.broker.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        await until(lambda: order_id in world.core.state.ended_yesterday)
    loaded = OmsCore()
    loaded.load(world.core.save())
    assert loaded.state == world.core.state
    assert loaded.save() == world.core.save()


async def test_a_refusal_counts_only_once_no_earlier_request_can_arrive(monkeypatch: pytest.MonkeyPatch):
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))
    submit, no = world.broker.submit, Rejected(code=RejectionCode.FORBIDDEN, broker_code="403", message="no")

    async def refused_and_then_overtaken(*asked: object, **how: object) -> Rejected:
        world.broker.fail_submits(Fault.LOST_ANSWER)
        asyncio.get_running_loop().call_later(0.03, lambda: asyncio.ensure_future(submit(order_id, RESTING)))
        return no

    monkeypatch.setattr(world.broker, "submit", refused_and_then_overtaken)
    async with world.started(PATIENT):
        await world.settled(order_id, "working")
    assert not world.of(OrderRejected)


async def test_a_refused_order_that_never_shows_up_is_rejected_for_its_reason(monkeypatch: pytest.MonkeyPatch):
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", RESTING))

    async def refused(*asked: object, **how: object) -> Rejected:
        return Rejected(code=RejectionCode.FORBIDDEN, broker_code="403", message="no")

    monkeypatch.setattr(world.broker, "submit", refused)
    async with world.running(PATIENT):
        await world.settled(order_id, "rejected")
    assert [event.code for event in world.of(OrderRejected)] == [RejectionCode.FORBIDDEN]


async def test_what_was_traded_by_hand_before_the_books_were_opened_counts_once():
    world = OmsWorld()
    await world.broker.submit(OrderId("by-hand"), terms(3, limit=None))
    world.clock.advance(timedelta(seconds=1))
    async with world.running():
        await until(lambda: world.core.state.account.cash_usd is not None)
        assert [event.qty for event in world.of(PositionAdopted)] == [3]
        world.clock.advance(timedelta(seconds=1))
        world.broker.cut_link()
        world.broker.restore_link()
        await world.comparisons(3)
    assert not world.of(OrderAdopted)
    assert world.core.state.account.positions[AAPL].qty == 3


async def test_new_terms_approved_for_an_order_that_had_ended_get_their_answer():
    world = OmsWorld()
    order_id = await world.approve(decision("i-1", terms(10, limit=None)))
    async with world.running():
        await world.settled(order_id, "filled")
        wanted = msgspec.structs.replace(
            decision("i-2", terms(20, limit="90")), action=Action.REPLACE, order_id=order_id
        )
        await world.approve(wanted)
        await until(lambda: world.of(OrderReplaceRejected))
        order = await world.settled(order_id, "filled")
    assert order.replacement is None
