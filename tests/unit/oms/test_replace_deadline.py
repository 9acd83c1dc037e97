"""Whether new terms may still be asked for is looked at when their bytes go, not when that is written down."""

from datetime import timedelta
from typing import Any

import pytest

from contracts import subjects
from contracts.base import Event
from contracts.enums import EndCause
from contracts.orders import OrderReplaceRejected, OrderReplaceRequested
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, DEMO, decision, replace_decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio


async def test_terms_that_expire_while_the_request_is_recorded_are_not_asked_for(monkeypatch: pytest.MonkeyPatch):
    world = OmsWorld()
    append = world.journal.append

    async def slow(subject: str, event: Event, **how: Any) -> int:
        if isinstance(event, OrderReplaceRequested):
            world.clock.advance(timedelta(hours=1))
        return await append(subject, event, **how)

    async with world.running():
        order_id = await world.approve(decision("i-1", terms(10, limit="90")))
        await world.settled(order_id, "working")
        monkeypatch.setattr(world.journal, "append", slow)
        approved = replace_decision("i-2", order_id, terms(10, limit="91"), at=world.clock.now())
        await append(subjects.decision(ACCOUNT, DEMO, "i-2"), approved)
        await until(lambda: world.of(OrderReplaceRejected))
    assert world.of(OrderReplaceRejected)[0].detail == EndCause.DECISION_STALE
    assert world.broker.replaces == []
