"""The conservation watch: whatever the broker shows must trace to an approved decision, or trading halts.

It looks over a connection of its own, with GET only, and counts with its own ledger. An order that does not trace
becomes a `BreakFound` of kind ORPHAN in the journal: risk then lets only exits pass, until an operator says that the
order is known, or until the journal explains it after all. The OMS adopts the same order as external, so it counts
in exposure all the while.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from contracts import subjects
from contracts.broker import BreakFound, BreakHealed, BrokerLinkChanged
from contracts.controls import BreakAccepted, LimitsSet
from contracts.enums import BreakKind
from contracts.orders import OrderAdopted
from projections.fence import OPEN_FENCE, admits, raise_fence
from services.audit.broker_view import BrokerView, ViewUnavailableError
from services.audit.conservation import Fault, Ledger, Shown
from services.audit.watch_reports import WatchReports
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError, Recorded
from services.runtime.telemetry import get_logger

OVERLAP = timedelta(minutes=2)
"""How far each look reaches back before the last one: an order may be shown later than it was submitted."""
LOOK_BACK = timedelta(hours=24)
"""How far the first look reaches back, but never before this journal began."""
FILLS_EVERY_LOOKS = 5
BLIND_AFTER_LOOKS = 2
"""So many looks in a row must fail before the watch calls itself blind: one lost answer stops nobody."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchPorts:
    """What the watch reads and writes, and whom it tells how it goes."""

    journal: Journal
    view: BrokerView
    lease: Lease
    clock: Clock
    report: Callable[..., None]


