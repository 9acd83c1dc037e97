"""New terms for orders that work: asked for once, and one order whatever the broker makes of it."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.enums import EndCause, KillMode, LegRole, OrderStatus
from contracts.ids import OrderId, leg_id_for, replacement_id_for
from contracts.orders import (
    OrderAdopted,
    OrderFilled,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderTerms,
)
from services.oms.brokers.memory import Fault, MemoryBroker
from services.oms.brokers.port import Changes
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import (
    AAPL,
    ACCOUNT,
    DEMO,
    NOW,
    bracket,
    cancel_decision,
    decision,
    replace_decision,
    terms,
)
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
FOR_EVER = 1_000_000


async def working(world: OmsWorld, order_terms: OrderTerms = RESTING) -> OrderId:
    order_id = await world.approve(decision("i-1", order_terms))
    await world.settled(order_id, "working")
    return order_id


async def approve(world: OmsWorld, order_id: OrderId, new_terms: OrderTerms, intent: str = "i-2") -> int:
    """Store an approved replacement; give its place in the journal."""
    approved = replace_decision(intent, order_id, new_terms, at=world.clock.now())
    return await world.journal.append(subjects.decision(ACCOUNT, DEMO, intent), approved)


async def answered(world: OmsWorld, order_id: OrderId) -> None:
    def is_answered() -> bool:
        return bool(world.of(OrderReplaced, OrderReplaceRejected)) and world.order(order_id).replacement is None

    await until(is_answered, 10)


async def test_approved_terms_are_asked_for_once_and_become_the_orders_own():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        seq = await approve(world, order_id, terms(12, limit="91"))
        await until(lambda: world.of(OrderReplaced))
        await world.settled(order_id, "working")
        await world.comparisons(2)
    order = world.order(order_id)
    assert (order.terms.qty, order.terms.limit_price, order.replacement) == (12, 91, None)
    assert order.worst_price == 91
    assert world.broker.replaces == [replacement_id_for(order_id, seq)]
    assert world.story(order_id)[-2:] == ["OrderReplaceRequested", "OrderReplaced"]
    assert world.of(OrderAdopted) == []


@pytest.mark.parametrize("carries", [False, True])
async def test_fills_before_and_after_a_replacement_add_up_in_both_forms_of_totals(carries: bool):  # noqa: FBT001
    world = OmsWorld()
    world.broker = MemoryBroker(world.clock, replacement_carries_fills=carries)
    world.broker.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
    async with world.running():
        order_id = await working(world)
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await world.settled(order_id, "partially_filled")
        await approve(world, order_id, terms(10, limit="91"))
        await answered(world, order_id)
        world.broker.fill(OrderId(world.broker.replaces[0]), Decimal(3), Decimal(91))
        world.broker.fill(order_id, Decimal(1), Decimal(90))  # late, on the broker's old order
        await until(lambda: world.order(order_id).filled_qty == 8)
        await world.comparisons(2)
    order = world.order(order_id)
    assert order.filled_notional_usd == 4 * 90 + 3 * 91 + 90
    assert order.terms.qty == 11  # the broker's new order knows nothing of the late share, and fills to its own end
    assert world.core.state.account.positions[AAPL].qty == 8
    assert sum(part.filled_qty for part in order.parts) == 8
    replaced = world.of(OrderReplaced)[0]
    assert replaced.carried_qty == (4 if carries else 0)


@pytest.mark.parametrize("carries", [False, True])
async def test_fills_that_nobody_told_around_a_replacement_are_recovered_once(carries: bool):  # noqa: FBT001
    world = OmsWorld()
    world.broker = MemoryBroker(world.clock, replacement_carries_fills=carries)
    world.broker.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
    async with world.running():
        order_id = await working(world)
        world.broker.drop_updates(FOR_EVER)
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await approve(world, order_id, terms(10, limit="91"))
        await answered(world, order_id)
        world.broker.fill(OrderId(world.broker.replaces[0]), Decimal(6), Decimal(91))
        order = await world.settled(order_id, "filled")
    assert (order.filled_qty, order.filled_notional_usd) == (10, 4 * 90 + 6 * 91)
    assert all(fill.recovered for fill in world.of(OrderFilled))


async def test_a_chain_of_replacements_stays_one_order():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        for number, limit in enumerate(("91", "92", "93")):
            world.broker.fill(OrderId(([order_id, *world.broker.replaces])[-1]), Decimal(1), Decimal(90))
            await approve(world, order_id, terms(10, limit=limit), f"r-{number}")
            await until(lambda wanted=limit: world.order(order_id).terms.limit_price == Decimal(wanted))
        world.broker.quote(AAPL, Decimal("92.80"), Decimal("92.90"))
        order = await world.settled(order_id, "filled")
    assert (order.filled_qty, len(order.parts)) == (10, 4)
    assert [part.filled_qty for part in order.parts] == [1, 1, 1, 7]
    assert world.core.state.account.open_orders == 0


async def test_a_refused_replacement_leaves_the_order_and_says_why():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await approve(world, order_id, terms(3, limit="90"))
        await answered(world, order_id)
    order = world.order(order_id)
    assert (order.status, order.terms.qty) == (OrderStatus.PARTIALLY_FILLED, 10)
    assert "filled_qty" in world.of(OrderReplaceRejected)[0].detail


async def test_a_replacement_that_the_broker_took_and_then_rejected_is_rejected():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.linger()
        await approve(world, order_id, terms(12, limit="91"))
        await world.settled(order_id, "pending_replace")
        await until(lambda: world.broker.replaces)
        world.broker.settle(refuse=True)
        await world.settled(order_id, "working")
    assert world.order(order_id).terms == RESTING
    assert "rejected" in world.of(OrderReplaceRejected)[0].detail


async def test_a_fill_that_beats_the_replacement_fills_the_order_and_ends_the_request():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.linger()
        await approve(world, order_id, terms(12, limit="91"))
        await until(lambda: world.broker.replaces)
        world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        order = await world.settled(order_id, "filled")
        world.broker.settle()
        await answered(world, order_id)
    assert order.filled_qty == 10
    assert world.core.state.account.positions[AAPL].qty == 10


async def test_a_lost_answer_is_looked_up_and_the_request_not_sent_again():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fail_replaces(Fault.LOST_ANSWER)
        world.broker.drop_updates(FOR_EVER)
        await approve(world, order_id, terms(12, limit="91"))
        await answered(world, order_id)
    assert world.order(order_id).terms.qty == 12
    assert len(world.broker.replaces) == 1


async def test_a_lost_request_is_sent_again_under_its_id_only_after_look_ups():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fail_replaces(Fault.LOST_REQUEST, Fault.NOT_SENT, Fault.RATE_LIMITED)
        await approve(world, order_id, terms(12, limit="91"))
        await until(lambda: world.order(order_id).terms.qty == 12, 10)
    assert len(world.broker.replaces) == 1
    assert world.of(OrderReplaceRejected) == []


async def test_silence_of_the_broker_leaves_a_replacement_open():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fail_replaces(Fault.LOST_ANSWER)
        world.broker.drop_updates(FOR_EVER)
        world.broker.refuse_reads(40)
        await approve(world, order_id, terms(12, limit="91"))
        await answered(world, order_id)
    assert world.of(OrderReplaceRejected) == []
    assert world.order(order_id).terms.qty == 12


async def test_a_stale_or_killed_replacement_is_never_sent():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        stale = replace_decision("i-2", order_id, terms(12, limit="91"), at=NOW - timedelta(seconds=60))
        await world.journal.append(subjects.decision(ACCOUNT, DEMO, "i-2"), stale)
        await until(lambda: world.of(OrderReplaceRejected))
        await world.engage(KillMode.BLOCK_NEW)
        await approve(world, order_id, terms(12, limit="91"), "i-3")
        await until(lambda: len(world.of(OrderReplaceRejected)) == 2)
    assert [event.detail for event in world.of(OrderReplaceRejected)] == [
        EndCause.DECISION_STALE,
        EndCause.KILL_SWITCH,
    ]
    assert world.broker.replaces == []
    assert world.order(order_id).status is OrderStatus.WORKING


async def test_a_replacement_right_behind_its_submit_waits_for_the_brokers_id():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await approve(world, order_id, terms(12, limit="91"))
        await until(lambda: world.core.state.order(order_id) and world.order(order_id).terms.qty == 12, 10)


async def test_after_a_crash_an_unanswered_replacement_is_looked_up_first():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
    seq = await approve(world, order_id, terms(12, limit="91"))
    asked = OrderReplaceRequested(order_id=order_id, epoch=1, at=NOW, requested_by=DEMO, decision_seq=seq)
    await world.journal.append(subjects.order(ACCOUNT, DEMO, order_id), asked)
    changes = Changes(qty=Decimal(12), limit_price=Decimal(91))
    broker_id = world.broker.book.orders[order_id].broker_order_id
    await world.broker.replace(broker_id, replacement_id_for(order_id, seq), changes)
    async with world.running():
        await until(lambda: world.order(order_id).terms.qty == 12, 10)
        await world.comparisons(2)
    assert len(world.broker.replaces) == 1
    assert world.of(OrderAdopted) == []


async def test_a_replacement_approved_during_an_outage_is_carried_out_or_expires():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
    await approve(world, order_id, terms(12, limit="91"))
    async with world.running():
        await until(lambda: world.order(order_id).terms.qty == 12, 10)
    await approve(world, order_id, terms(13, limit="91"), "i-3")
    world.clock.advance(timedelta(seconds=60))
    async with world.running():
        await until(lambda: world.of(OrderReplaceRejected), 10)
    assert world.order(order_id).terms.qty == 12
    assert len(world.broker.replaces) == 1


async def test_a_replacement_made_by_somebody_else_is_the_same_order_with_terms_as_reported():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fill(order_id, Decimal(4), Decimal(90))
        await world.settled(order_id, "partially_filled")
        broker_id = world.broker.book.orders[order_id].broker_order_id
        await world.broker.replace(broker_id, OrderId("by-hand"), Changes(limit_price=Decimal(92)))
        await until(lambda: world.order(order_id).terms.limit_price == 92)
        world.broker.quote(AAPL, Decimal("91.80"), Decimal("91.90"))
        order = await world.settled(order_id, "filled")
    assert (order.terms.qty, order.filled_qty) == (10, 10)
    assert world.of(OrderAdopted) == []


async def test_somebody_elses_replacement_that_nobody_told_is_found_by_the_comparison():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.drop_updates(FOR_EVER)
        broker_id = world.broker.book.orders[order_id].broker_order_id
        await world.broker.replace(broker_id, OrderId("by-hand"), Changes(qty=Decimal(7)))
        await until(lambda: world.order(order_id).terms.qty == 7, 10)
    assert world.of(OrderAdopted) == []


async def test_a_cancel_behind_a_replacement_reaches_the_order_that_stands_now():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        await approve(world, order_id, terms(12, limit="91"))
        await world.approve(cancel_decision("i-3", order_id))
        await world.settled(order_id, "canceled")
        await answered(world, order_id)
        await until(lambda: not any(order.status == "new" for order in world.broker.book.orders.values()))


async def test_a_cancel_whose_answer_is_lost_is_looked_up_and_comes_true():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fail_cancels(Fault.LOST_ANSWER, Fault.LOST_REQUEST)
        world.broker.drop_updates(FOR_EVER)
        await world.approve(cancel_decision("i-3", order_id))
        await world.settled(order_id, "canceled")


async def test_a_cancel_is_asked_for_as_long_as_it_takes():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world)
        world.broker.fail_cancels(*[Fault.LOST_REQUEST, Fault.NOT_SENT] * 15)
        await world.approve(cancel_decision("i-3", order_id))
        await world.settled(order_id, "canceled")


async def test_an_exit_is_replaced_under_its_own_name_while_it_waits_and_while_it_works():
    world = OmsWorld()
    async with world.running():
        entry = await world.approve(decision("i-1", bracket()))
        stop = leg_id_for(entry, LegRole.STOP_LOSS)
        await world.settled(stop, "held")
        await world.settled(entry, "working")
        new_terms = replace(world.order(stop).terms, stop_price=Decimal(81))
        await approve(world, stop, new_terms)
        await until(lambda: world.order(stop).terms.stop_price == 81)
        assert world.order(stop).status is OrderStatus.HELD
        world.broker.quote(AAPL, Decimal("89.80"), Decimal("89.90"))
        await world.settled(stop, "working")
        await approve(world, stop, replace(new_terms, stop_price=Decimal(82)), "i-3")
        await until(lambda: world.order(stop).terms.stop_price == 82)
    assert world.of(OrderAdopted) == []
    assert len(world.order(stop).parts) == 3
