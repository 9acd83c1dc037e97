"""A whole OMS on an in-memory journal and an in-memory broker, with waits short enough for tests."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog

from contracts import subjects
from contracts.base import Event
from contracts.codec import JournalEvent, encode
from contracts.controls import EpochTaken, KillEngaged, KillReleased
from contracts.decisions import Decision
from contracts.enums import KillMode, Role
from contracts.ids import OrderId
from contracts.orders import OrderEvent
from contracts.scopes import ACCOUNT as WHOLE
from contracts.scopes import Scope
from projections.order_state import OrderState
from services.oms.brokers.memory import MemoryBroker
from services.oms.core import OmsCore
from services.oms.kill import KillSwitch
from services.oms.service import Oms, OmsPorts, OmsWaits, rebuild
from services.oms.sweep import SweepWaits
from services.oms.waits import SenderWaits
from services.runtime.memory import ManualClock, MemoryJournal, MemoryLease, MemorySnapshots
from tests.unit.oms.order_stories import AAPL, ACCOUNT, NOW
from tests.waiting import until

QUICK_STEP = timedelta(milliseconds=1)
"""Moves the clock so that one comparison can be told from the next."""
QUICK = OmsWaits(
    compare_every_ms=40,
    confirm_after_ms=10,
    retry_first_ms=5,
    retry_last_ms=20,
    tick_ms=20,
    sender=SenderWaits(retry_first_ms=2, retry_last_ms=10, lookup_first_ms=5, lookup_last_ms=20),
    sweep=SweepWaits(busy_ms=10, calm_ms=20),
)


class OmsWorld:
    """The journal and the broker, which outlive any number of OMS runs."""

    def __init__(self) -> None:
        self.clock = ManualClock(NOW)
        self.journal = MemoryJournal(ACCOUNT, self.clock)
        self.snapshots = MemorySnapshots()
        self.broker = MemoryBroker(self.clock)
        self.broker.quote(AAPL, Decimal("99.90"), Decimal("100.10"))
        self.epoch = 0
        self.oms: Oms | None = None
        self.kill = KillSwitch(OmsCore(), self.clock)
        self.core = OmsCore()
        self.lease = MemoryLease(0)

    @asynccontextmanager
    async def running(self, waits: OmsWaits = QUICK) -> AsyncGenerator["OmsWorld"]:
        """Run an OMS from its first comparison to its clean end."""
        oms, stopping, ready = await self.prepared(waits)
        task = asyncio.create_task(oms.run(stopping, ready.set))
        try:
            await self._ready(task, ready)
            yield self
        finally:
            stopping.set()
            await task

    @asynccontextmanager
    async def started(self, waits: OmsWaits = QUICK) -> AsyncGenerator["asyncio.Task[None]"]:
        """Run an OMS without waiting for anything; it is cancelled, as by a kill, when the story ends."""
        oms, stopping, ready = await self.prepared(waits)
        task = asyncio.create_task(oms.run(stopping, ready.set))
        try:
            yield task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def prepared(self, waits: OmsWaits) -> tuple[Oms, asyncio.Event, asyncio.Event]:
        self.epoch += 1
        self.lease = MemoryLease(self.epoch)
        taken = EpochTaken(epoch=self.epoch, at=NOW, role=Role.OMS, owner="test", code_version="test")
        await self.journal.append(subjects.epoch(ACCOUNT, Role.OMS), taken)
        self.core = OmsCore()
        self.kill = KillSwitch(self.core, self.clock)
        log = structlog.get_logger("oms-test")
        ports = OmsPorts(self.journal, self.snapshots, self.broker, self.clock, self.lease, log)
        await rebuild(self.core, ports)
        self.core.epoch = self.epoch
        self.oms = Oms(ports, self.core, self.kill, waits)
        return self.oms, asyncio.Event(), asyncio.Event()

    @property
    def facts(self) -> dict[str, Any]:
        """What health would show."""
        return {} if self.oms is None else self.oms.figures()

    async def prepared_core(self) -> OmsCore:
        """Fold the journal as a start would, and leave it at that."""
        core = OmsCore()
        log = structlog.get_logger("oms-test")
        await rebuild(core, OmsPorts(self.journal, self.snapshots, self.broker, self.clock, self.lease, log))
        return core

    async def approve(self, decision: Decision) -> OrderId:
        """Store an approval as risk would."""
        await self.journal.append(subjects.decision(ACCOUNT, decision.agent, decision.intent_id), decision)
        assert decision.order_id is not None
        return decision.order_id

    async def engage(self, mode: KillMode, scope: Scope = WHOLE, *, heard: bool = True, stored: bool = True) -> None:
        """Pull the kill switch, on both planes or on one."""
        event = KillEngaged(epoch=0, at=self.clock.now(), mode=mode, by="operator", reason="test", scope=scope)
        if heard:
            self.kill.hear(encode(event))
        if stored:
            await self.journal.append(subjects.control(ACCOUNT), event)

    async def release(self, scope: Scope = WHOLE) -> None:
        event = KillReleased(epoch=0, at=self.clock.now(), by="operator", reason="test", scope=scope)
        await self.journal.append(subjects.control(ACCOUNT), event)

    def story(self, order_id: OrderId) -> list[str]:
        """Name the events of one order."""
        return [type(event).__name__ for event in self.told(order_id)]

    def told(self, order_id: OrderId) -> list[OrderEvent]:
        return [event for event in self.events() if isinstance(event, OrderEvent) and event.order_id == order_id]

    def events(self) -> list[JournalEvent]:
        return [recorded.event for recorded in self.journal.events]

    def of(self, *kinds: type[Event]) -> list[Any]:
        return [event for event in self.events() if isinstance(event, kinds)]

    def order(self, order_id: OrderId) -> OrderState:
        found = self.core.state.order(order_id)
        assert found is not None
        return found

    async def settled(self, order_id: OrderId, status: str) -> OrderState:
        """Wait until the journal tells that an order stands in a status."""
        await until(lambda: (o := self.core.state.order(order_id)) is not None and o.status == status, 10)
        return self.order(order_id)

    async def comparisons(self, count: int) -> None:
        """Wait until this many more comparisons have ended."""
        for _ in range(count):
            seen = self.facts.get("reconciled_at")
            self.clock.advance(QUICK_STEP)
            await until(lambda seen=seen: self.facts.get("reconciled_at") != seen, 10)

    async def _ready(self, task: "asyncio.Task[None]", ready: asyncio.Event) -> None:
        waiting = asyncio.create_task(ready.wait())
        await asyncio.wait({task, waiting}, timeout=10, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()
        if task.done():
            task.result()
        assert ready.is_set()
