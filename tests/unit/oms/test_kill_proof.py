"""The proof of a kill: written when the broker shows it, and loudly not before."""

from datetime import timedelta
from decimal import Decimal

import pytest

from contracts.broker import KillVerified
from contracts.enums import KillMode, Side
from services.oms.brokers.memory import Fault
from services.oms.proof import LATE_AFTER_MS
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING, MARKET = terms(10, limit="90"), terms(10, limit=None)


async def proofs(world: OmsWorld, count: int = 1) -> list[KillVerified]:
    await until(lambda: len(world.of(KillVerified)) >= count)
    return world.of(KillVerified)


async def test_cancel_all_is_proved_once_the_broker_shows_no_order():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.engage(KillMode.CANCEL_ALL)
        (told,) = await proofs(world)
        assert world.broker.book.orders[order_id].status == "canceled"
    assert (told.orders_left, told.blocked_after_ms) == (0, 0)
    assert told.flat_after_ms is not None
    kill = world.core.state.account.standing.kills["account"]
    assert kill.proof == told
    assert kill.seq == told.engaged_seq


async def test_block_new_is_proved_at_once_and_counts_what_is_left():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        await world.engage(KillMode.BLOCK_NEW)
        (told,) = await proofs(world)
    assert (told.orders_left, told.flat_after_ms) == (1, None)


async def test_a_repeated_word_is_proved_anew():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.CANCEL_ALL)
        await proofs(world)
        world.clock.advance(timedelta(milliseconds=5))
        await world.engage(KillMode.BLOCK_NEW)
        first, second = await proofs(world, 2)
    assert second.engaged_seq > first.engaged_seq
    assert second.mode is KillMode.CANCEL_ALL


async def test_a_kill_that_is_not_done_in_time_is_told_and_tried_until_it_is():
    world = OmsWorld()
    async with world.running():
        opened = await world.approve(decision("i-1", MARKET))
        await world.settled(opened, "filled")
        await world.engage(KillMode.FLATTEN)
        await until(lambda: not world.kill.moved.is_set())
        world.clock.advance(timedelta(milliseconds=LATE_AFTER_MS + 1))
        (late,) = await proofs(world)
        assert (late.flat_after_ms, late.positions_left) == (None, 1)
        await until(lambda: world.facts.get("kills_not_done") == ("account",))
        closing = decision("flatten-1", terms(10, Side.SELL, None), reduces=True, at=world.clock.now())
        await world.approve(closing)
        _, done = await proofs(world, 2)
        await until(lambda: world.facts.get("kills_not_done") == ())
    assert done.flat_after_ms is not None
    assert done.flat_after_ms > LATE_AFTER_MS


async def test_an_order_that_may_still_turn_up_at_the_broker_holds_the_proof_back():
    world = OmsWorld()
    async with world.running():
        world.broker.fail_submits(Fault.LOST_REQUEST)
        order_id = await world.approve(decision("i-1", RESTING))
        await until(lambda: "OrderUnknown" in world.story(order_id))
        await world.engage(KillMode.CANCEL_ALL)
        (told,) = await proofs(world)
        assert world.order(order_id).is_terminal
    assert told.orders_left == 0


async def test_an_oms_that_starts_under_an_unproved_kill_proves_it():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    await world.engage(KillMode.CANCEL_ALL, heard=False)
    world.clock.advance(timedelta(milliseconds=700))
    async with world.running():
        (told,) = await proofs(world)
    assert (told.blocked_after_ms, told.silent_after_ms) == (None, None)
    assert told.flat_after_ms is not None
    assert told.flat_after_ms >= Decimal(700)
    async with world.running():
        await world.comparisons(2)
        assert len(world.of(KillVerified)) == 1
