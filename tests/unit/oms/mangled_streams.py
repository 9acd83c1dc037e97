"""A whole order side without its process: a story at the broker, its updates mangled, then one comparison."""

import asyncio
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import structlog
from msgspec.structs import replace

from contracts import subjects
from contracts.enums import OrderStatus
from contracts.ids import OrderId, replacement_id_for
from contracts.orders import OrderTerms
from projections.order_state import OrderState
from services.oms.bookkeeper import Bookkeeper
from services.oms.breaks import BreakDesk
from services.oms.brokers.memory import MemoryBroker
from services.oms.brokers.memory_book import ENDED
from services.oms.brokers.port import BrokerOrder, BrokerUpdate, Changes, ReplaceAccepted
from services.oms.core import OmsCore
from services.oms.decider import Updated
from services.oms.desk import OrderDesk
from services.oms.fills import broker_ids
from services.oms.kill import KillSwitch
from services.oms.reconciler import Hands, Reconciler
from services.oms.sender import Sender
from services.oms.waits import SenderWaits
from services.runtime.memory import ManualClock, MemoryJournal, MemoryLease
from tests.unit.oms.order_stories import ACCOUNT, DEMO, NOW, decision, replace_decision

TICK = timedelta(milliseconds=1)
WAITS = SenderWaits(retry_first_ms=0, retry_last_ms=0, lookup_first_ms=0, lookup_last_ms=0)
IN_DOUBT = frozenset({OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN})


