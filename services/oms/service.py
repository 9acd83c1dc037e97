"""The OMS process: approvals in from the journal, orders out to the broker, what becomes of them back into it.

Whatever breaks the order of that ends the process; starting again is the recovery: take the right to write, fold
the journal, ask the broker about everything that is open, and only then send.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, assert_never

from contracts.base import Event
from contracts.broker import BrokerLinkChanged
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.orders import OrderEvent
from services.oms.brokers.port import (
    Broker,
    BrokerUnreachableError,
    BrokerUpdate,
    LinkDown,
    LinkUp,
)
from services.oms.core import SNAPSHOT_SCHEMA, OmsCore
from services.oms.decider import Updated
from services.oms.desk import OrderDesk
from services.oms.fills import is_doubtful
from services.oms.kill import KillSwitch
from services.oms.reconciler import Reconciler
from services.oms.sender import Sender, SenderWaits
from services.oms.state import is_unsent
from services.oms.sweep import Sweep, SweepWaits
from services.runtime.ports import Clock, Journal, Lease, Snapshot, Snapshots

SNAPSHOT_EVERY_EVENTS = 20_000
UPDATES_IN_HAND_MAX = 256
DRAIN_MS_MAX = 4_000


@dataclass(frozen=True, slots=True)
class OmsPorts:
    """What the OMS stands on."""

    journal: Journal
    snapshots: Snapshots
    broker: Broker
    clock: Clock
    lease: Lease
    log: Any
    budget: Callable[[], Mapping[str, int]] = dict
    """What is left of the requests that the broker takes, for health."""


@dataclass(frozen=True, slots=True)
class OmsWaits:
    """Milliseconds between comparisons, before the one that confirms the first, and after a failed one."""

    compare_every_ms: int = 5_000
    confirm_after_ms: int = 300
    retry_first_ms: int = 500
    retry_last_ms: int = 10_000
    tick_ms: int = 1_000
    sender: SenderWaits = field(default_factory=SenderWaits)
    sweep: SweepWaits = field(default_factory=SweepWaits)


class Oms:
    """One account's orders, wired to its journal and its broker."""

    def __init__(self, ports: OmsPorts, core: OmsCore, kill: KillSwitch, waits: OmsWaits | None = None) -> None:
        """Bind the parts to each other."""
        self._ports = ports
        self._core = core
        self._kill = kill
        self._waits = waits or OmsWaits()
        self._desk = OrderDesk(ports.journal, core, ports.clock, ports.lease)
        self._sender = Sender(ports.broker, self._desk, kill, ports.clock, self._waits.sender)
        self._sweep = Sweep(ports.broker, self._desk, self._sender, kill, core, self._waits.sweep)
        self._reconciler = Reconciler(ports.broker, self._desk, self._sender, core, ports.clock)
        self._update_slots = asyncio.Semaphore(UPDATES_IN_HAND_MAX)
        self._compare_now = asyncio.Event()
        self._full_wanted = True
        self._link_up = False
        self._live = False
        self._workers: set[asyncio.Task[None]] = set()
        self._snapshot_seq = core.read_seq
        self._reconciled_at: datetime | None = None

    async def run(self, stopping: asyncio.Event, mark_ready: Callable[[], None], report: Callable[..., None]) -> None:
        """Work until told to stop; then let what is on its way to the broker come to its record."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            jobs = (
                self._follow_journal(),
                self._follow_broker(),
                self._keep_comparing(mark_ready),
                self._sweep.run(),
                self._tick(report),
            )
            tasks = [group.create_task(job) for job in jobs]
            await stopping.wait()
            self._live = False
            await self._drain()
            for task in (*tasks, *self._workers):
                task.cancel()
        await self._keep_snapshot()

    # What the journal says.

    async def _follow_journal(self) -> None:
        async for recorded in self._ports.journal.read(after=self._core.read_seq):
            if self._core.take(recorded.seq, recorded.event):
                self._after_event(recorded.seq, recorded.event)
            self._desk.has_read_to()

    def _after_event(self, seq: int, event: JournalEvent) -> None:
        self._kill.read(event)
        match event:
            case OrderEvent(order_id=order_id):
                self._desk.has_read(seq, order_id)
            case Decision(outcome=Outcome.APPROVED, order_id=order_id) if order_id is not None:
                self._desk.has_read(seq, order_id)
                if self._live:
                    self._carry_out(event)
            case _:
                pass

    def _carry_out(self, decision: Decision) -> None:
        order_id = decision.order_id
        if order_id is None:
            return
        if decision.action is Action.SUBMIT:
            self._spawn(self._sender.submit(order_id))
        elif decision.action is Action.CANCEL:
            self._spawn(self._sender.cancel(order_id, decision.agent))

    def _go_live(self) -> None:
        """Carry out approvals from now on, and take up what was approved before."""
        self._live = True
        self._take_up_doubts()
        for order_id, wish in self._core.state.cancels.items():
            self._spawn(self._sender.cancel(order_id, wish.requested_by))
        if self._kill.cancels:
            self._kill.moved.set()

    def _take_up_doubts(self) -> None:
        """Ask about every order that may or may not have reached the broker; a predecessor may have sent it."""
        for order in self._core.state.open_orders():
            if is_unsent(order) or order.broker_order_id is None:
                self._spawn(self._sender.resume(order.order_id))

    # What the broker says.

    async def _follow_broker(self) -> None:
        async for report in self._ports.broker.updates():
            match report:
                case BrokerUpdate():
                    await self._update_slots.acquire()
                    self._spawn(self._take_update(report))
                case LinkUp():
                    self._link_up = True
                    self._want_full()
                case LinkDown(detail=detail):
                    self._link_up = False
                    self._ports.log.warning("no updates from the broker", detail=detail)
                    await self._say_link(up=False, detail=detail)
                case _:
                    assert_never(report)

    async def _take_update(self, update: BrokerUpdate) -> None:
        try:
            order = await self._desk.tell_of(update.order, Updated(update))
        finally:
            self._update_slots.release()
        if is_doubtful(update) or (order is not None and order.filled_qty < update.order.filled_qty):
            self._want_full()

    def _want_full(self) -> None:
        self._full_wanted = True
        self._compare_now.set()

    async def _keep_comparing(self, mark_ready: Callable[[], None]) -> None:
        """Compare for ever, at once when asked to; the first comparison that succeeds opens the gate."""
        wait_ms = self._waits.retry_first_ms
        first = True
        while True:
            full, self._full_wanted = self._full_wanted, False
            self._compare_now.clear()
            try:
                if first:
                    self._take_up_doubts()
                await self._compare(full=full)
            except BrokerUnreachableError as error:
                self._full_wanted = True
                self._ports.log.warning("no answer from the broker", detail=error.detail)
                await self._say_link(up=False, detail=error.detail)
                await asyncio.sleep(max(wait_ms, error.retry_after_ms or 0) / 1000)
                wait_ms = min(wait_ms * 2, self._waits.retry_last_ms)
                continue
            wait_ms = self._waits.retry_first_ms
            if first:
                self._go_live()
                mark_ready()
            await self._pause_ms(self._waits.confirm_after_ms if first else self._waits.compare_every_ms)
            first = False

    async def _compare(self, *, full: bool) -> None:
        found = await self._reconciler.reconcile(full=full)
        self._reconciled_at = self._ports.clock.now()
        if found.breaks:
            self._ports.log.error("positions differ from the broker's", breaks=found.breaks)
        if self._link_up and not self._full_wanted:
            await self._say_link(up=True, detail="orders compared")

    async def _say_link(self, *, up: bool, detail: str) -> None:
        """Record that the link changed; it is up only once what happened meanwhile is known."""
        if self._core.state.account.broker_up is not up:
            await self._append(lambda epoch, at: BrokerLinkChanged(epoch=epoch, at=at, up=up, detail=detail))

    async def _append(self, make: Callable[[int, datetime], Event]) -> None:
        stamp = self._desk.stamp()
        await self._desk.append(make(stamp.epoch, stamp.at))
        await self._desk.all_read()

    # Housekeeping.

    async def _tick(self, report: Callable[..., None]) -> None:
        while True:
            state = self._core.state
            report(
                seq=self._core.read_seq,
                epoch=self._ports.lease.epoch,
                open_orders=state.account.open_orders,
                unknown_orders=state.unknown_orders(),
                in_hand=len(self._sender.in_hand),
                link="up" if self._link_up else "down",
                reconciled_at=self._reconciled_at,
                kill=self._kill.mode,
                budget=self._ports.budget(),
            )
            if self._core.read_seq - self._snapshot_seq >= SNAPSHOT_EVERY_EVENTS:
                await self._keep_snapshot()
            await asyncio.sleep(self._waits.tick_ms / 1000)

    async def _keep_snapshot(self) -> None:
        self._snapshot_seq = self._core.read_seq
        await self._ports.snapshots.save(Snapshot(self._core.read_seq, SNAPSHOT_SCHEMA, self._core.save()))

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run work beside the rest; if it fails, everything does."""
        task = self._group.create_task(work)
        self._workers.add(task)
        task.add_done_callback(self._workers.discard)

    async def _drain(self) -> None:
        """Wait a while for what is on its way; what is not done then is taken up after the next start."""
        on_their_way = {task for task in self._workers if not task.done()}
        if on_their_way:
            await asyncio.wait(on_their_way, timeout=DRAIN_MS_MAX / 1000)

    async def _pause_ms(self, wait_ms: int) -> None:
        try:
            async with asyncio.timeout(wait_ms / 1000):
                await self._compare_now.wait()
        except TimeoutError:
            return


async def rebuild(core: OmsCore, ports: OmsPorts) -> None:
    """Bring the core to the end of the journal, from the newest snapshot when there is one we understand."""
    upto_seq = await ports.journal.last_seq()
    snapshot = await ports.snapshots.load(SNAPSHOT_SCHEMA)
    if snapshot is not None and snapshot.sequence <= upto_seq:
        core.load(snapshot.state)
    if core.read_seq >= upto_seq:
        return
    async for recorded in ports.journal.read(after=core.read_seq):
        core.take(recorded.seq, recorded.event)
        if recorded.seq >= upto_seq:
            return
