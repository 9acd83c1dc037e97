"""The OMS process: approvals in from the journal, orders out to the broker, what becomes of them back into it.

Whatever breaks the order of that ends the process; starting again is the recovery: take the right to write, fold
the journal, ask the broker about everything that is open, and only then send.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from operator import itemgetter
from typing import Any, assert_never

from contracts.base import Event
from contracts.broker import BrokerLinkChanged, Throttled
from contracts.codec import JournalEvent
from contracts.controls import BreakAccepted, KillEngaged, KillReleased
from contracts.decisions import Decision
from contracts.enums import Action, EndCause, Outcome
from contracts.ids import EXTERNAL
from contracts.orders import OrderBusted, OrderCorrected, OrderEvent, OrderFilled, OrderReplaced
from services.oms.age_limit import ITSELF, AgeLimit
from services.oms.bookkeeper import Bookkeeper
from services.oms.breaks import BreakDesk
from services.oms.brokers.port import (
    Broker,
    BrokerThrottledError,
    BrokerUnreachableError,
    BrokerUpdate,
    LinkDown,
    LinkUp,
)
from services.oms.clock_watch import ClockWatch
from services.oms.comparison import Comparison
from services.oms.core import SNAPSHOT_SCHEMA, OmsCore
from services.oms.decider import Updated
from services.oms.desk import OrderDesk
from services.oms.fills import is_behind, is_doubtful
from services.oms.kill import KillSwitch
from services.oms.proof import ProofDesk
from services.oms.reconciler import Hands, Reconciler
from services.oms.registrar import Registrar
from services.oms.sender import Sender
from services.oms.state import is_unsent, to_cancel
from services.oms.sweep import Sweep, SweepParts, SweepWaits
from services.oms.waits import SenderWaits
from services.runtime.ports import Clock, Journal, Lease, Snapshot, Snapshots
from services.runtime.settings import DEFAULT_CLOCK_EVERY_MS

SNAPSHOT_EVERY_EVENTS = 20_000
UPDATES_IN_HAND_MAX = 256
EVENTS_AT_ONE_GO_MAX = 8
"""After so many, a millisecond or so, what else came is heard: a kill must not wait for the end of a burst."""
DRAIN_MS_MAX = 4_000
LISTING_MS_MAX = 3_000
"""So long the broker's word on what may be traded is waited for at the start; without it risk denies."""
QUICK_COMPARISONS = 4
"""At the start: one that sees, one that sees it last, one that adopts it, one that opens the books."""
MUTE_AFTER = 2
"""Comparisons that found what an update should have told, with no update in between, before the link is given up."""


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
    throttled: Callable[[], int | None] = lambda: None
    """The wait that the broker asked for (ms) since this was last asked, None when it turned nothing away."""


@dataclass(frozen=True, slots=True)
class OmsWaits:
    """Milliseconds between comparisons, before one that confirms what was just seen, and after a failed one."""

    compare_every_ms: int = 5_000
    confirm_after_ms: int = 300
    retry_first_ms: int = 500
    retry_last_ms: int = 2_000
    tick_ms: int = 1_000
    clock_every_ms: int = DEFAULT_CLOCK_EVERY_MS
    sender: SenderWaits = field(default_factory=SenderWaits)
    sweep: SweepWaits = field(default_factory=SweepWaits)


