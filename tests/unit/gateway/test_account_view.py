"""The view: what a snapshot brings back is what a replay would."""

import asyncio
from contextlib import suppress

import pytest

from contracts import subjects
from contracts.controls import EpochTaken, KillEngaged
from contracts.enums import KillMode, Role
from contracts.ids import AgentId, IntentId
from services.gateway.account_view import AccountView
from services.runtime.ports import Snapshot
from tests.unit.gateway.world import PAPER, START, World

pytestmark = pytest.mark.anyio


async def folded(world: World, snapshot: Snapshot | None = None) -> AccountView:
    """Fold the world's journal from its beginning, or from a snapshot."""
    view = AccountView(world.journal)
    if snapshot is not None:
        view.begin_from(snapshot)
    following = asyncio.ensure_future(view.follow())
    await view.reach(len(world.journal.events))
    following.cancel()
    with suppress(asyncio.CancelledError):
        await following
    return view


async def test_a_snapshot_and_the_rest_give_what_a_replay_gives(world: World):
    await world.submit(client_intent_id="before")
    taken = EpochTaken(epoch=3, at=START, role=Role.RISK, owner="host/1/1", code_version="test")
    await world.tell(taken, subjects.epoch(PAPER, Role.RISK))
    snapshot = world.view.snapshot()
    await world.tell(KillEngaged(epoch=0, at=START, mode=KillMode.BLOCK_NEW, by="ana", reason="a test"))

    replayed, resumed = await folded(world), await folded(world, snapshot)

    assert resumed.snapshot() == replayed.snapshot() == world.view.snapshot()
    assert resumed.state.kill is not None


async def test_a_decision_that_was_void_before_the_snapshot_stays_void(world: World):
    taken = EpochTaken(epoch=3, at=START, role=Role.RISK, owner="host/1/1", code_version="test")
    await world.tell(taken, subjects.epoch(PAPER, Role.RISK))
    body = b'{"type":"intent.cancel.v1","intent_id":"i-1","order_id":"lg-1"}'
    await world.inbox.publish(subjects.intent(PAPER, AgentId("demo"), IntentId("i-1")), body)
    await world.view.reach(2)  # decided under epoch 0, which is below 3

    resumed = await folded(world, world.view.snapshot())

    assert await resumed.decision_on(subjects.decision(PAPER, AgentId("demo"), IntentId("i-1"))) is None
