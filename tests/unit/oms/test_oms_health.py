"""What the OMS puts on record of its own health: that it compares, and that the broker turns requests away."""

import asyncio
import dataclasses
from datetime import timedelta
from decimal import Decimal

import pytest

from contracts import subjects
from contracts.broker import AccountObserved, Reconciled, Throttled
from contracts.controls import LimitsSet
from contracts.limits import LimitSet
from services.oms.brokers.budget import RequestBudget
from services.oms.service import Oms, OmsWaits
from tests.unit.oms.oms_world import OmsWorld
from tests.unit.oms.order_stories import ACCOUNT, NOW
from tests.waiting import until

pytestmark = pytest.mark.anyio


class ThrottledWorld(OmsWorld):
    """An OMS whose broker can be made to have turned requests away."""

    def __init__(self) -> None:
        super().__init__()
        self.budget = RequestBudget()

    async def prepared(self, waits: OmsWaits) -> tuple[Oms, asyncio.Event, asyncio.Event]:
        oms, stopping, ready = await super().prepared(waits)
        ports = oms._ports  # pyright: ignore[reportPrivateUsage] - the world knows no other broker than its own
        oms._ports = dataclasses.replace(ports, throttled=self.budget.take_refusal)  # pyright: ignore[reportPrivateUsage]
        return oms, stopping, ready


async def test_requests_that_were_turned_away_between_two_ticks_are_one_event_with_the_longest_wait():
    world = ThrottledWorld()
    async with world.running():
        assert world.of(Throttled) == []
        for wait_ms in (500, 3_000, 1_000):
            world.budget.refused(0, wait_ms)
        await until(lambda: world.of(Throttled))
        await world.comparisons(2)
    assert [told.retry_after_ms for told in world.of(Throttled)] == [3_000]


async def test_a_comparison_that_finds_nothing_is_recorded_before_the_last_one_grows_old():
    world = OmsWorld()
    async with world.running():
        await world.comparisons(3)
        told = len(world.of(Reconciled))
        await world.comparisons(3)
        assert len(world.of(Reconciled)) == told
        world.clock.advance(timedelta(seconds=31))
        await until(lambda: len(world.of(Reconciled)) == told + 1)


async def test_after_the_clock_was_set_back_what_risk_needs_fresh_is_recorded_anew():
    world = OmsWorld()
    async with world.running():
        await world.comparisons(3)
        told, seen = len(world.of(Reconciled)), len(world.of(AccountObserved))
        world.clock.set(world.clock.now() - timedelta(hours=1))
        await until(lambda: len(world.of(Reconciled)) == told + 1)
        await until(lambda: len(world.of(AccountObserved)) == seen + 1)


async def test_comparisons_are_recorded_twice_within_the_age_that_risk_allows():
    world = OmsWorld()
    limits = LimitSet(reconciliation_age_max_ms=8_000, max_net_exposure_usd=Decimal(1))
    changed = LimitsSet(epoch=0, at=NOW, version=1, limits=limits, by="test", reason="test")
    async with world.running():
        await world.journal.append(subjects.control(ACCOUNT), changed)
        await world.comparisons(3)
        told = len(world.of(Reconciled))
        world.clock.advance(timedelta(milliseconds=4_001))
        await until(lambda: len(world.of(Reconciled)) == told + 1)
