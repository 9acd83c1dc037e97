"""Kill switches of one agent, strategy or symbol: they end what is theirs and leave everything else alone."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.broker import KillVerified
from contracts.enums import KillMode, Side
from contracts.ids import OPERATOR, AgentId, OrderId
from contracts.scopes import ACCOUNT, FIRM, Scope, agent_scope, strategy_scope, symbol_scope
from tests.unit.oms.oms_world import QUICK_STEP, OmsWorld
from tests.unit.oms.order_stories import AAPL, decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")
ALICE, BOB = AgentId("alice"), AgentId("bob")


async def working(world: OmsWorld, name: str, agent: AgentId, strategy: str | None = None) -> OrderId:
    order_id = await world.approve(replace(decision(name, RESTING, agent=agent), strategy=strategy))
    await world.settled(order_id, "working")
    return order_id


async def proof(world: OmsWorld) -> KillVerified:
    await until(lambda: world.of(KillVerified))
    return world.of(KillVerified)[-1]


@pytest.mark.parametrize("scope", [agent_scope("alice"), strategy_scope("momo")])
async def test_a_scoped_kill_cancels_its_own_orders_and_no_others(scope: Scope):
    world = OmsWorld()
    async with world.running():
        hers = await working(world, "a-1", ALICE, "momo")
        his = await working(world, "b-1", BOB, "value")
        await world.broker.submit(OrderId("by-hand"), RESTING)
        await world.engage(KillMode.CANCEL_ALL, scope)
        await world.settled(hers, "canceled")
        assert (await proof(world)).scope == scope
        assert world.order(his).status == "working"
        assert world.broker.book.orders[OrderId("by-hand")].status != "canceled"


async def test_a_symbols_kill_cancels_foreign_orders_in_it_too():
    world = OmsWorld()
    async with world.running():
        await world.broker.submit(OrderId("by-hand"), RESTING)
        await world.engage(KillMode.CANCEL_ALL, symbol_scope(AAPL))
        await until(lambda: world.broker.book.orders[OrderId("by-hand")].status == "canceled")


async def test_an_agents_kill_blocks_its_new_risk_alone():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW, agent_scope("alice"))
        hers = await world.approve(decision("a-1", RESTING, agent=ALICE))
        his = await world.approve(decision("b-1", RESTING, agent=BOB))
        await world.settled(hers, "canceled")
        await world.settled(his, "working")


async def test_a_word_for_one_scope_that_was_only_heard_holds_there_alone():
    world = OmsWorld()
    async with world.running():
        hers, his = await working(world, "a-1", ALICE), await working(world, "b-1", BOB)
        await world.engage(KillMode.CANCEL_ALL, agent_scope("alice"), stored=False)
        await world.settled(hers, "canceled")
        await world.comparisons(2)
        assert world.order(his).status == "working"


async def test_the_firms_switch_is_the_accounts():
    world = OmsWorld()
    async with world.running():
        order_id = await working(world, "a-1", ALICE)
        await world.engage(KillMode.CANCEL_ALL, FIRM)
        await world.settled(order_id, "canceled")
        assert (await proof(world)).scope == ACCOUNT
        world.clock.advance(QUICK_STEP)
        await world.release(FIRM)
        await until(lambda: world.kill.mode is None)


async def test_releasing_one_scope_leaves_the_others_on():
    world = OmsWorld()
    async with world.running():
        await world.engage(KillMode.BLOCK_NEW)
        await world.engage(KillMode.BLOCK_NEW, agent_scope("alice"))
        world.clock.advance(QUICK_STEP)
        await world.release()
        await until(lambda: world.kill.mode is None)
        assert [word.scope for word in world.kill.words()] == [agent_scope("alice")]


async def test_what_an_agents_flatten_closes_may_work_while_its_other_orders_end():
    world = OmsWorld()
    async with world.running():
        opened = await world.approve(decision("a-0", terms(10, limit=None), agent=ALICE))
        await world.settled(opened, "filled")
        resting = await working(world, "a-1", ALICE)
        await world.engage(KillMode.FLATTEN, agent_scope("alice"))
        await world.settled(resting, "canceled")
        closing = decision("flatten-1", terms(10, Side.SELL, "100.50"), reduces=True, agent=OPERATOR)
        order_id = await world.approve(replace(closing, on_behalf_of=ALICE))
        await world.settled(order_id, "working")
        assert not world.of(KillVerified)
        world.broker.quote(AAPL, Decimal("100.60"), Decimal("100.70"))
        await world.settled(order_id, "filled")
        told = await proof(world)
    assert (told.scope, told.mode, told.orders_left, told.positions_left) == ("agent.alice", "flatten", 0, 0)
    assert told.flat_after_ms is not None
