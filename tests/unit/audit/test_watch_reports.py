"""What the watch says of itself: at once when it goes blind or sees again, and before its last word grows old."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import pytest

from contracts import subjects
from contracts.audit import WatchReported
from contracts.controls import EpochTaken
from contracts.enums import Role, TradingState
from projections import account
from projections.account import EMPTY
from projections.trading_state import trading_state_of
from services.audit.broker_view import ViewUnavailableError
from services.audit.conservation import Shown, ShownFill
from services.audit.watch import BLIND_AFTER_LOOKS, ConservationWatch, WatchPorts
from services.audit.watch_reports import UNWATCHED, WatchReports, report_unwatched
from services.runtime.memory import ManualClock, MemoryJournal, MemoryLease
from services.runtime.ports import LeaseLostError
from tests.risk_world import NOW, PAPER, limits_set, observed
from tests.waiting import until

pytestmark = pytest.mark.anyio
LOOK_MS = 2


class View:
    """A broker without orders that answers, or does not."""

    def __init__(self) -> None:
        self.failing = 0
        self.looks = 0

    async def orders_after(self, at: datetime) -> tuple[Shown, ...]:
        del at
        self.looks += 1
        if self.failing:
            self.failing -= 1
            raise ViewUnavailableError("GET /v2/orders answered HTTP 500")
        return ()

    async def open_orders(self) -> tuple[Shown, ...]:
        return ()

    async def fills_after(self, at: datetime) -> tuple[ShownFill, ...]:
        del at
        return ()


class World:
    """A journal, a watch over it, and the account as risk folds it."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.journal = MemoryJournal(PAPER, self.clock)
        self.lease = MemoryLease(1)
        self.view = View()

    def reports(self) -> WatchReports:
        return WatchReports(self.journal, self.lease, self.clock)

    def told(self) -> list[bool]:
        return [r.event.blind for r in self.journal.events if isinstance(r.event, WatchReported)]

    def states(self) -> list[tuple[TradingState, tuple[str, ...]]]:
        """Give the account's trading state before the first report, and after each."""
        state, found = EMPTY, list[tuple[TradingState, tuple[str, ...]]]()
        for recorded in self.journal.events:
            if isinstance(recorded.event, WatchReported) and not found:
                found.append(trading_state_of(state, NOW))
            state = account.evolve(state, recorded.event, recorded.seq)
            if isinstance(recorded.event, WatchReported):
                found.append(trading_state_of(state, NOW))
        return found

    async def write(self, *events: Any) -> None:
        for event in events:
            await self.journal.append(subjects.control(PAPER), event)

    def report(self, **facts: Any) -> None:
        """Health is of no interest here."""

    async def watch(self, stopping: asyncio.Event) -> None:
        ports = WatchPorts(
            journal=self.journal, view=self.view, lease=self.lease, clock=self.clock, report=self.report
        )
        await ConservationWatch(ports, look_every_ms=LOOK_MS).run(stopping)


async def test_a_watch_that_sees_says_so_before_its_last_word_grows_old_and_not_more_often() -> None:
    world = World()
    reports = world.reports()
    for seconds in (0, 10, 10, 10, 10):
        world.clock.advance(timedelta(seconds=seconds))
        await reports.tell(blind=False, read_seq=1)
    assert world.told() == [False, False]
    reports.allow(16_000)
    world.clock.advance(timedelta(seconds=8))
    await reports.tell(blind=False, read_seq=1)
    assert world.told() == [False, False, False]


async def test_a_watch_whose_clock_was_set_back_says_anew_that_it_sees() -> None:
    world = World()
    reports = world.reports()
    await reports.tell(blind=False, read_seq=1)
    world.clock.set(NOW - timedelta(hours=1))
    await reports.tell(blind=False, read_seq=1)
    await reports.tell(blind=False, read_seq=1)
    assert world.told() == [False, False]


async def test_going_blind_and_seeing_again_are_told_at_once() -> None:
    world = World()
    reports = world.reports()
    for blind in (False, True, True, False, False):
        await reports.tell(blind=blind, read_seq=1, detail="x" * 500)
    assert world.told() == [False, True, False]
    report = world.journal.events[-1].event
    assert isinstance(report, WatchReported)
    assert len(report.detail) == 200


async def test_without_its_lease_nothing_is_told() -> None:
    world = World()
    world.lease.take_away()
    with pytest.raises(LeaseLostError):
        await world.reports().tell(blind=False, read_seq=1)
    assert world.told() == []


async def test_a_watch_that_fails_to_look_twice_leaves_only_exits_until_it_sees() -> None:
    world, stopping = World(), asyncio.Event()
    began = EpochTaken(epoch=1, at=NOW, role=Role.AUDIT, owner="test", code_version="test")
    await world.journal.append(subjects.epoch(PAPER, Role.AUDIT), began)
    await world.write(limits_set(audit_age_max_ms=60_000), observed())
    watching = asyncio.ensure_future(world.watch(stopping))
    await until(lambda: world.told() == [False])
    for failing, told in ((1, 1), (BLIND_AFTER_LOOKS, 3)):
        world.view.failing, looks = failing, world.view.looks
        await until(lambda looks=looks: world.view.looks > looks + BLIND_AFTER_LOOKS + 1)
        assert len(world.told()) == told
    stopping.set()
    await watching
    assert world.told() == [False, True, False]
    assert world.states() == [
        (TradingState.REDUCE_ONLY, ("audit_stale",)),
        (TradingState.ACTIVE, ()),
        (TradingState.REDUCE_ONLY, ("audit_blind",)),
        (TradingState.ACTIVE, ()),
    ]


async def test_where_nothing_is_watched_audit_says_that_it_is_there() -> None:
    world, stopping = World(), asyncio.Event()
    telling = asyncio.ensure_future(report_unwatched(world.journal, world.lease, world.clock, stopping))
    await until(world.told)
    stopping.set()
    await telling
    (recorded,) = world.journal.events
    assert isinstance(recorded.event, WatchReported)
    assert (recorded.event.blind, recorded.event.detail) == (False, UNWATCHED)