class ConservationWatch:
    """One account's watch."""

    def __init__(self, ports: WatchPorts, *, look_every_ms: int) -> None:
        """Prepare to look every so many milliseconds; the bound on noticing is that and one answer's time."""
        self._ports = ports
        self._look_every_ms = look_every_ms
        self._ledger = Ledger()
        self._reports = WatchReports(ports.journal, ports.lease, ports.clock)
        self._fence = OPEN_FENCE
        self._read_seq = 0
        self._read_on = asyncio.Event()
        self._open: dict[str, BreakFound] = {}
        self._accepted: set[str] = set()
        self._adopted: dict[str, OrderAdopted] = {}
        self._compared_once = False
        self._seen_to: datetime | None = None
        self._fills_to: datetime | None = None
        self._log = get_logger("audit")

    async def run(self, stopping: asyncio.Event) -> None:
        """Watch until told to stop."""
        async with asyncio.TaskGroup() as work:
            reading = work.create_task(self._follow_journal())
            looking = work.create_task(self._keep_looking())
            await stopping.wait()
            reading.cancel()
            looking.cancel()

    async def _follow_journal(self) -> None:
        async for recorded in self._ports.journal.read():
            if admits(self._fence, recorded.event):  # what a writer wrote who had lost his right approves nothing
                self._fence = raise_fence(self._fence, recorded.event)
                self._take(recorded)
            self._read_seq = recorded.seq
            self._read_on.set()

    def _take(self, recorded: Recorded) -> None:
        match recorded.event:
            case BreakFound(kind=BreakKind.ORPHAN, key=key) as found:
                self._open[key] = found
            case BreakHealed(kind=BreakKind.ORPHAN, key=key):
                self._open.pop(key, None)
            case BreakAccepted(kind=BreakKind.ORPHAN, key=key):
                self._accepted.add(key)
            case LimitsSet(limits=limits):
                self._reports.allow(limits.audit_age_max_ms)
            case OrderAdopted() as adopted:
                self._take_adoption(adopted)
            case BrokerLinkChanged(up=True):
                self._compared_once = True
            case event:
                self._ledger.take(event)

    def _take_adoption(self, adopted: OrderAdopted) -> None:
        """Hear of foreign orders from the OMS; those it adopts before its first comparison ends stood before us."""
        key = order_key(adopted.broker_order_id)
        if self._compared_once:
            self._adopted[key] = adopted
        else:
            self._accepted.add(key)

    async def _keep_looking(self) -> None:
        looks = failed = 0
        while True:
            try:
                await self._look(with_fills=looks % FILLS_EVERY_LOOKS == 0)
                looks, failed = looks + 1, 0
                self._ports.report(watch="sees", orphans=len(self._open))
                await self._reports.tell(blind=False, read_seq=self._read_seq)
            except ViewUnavailableError as error:
                failed += 1
                self._log.warning("the watch cannot see the broker", detail=str(error))
                self._ports.report(watch="blind", orphans=len(self._open))
                if failed >= BLIND_AFTER_LOOKS:
                    await self._reports.tell(blind=True, read_seq=self._read_seq, detail=str(error))
            await asyncio.sleep(self._look_every_ms / 1000)

    async def _look(self, *, with_fills: bool) -> None:
        """Look once at what was submitted lately, and judge it by a journal read to its end after the look."""
        ports = self._ports
        await self._read_to_end()
        since = self._since(self._seen_to)
        if self._seen_to is None:
            self._accepted |= await self._stood_before_us()
        orders = await ports.view.orders_after(since)
        fills_since = self._since(self._fills_to)
        fills = await ports.view.fills_after(fills_since) if with_fills else ()
        await self._read_to_end()
        for shown in orders:
            await self._judge(shown)
        await self._judge_adopted()
        for fill in fills:
            if fill.at > fills_since and not self._ledger.explains(fill):
                shown_as = f"{fill.side} {fill.qty} {fill.symbol} at {fill.price}, execution {fill.activity_id}"
                await self._found(Fault(broker_order_id=fill.broker_order_id, approved="no order", shown=shown_as))
        self._seen_to = max((o.submitted_at for o in orders if o.submitted_at), default=self._seen_to)
        if with_fills:
            self._fills_to = max((fill.at for fill in fills), default=self._fills_to)
        self._ledger.forget_before(ports.clock.now())
        await self._heal_what_was_settled()

    async def _stood_before_us(self) -> set[str]:
        """Name the open orders that stood at the broker before this journal began: nobody here could approve them."""
        began = self._began_at()
        earlier = await self._ports.view.open_orders()
        return {order_key(o.broker_order_id) for o in earlier if o.submitted_at and o.submitted_at < began}

    def _began_at(self) -> datetime:
        if self._ledger.began_at is None:
            raise AssertionError("audit holds an epoch of this journal, so one must stand in it")
        return self._ledger.began_at

    def _since(self, seen_to: datetime | None) -> datetime:
        newest = self._ports.clock.now() - LOOK_BACK if seen_to is None else seen_to - OVERLAP
        return max(self._began_at(), newest)

    async def _read_to_end(self) -> None:
        """Wait until the ledger has read what the journal held when this was called."""
        end = await self._ports.journal.last_seq()
        while self._read_seq < end:
            self._read_on.clear()
            await self._read_on.wait()

    async def _judge(self, shown: Shown) -> None:
        fault = self._ledger.fault_of(shown)
        if fault is not None:
            await self._found(fault)
        elif (key := order_key(shown.broker_order_id)) in self._open:
            await self._heal(key, "the journal explains it now")

    async def _judge_adopted(self) -> None:
        """Judge what the OMS heard of and our looks may miss, should the broker's clock stand elsewhere than ours."""
        oldest = self._ports.clock.now() - LOOK_BACK
        while self._adopted:
            _, adopted = self._adopted.popitem()
            terms = adopted.terms
            if adopted.at >= oldest and not self._ledger.owns(adopted.broker_order_id):
                told = f"{terms.side} {terms.qty} {terms.symbol}, {adopted.client_order_id!r}, heard by the OMS"
                await self._found(
                    Fault(broker_order_id=adopted.broker_order_id, approved="nothing that we know", shown=told)
                )

    async def _found(self, fault: Fault) -> None:
        key = order_key(fault.broker_order_id)
        if key in self._open or key in self._accepted:
            return
        now = self._ports.clock.now()
        self._log.error("ORPHAN: nobody approved this", key=key, approved=fault.approved, shown=fault.shown)
        event = BreakFound(
            epoch=self._ports.lease.epoch,
            at=now,
            kind=BreakKind.ORPHAN,
            key=key,
            ours=fault.approved,
            theirs=fault.shown,
            since=now,
        )
        self._open[key] = event
        await self._append(event)

    async def _heal_what_was_settled(self) -> None:
        for key in self._accepted & self._open.keys():
            await self._heal(key, "an operator knows it")

    async def _heal(self, key: str, detail: str) -> None:
        del self._open[key]
        epoch, now = self._ports.lease.epoch, self._ports.clock.now()
        await self._append(BreakHealed(epoch=epoch, at=now, kind=BreakKind.ORPHAN, key=key, detail=detail))

    async def _append(self, event: BreakFound | BreakHealed) -> None:
        if not self._ports.lease.held():
            raise LeaseLostError("the right to write for audit is no longer certainly ours")
        await self._ports.journal.append(subjects.audit(self._ports.journal.account), event)


def order_key(broker_order_id: str) -> str:
    """Name an order as the OMS does that adopts it, so that its story and its break are found together."""
    return f"ext-{broker_order_id}"
