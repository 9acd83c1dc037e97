"""From when on a kill can say that no new risk reaches the broker: when all that left before has been answered."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from contracts import subjects
from contracts.broker import KillVerified
from contracts.enums import EndCause, KillMode, Side
from contracts.ids import IntentId, OrderId
from contracts.orders import OrderTerms
from contracts.scopes import Scope
from services.oms.brokers.memory import Fault, MemoryBroker
from services.oms.brokers.port import Changes, ReplaceOutcome, StillMay, SubmitOutcome
from services.oms.sender import SUBMITS_IN_FLIGHT_MAX
from services.runtime.ports import Clock
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, DEMO, decision, replace_decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING, MARKET = terms(10, limit="90"), terms(10, limit=None)


class SlowBroker(MemoryBroker):
    """Takes what comes at once, and answers it when it is let."""

    def __init__(self, clock: Clock) -> None:
        super().__init__(clock)
        self.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        self.may_answer = asyncio.Event()

    async def submit(
        self, order_id: OrderId, terms: OrderTerms, *, reduces: bool = False, still_may: StillMay | None = None
    ) -> SubmitOutcome:
        outcome = await super().submit(order_id, terms, reduces=reduces, still_may=still_may)
        await self.may_answer.wait()
        return outcome

    async def replace(
        self,
        broker_order_id: str,
        replacement_id: OrderId,
        changes: Changes,
        *,
        reduces: bool = False,
        still_may: StillMay | None = None,
    ) -> ReplaceOutcome:
        outcome = await super().replace(
            broker_order_id, replacement_id, changes, reduces=reduces, still_may=still_may
        )
        await self.may_answer.wait()
        return outcome


class SlowWorld(OmsWorld):
    """An OMS at a broker whose answers wait."""

    def __init__(self) -> None:
        super().__init__()
        self.broker: SlowBroker = SlowBroker(self.clock)

    async def killed(self, scope: Scope = Scope("account")) -> None:
        """Engage block_new, and see that its word was read."""
        await self.engage(KillMode.BLOCK_NEW, scope)
        await until(lambda: scope in self.core.state.account.standing.kills)

    async def proof(self) -> KillVerified:
        await until(lambda: self.of(KillVerified))
        return self.of(KillVerified)[-1]


async def test_a_kill_is_silent_once_the_last_request_before_it_was_answered():
    world = SlowWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await until(lambda: world.broker.submits == [order_id])
        await world.killed()
        world.clock.advance(timedelta(milliseconds=7))
        assert world.of(KillVerified) == []
        world.broker.may_answer.set()
        told = await world.proof()
    assert (told.blocked_after_ms, told.silent_after_ms) == (0, 7 + 1)


async def test_with_nothing_on_its_way_a_kill_is_silent_as_soon_as_it_blocks():
    world = OmsWorld()
    async with world.running():
        world.clock.advance(timedelta(milliseconds=3))
        await world.engage(KillMode.CANCEL_ALL)
        await until(lambda: world.of(KillVerified))
        (told,) = world.of(KillVerified)
    assert told.silent_after_ms == told.blocked_after_ms


async def test_what_was_approved_and_not_handed_over_before_a_kill_is_never_sent():
    world = SlowWorld()
    async with world.running():
        order_ids = [
            await world.approve(decision(f"i-{number}", RESTING)) for number in range(SUBMITS_IN_FLIGHT_MAX + 8)
        ]
        await until(lambda: len(world.broker.submits) == SUBMITS_IN_FLIGHT_MAX)
        await world.killed()
        world.broker.may_answer.set()
        await world.proof()
        unsent = set(order_ids) - set(world.broker.submits)
        for order_id in unsent:
            await until(lambda order_id=order_id: world.order(order_id).is_terminal)
    assert len(unsent) == 8
    assert {world.order(order_id).detail for order_id in unsent} == {EndCause.KILL_SWITCH}
    assert len(world.broker.submits) == SUBMITS_IN_FLIGHT_MAX


async def test_exits_and_what_lies_outside_the_scope_are_not_waited_for():
    world = SlowWorld()
    async with world.running():
        await world.approve(decision("i-1", terms(10, Side.SELL, "120"), reduces=True))
        await until(lambda: len(world.broker.submits) == 1)
        await world.killed()
        assert (await world.proof()).silent_after_ms == 0
        await world.release()
        await world.approve(decision("i-2", RESTING))
        await until(lambda: len(world.broker.submits) == 2)
        await world.killed(Scope("symbol.MSFT"))
        await until(lambda: len(world.of(KillVerified)) == 2)
        world.broker.may_answer.set()
    assert world.of(KillVerified)[1].silent_after_ms == 0


async def test_a_request_that_is_never_answered_leaves_the_silence_unproved():
    world = SlowWorld()
    async with world.running():
        world.broker.fail_submits(Fault.LOST_ANSWER)
        order_id = await world.approve(decision("i-1", RESTING))
        await until(lambda: world.broker.submits == [order_id])
        await world.killed()
        world.broker.may_answer.set()
        told = await world.proof()
    assert (told.blocked_after_ms, told.silent_after_ms) == (0, None)
    assert "1 requests sent before were never answered" in told.detail


async def test_a_doubt_from_before_a_kill_leaves_the_silence_unproved_until_it_is_known_to_be_none():
    world = OmsWorld()
    async with world.running():
        world.broker.refuse_reads(1_000_000)
        world.broker.fail_submits(Fault.LOST_REQUEST)
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "unknown")
        await world.engage(KillMode.BLOCK_NEW)
        await until(lambda: len(world.of(KillVerified)) == 1)
        world.broker.refuse_reads(0)
        await until(lambda: world.order(order_id).is_terminal)
        await until(lambda: not world.kill.flights.silence(Scope("account")).unanswered)
        await world.engage(KillMode.BLOCK_NEW, Scope("symbol.AAPL"))
        await until(lambda: len(world.of(KillVerified)) == 2)
    assert [told.silent_after_ms for told in world.of(KillVerified)] == [None, 0]


async def test_what_a_predecessor_may_have_sent_leaves_the_silence_unproved():
    world = OmsWorld()
    await world.approve(decision("i-1", RESTING))
    async with world.started():
        world.broker.refuse_reads(1_000_000)
        await until(lambda: world.kill.flights.silence(Scope("account")).unanswered)
        await world.engage(KillMode.BLOCK_NEW)
        await until(lambda: world.of(KillVerified))
    assert world.of(KillVerified)[0].silent_after_ms is None


async def test_new_terms_that_are_on_their_way_are_waited_for():
    world = SlowWorld()
    async with world.running():
        world.broker.may_answer.set()
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        world.broker.may_answer.clear()
        approved = replace_decision("i-2", order_id, terms(20, limit="90"))
        await world.journal.append(subjects.decision(ACCOUNT, DEMO, IntentId("i-2")), approved)
        await until(lambda: len(world.broker.replaces) == 1)
        await world.killed()
        world.clock.advance(timedelta(milliseconds=2))
        assert world.of(KillVerified) == []
        world.broker.may_answer.set()
        told = await world.proof()
    assert told.silent_after_ms == 2 + 1


async def test_a_word_that_comes_while_the_oms_starts_claims_no_silence_about_its_predecessor():
    world = OmsWorld()
    await world.approve(decision("i-1", RESTING))
    async with world.started():
        await world.engage(KillMode.BLOCK_NEW)  # before the first step of what asks about doubts
        await until(lambda: world.of(KillVerified))
    assert world.of(KillVerified)[0].silent_after_ms is None


async def test_new_terms_that_a_predecessor_may_have_asked_for_leave_the_silence_unproved():
    world = OmsWorld()
    async with world.running():
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
    approved = replace_decision("i-2", order_id, terms(20, limit="90"))
    await world.journal.append(subjects.decision(ACCOUNT, DEMO, IntentId("i-2")), approved)
    async with world.started():
        world.broker.refuse_reads(1_000_000)
        await until(lambda: world.core.state.open_replacements() and world.oms)
        await asyncio.sleep(0)  # all jobs have begun; the broker has not answered one question
        await world.engage(KillMode.BLOCK_NEW)
        await until(lambda: world.of(KillVerified))
    assert world.of(KillVerified)[0].silent_after_ms is None