class Venue:
    """The broker of one story, and the order side that hears of it."""

    def __init__(self, *, carries: bool) -> None:
        self.clock = ManualClock(NOW)
        self.journal = MemoryJournal(ACCOUNT, self.clock)
        self.broker = MemoryBroker(self.clock, replacement_carries_fills=carries)
        self.core = OmsCore()
        lease = MemoryLease(1)
        kill = KillSwitch(self.core, self.clock)
        log: Any = structlog.get_logger("mangled")
        self.desk = OrderDesk(self.journal, self.core, self.clock, lease)
        self.sender = Sender(self.broker, self.desk, kill, self.clock, WAITS)
        keeper = Bookkeeper(self.broker, self.desk, self.core, self.clock, ACCOUNT)
        hands = Hands(self.desk, self.sender, keeper, BreakDesk(self.desk, self.core, log))
        self.reconciler = Reconciler(self.broker, hands, self.core, self.clock)
        self.newest: dict[OrderId, OrderId] = {}
        """Under which client order id each order of ours stands at the broker now."""

    @asynccontextmanager
    async def reading(self) -> AsyncGenerator[None]:
        """Read the journal beside the story."""
        task = asyncio.create_task(self._read())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _read(self) -> None:
        async for recorded in self.journal.read():
            if self.core.take(recorded.seq, recorded.event):
                order_id = getattr(recorded.event, "order_id", None)
                if order_id is not None:
                    self.desk.has_read(recorded.seq, order_id)
            self.desk.has_read_to()

    # What happens.

    async def submit(self, terms: OrderTerms) -> OrderId:
        approved = decision(f"i-{len(self.newest)}", terms, at=self.clock.now())
        await self.journal.append(subjects.decision(ACCOUNT, DEMO, approved.intent_id), approved)
        assert approved.order_id is not None
        self.newest[approved.order_id] = approved.order_id
        await self.broker.submit(approved.order_id, terms)
        return approved.order_id

    async def replace(self, order_id: OrderId, limit: Decimal, grown_by: Decimal) -> None:
        """Approve new terms and have them asked for, as far as the order still can change."""
        name = self.newest[order_id]
        present, about = self.broker.book.orders[name], self.broker.book.about[name]
        if present.status not in {"new", "partially_filled"} or about.terms.notional_usd is not None:
            return
        carries = self.broker.book.carries_fills
        grown_by = Decimal(0) if carries else grown_by  # of two at once, that and a carried total look the same
        others = [] if carries else [n for n in self._names(order_id) if n != name]
        before = sum((self.broker.book.orders[other].filled_qty for other in others), Decimal(0))
        wanted = replace(about.terms, qty=about.terms.qty + grown_by + before, limit_price=limit)
        approved = replace_decision(f"r-{self.broker.book._next()}", order_id, wanted, at=self.clock.now())  # pyright: ignore[reportPrivateUsage]
        seq = await self.journal.append(subjects.decision(ACCOUNT, DEMO, approved.intent_id), approved)
        changes = Changes(qty=about.terms.qty + grown_by if grown_by else None, limit_price=limit)
        new_id = replacement_id_for(order_id, seq)
        outcome = await self.broker.replace(present.broker_order_id, new_id, changes)
        if isinstance(outcome, ReplaceAccepted):
            self.newest[order_id] = new_id

    def _names(self, order_id: OrderId) -> list[OrderId]:
        """Name the broker's orders of one of ours, oldest first."""
        orders = self.broker.book.orders
        names = [self.newest[order_id]]
        while (before := orders[names[0]].replaces) is not None:
            names.insert(0, OrderId(next(o.client_order_id for o in orders.values() if o.broker_order_id == before)))
        return names

    # What was heard, and what is true.

    def told(self) -> list[BrokerUpdate]:
        """Take the updates that were kept back."""
        kept: list[BrokerUpdate] = []

        def keep(held: list[BrokerUpdate]) -> list[BrokerUpdate]:
            kept.extend(held)
            return []

        self.broker.release_updates(keep)
        return kept

    async def hear(self, updates: Iterable[BrokerUpdate]) -> None:
        await self.all_read()
        for update in updates:
            await self.desk.tell_of(update.order, Updated(update))

    async def reconcile(self) -> None:
        """Do what the process does after its link was down."""
        await self.all_read()
        for order in self.core.state.open_orders():
            if order.status in IN_DOUBT:
                await self.sender.resume(order.order_id)
        await self.all_read()
        for order_id in self.core.state.open_replacements():
            await self.sender.replace(order_id, perhaps_asked=True)
        for _ in range(2):
            self.clock.advance(TICK)
            await self.reconciler.reconcile(full=True)
            await self.all_read()

    async def all_read(self) -> None:
        """Wait until the journal is read to its end."""
        while self.core.read_seq < await self.journal.last_seq():  # noqa: ASYNC110 - one loop, no clock
            await asyncio.sleep(0)

    def chains(self) -> dict[OrderId, list[BrokerOrder]]:
        """Group the broker's orders by the order of ours that they are, oldest first."""
        found: dict[OrderId, list[BrokerOrder]] = {}
        for order in self.core.state.all_orders():
            ids = broker_ids(order)
            shown = [o for o in self.broker.book.orders.values() if o.broker_order_id in ids]
            found[order.order_id] = sorted(shown, key=lambda one: ids.index(one.broker_order_id))
        return found

    def state(self, order_id: OrderId) -> OrderState:
        order = self.core.state.order(order_id)
        assert order is not None
        return order

    def filled_by_executions(self, chain: list[BrokerOrder]) -> tuple[Decimal, Decimal]:
        """Add up the executions that count, over all of the broker's orders of one of ours."""
        names = {OrderId(one.client_order_id) for one in chain}
        counting = [one for one in self.broker.book.executions.values() if one.order_id in names]
        return (
            sum((one.qty for one in counting), Decimal(0)),
            sum((one.qty * one.price for one in counting), Decimal(0)),
        )

    def unexplained(self) -> list[str]:
        """Name what the broker shows and no order of ours has been."""
        known = {broker_id for order in self.core.state.all_orders() for broker_id in broker_ids(order)}
        return [
            one.broker_order_id
            for one in self.broker.book.orders.values()
            if one.broker_order_id not in known and not (one.replaces and one.status in ENDED and not one.filled_qty)
        ]