_MOVES_TOTALS = (OrderFilled, OrderBusted, OrderCorrected, OrderReplaced)


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
        self._proof = ProofDesk(ports.broker, self._desk, kill, core, ports.clock, ports.log)
        parts = SweepParts(self._desk, self._sender, kill, self._proof)
        self._sweep = Sweep(ports.broker, core, parts, self._waits.sweep)
        self._registrar = Registrar(ports.broker, self._desk, core, ports.clock)
        self._clocks = ClockWatch(ports.broker, self._desk, core, ports.clock, self._waits.clock_every_ms)
        self._keeper = Bookkeeper(ports.broker, self._desk, core, ports.clock, ports.journal.account)
        self._breaks = BreakDesk(self._desk, core, ports.log)
        hands = Hands(self._desk, self._sender, self._keeper, self._breaks)
        self._reconciler = Reconciler(ports.broker, hands, core, ports.clock)
        self._update_slots = asyncio.Semaphore(UPDATES_IN_HAND_MAX)
        self._compare_now = asyncio.Event()
        self._full_wanted = True
        self._link_up = False
        self._link_came_up = asyncio.Event()
        self._age_limit = AgeLimit()
        self._unheard_in_a_row = 0
        self._odd_averages = 0
        self._live = False
        self._workers: set[asyncio.Task[None]] = set()
        self._snapshot_seq = core.read_seq
        self._reconciled_at: datetime | None = None

    async def run(self, stopping: asyncio.Event, mark_ready: Callable[[], None]) -> None:
        """Work until told to stop; then let what is on its way to the broker come to its record."""
        async with asyncio.TaskGroup() as group:
            self._group = group
            jobs = (
                self._follow_journal(),
                self._follow_broker(),
                self._keep_comparing(mark_ready),
                self._sweep.run(),
                self._registrar.run(self._ports.log),
                self._clocks.run(self._ports.log),
                self._tick(),
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
        at_one_go = 0
        async for recorded in self._ports.journal.read(after=self._core.read_seq):
            if self._core.take(recorded.seq, recorded.event):
                self._after_event(recorded.seq, recorded.event)
            self._desk.has_read_to()
            at_one_go += 1
            if at_one_go == EVENTS_AT_ONE_GO_MAX:
                at_one_go = 0
                await asyncio.sleep(0)

    def _after_event(self, seq: int, event: JournalEvent) -> None:
        match event:
            case KillEngaged() | KillReleased():
                self._after_word(seq, event)
            case OrderEvent(order_id=order_id):
                self._desk.has_read(seq, order_id)
                if self._live and isinstance(event, _MOVES_TOTALS) and self._breaks.concerns(order_id):
                    self._spawn(self._breaks.check_fill(order_id))
            case BreakAccepted():
                self._want_full()
            case Decision(outcome=Outcome.APPROVED, order_id=order_id):
                if order_id is not None:
                    self._desk.has_read(seq, order_id)
                if self._live:
                    self._carry_out(event)
            case _:
                pass

    def _after_word(self, seq: int, event: KillEngaged | KillReleased) -> None:
        if isinstance(event, KillReleased):
            self._kill.read_release(event)
        else:
            self._proof.owe(event, seq, self._kill.read(event))

    def _carry_out(self, decision: Decision) -> None:
        order_id = decision.order_id
        if decision.action is Action.SUBMIT and order_id is not None:
            self._spawn(self._sender.submit(order_id))
        elif decision.action is Action.REPLACE and order_id is not None:
            self._spawn(self._sender.replace(order_id))
        for unwanted in to_cancel(decision):
            self._spawn(self._sender.cancel(unwanted, decision.agent))

    def _go_live(self) -> None:
        """Carry out approvals from now on, and take up what was approved before."""
        self._live = True
        self._take_up_doubts()
        for order_id, wish in sorted(self._core.state.cancels.items(), key=itemgetter(0)):
            self._spawn(self._sender.cancel(order_id, wish.requested_by))
        for order_id in self._core.state.open_replacements():
            self._spawn(self._sender.replace(order_id, perhaps_asked=True))
        self._kill.flights.are_all_known = True
        for order in self._core.state.all_orders():
            if self._breaks.concerns(order.order_id):
                self._spawn(self._breaks.check_fill(order.order_id))
        self._proof.owe_rest()
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
                    self._link_came_up.set()
                    self._want_full()
                case LinkDown(detail=detail):
                    self._link_up = False
                    self._ports.log.warning("no updates from the broker", detail=detail)
                    await self._say_link(up=False, detail=detail)
                case _:
                    assert_never(report)

    async def _take_update(self, update: BrokerUpdate) -> None:
        self._unheard_in_a_row = 0
        try:
            order = await self._desk.tell_of(update.order, Updated(update))
        except BrokerUnreachableError as error:
            self._ports.log.warning("an update waits for its order", broker_event=update.event, detail=error.detail)
            self._want_full()
            return
        finally:
            self._update_slots.release()
        if is_doubtful(update) or (order is not None and is_behind(order, update.order)):
            self._want_full()

    def _want_full(self) -> None:
        self._full_wanted = True
        self._compare_now.set()

    async def _keep_comparing(self, mark_ready: Callable[[], None]) -> None:
        """Compare for ever, at once when asked to; the first comparison that succeeds opens the gate."""
        wait_ms = self._waits.retry_first_ms
        compared = 0
        while True:
            full, self._full_wanted = self._full_wanted, False
            self._compare_now.clear()
            self._link_came_up.clear()
            try:
                if not compared:
                    self._take_up_doubts()
                await self._compare(full=full)
            except BrokerUnreachableError as error:
                self._full_wanted = True
                await self._after_no_answer(error)
                await _pause_ms(self._link_came_up, max(wait_ms, error.retry_after_ms or 0))
                wait_ms = min(wait_ms * 2, self._waits.retry_last_ms)
                continue
            wait_ms = self._waits.retry_first_ms
            compared += 1
            if compared == 1:
                self._go_live()
                await _pause_ms(self._registrar.looked, LISTING_MS_MAX)
                await _pause_ms(self._clocks.looked, LISTING_MS_MAX)
                mark_ready()
            quick = compared < QUICK_COMPARISONS
            await _pause_ms(
                self._compare_now, self._waits.confirm_after_ms if quick else self._waits.compare_every_ms
            )

    async def _after_no_answer(self, error: BrokerUnreachableError) -> None:
        """Say that the link is down, unless the question only has to wait its turn."""
        if isinstance(error, BrokerThrottledError):
            self._ports.log.warning("comparisons wait for the request budget", detail=error.detail)
            return
        self._ports.log.warning("no answer from the broker", detail=error.detail)
        await self._say_link(up=False, detail=error.detail)

    async def _compare(self, *, full: bool) -> None:
        found = await self._reconciler.reconcile(full=full, confirm_after_ms=self._waits.confirm_after_ms)
        self._reconciled_at = self._ports.clock.now()
        self._odd_averages = len(found.odd_averages)
        self._full_wanted |= self._breaks.suspects_anew
        if found.breaks:
            self._ports.log.warning("positions from before our books are adopted", positions=found.breaks)
        if self._link_up and not self._compare_now.is_set():
            await self._say_link(up=True, detail="orders compared")
        await self._doubt_link(found)

    async def _doubt_link(self, found: Comparison) -> None:
        """Give up a socket that is open and tells nothing: the broker, asked, knows more than it ever told."""
        if found.full or not found.unheard:
            return
        self._unheard_in_a_row += 1
        if self._unheard_in_a_row >= MUTE_AFTER:
            self._unheard_in_a_row = 0
            self._ports.log.warning("the link tells nothing and is made anew")
            await self._ports.broker.renew_link()

    async def _say_link(self, *, up: bool, detail: str) -> None:
        """Record that the link changed; it is up only once what happened meanwhile is known."""
        if self._core.state.account.broker_up is not up:
            await self._append(lambda epoch, at: BrokerLinkChanged(epoch=epoch, at=at, up=up, detail=detail))

    async def _append(self, make: Callable[[int, datetime], Event]) -> None:
        stamp = self._desk.stamp()
        await self._desk.append(make(stamp.epoch, stamp.at))
        await self._desk.all_read()

    # Housekeeping.

    def figures(self) -> dict[str, Any]:
        """Give what health shows."""
        state = self._core.state
        return {
            "seq": self._core.read_seq,
            "epoch": self._ports.lease.epoch,
            "open_orders": state.account.open_orders,
            "external_orders": sum(order.agent == EXTERNAL for order in state.open_orders()),
            "unknown_orders": state.unknown_orders(),
            "breaks": sorted(state.account.breaks),
            "differences": sorted(self._breaks.watched),
            "books_open": self._keeper.are_open,
            "odd_averages": self._odd_averages,
            "in_hand": len(self._sender.in_hand),
            "link": "up" if self._link_up else "down",
            "reconciled_at": self._reconciled_at,
            "clock_skew_ms": self._clocks.skew_ms,
            "kill": self._kill.mode,
            "kills": self._kill.facts(),
            "kills_not_done": self._proof.late,
            "budget": self._ports.budget(),
        }

    async def _tick(self) -> None:
        while True:
            state = self._core.state
            await self._tell_of_throttling()
            if self._core.read_seq - self._snapshot_seq >= SNAPSHOT_EVERY_EVENTS:
                await self._keep_snapshot()
            for order_id in self._age_limit.due(state.account, self._ports.clock.now()) if self._live else ():
                self._spawn(self._sender.cancel(order_id, ITSELF, EndCause.TOO_OLD))
            await asyncio.sleep(self._waits.tick_ms / 1000)

    async def _tell_of_throttling(self) -> None:
        """Record that the broker turned requests away: once a tick, however many they were."""
        wait_ms = self._ports.throttled()
        if wait_ms is not None:
            await self._append(lambda epoch, at: Throttled(epoch=epoch, at=at, retry_after_ms=wait_ms))

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


async def _pause_ms(unless: asyncio.Event, wait_ms: int) -> None:
    """Wait, but not longer than until something happens."""
    try:
        async with asyncio.timeout(wait_ms / 1000):
            await unless.wait()
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
