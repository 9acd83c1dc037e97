"""Where reports become journal events: one order's events strictly in order, different orders side by side."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from contracts import subjects
from contracts.base import Event
from contracts.ids import EXTERNAL, OrderId, Symbol
from contracts.orders import AnyOrderEvent, OrderAdopted, OrderTerms
from projections import order_state, orders
from projections.order_state import OrderState
from services.oms.brokers.port import BrokerOrder
from services.oms.core import OmsCore
from services.oms.decider import Command, Stamp, decide
from services.oms.state import is_adoptable, key_of
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError


class OrderDesk:
    """Decides on commands and appends what they cause, each on the order's last sequence.

    What was appended counts here at once; the core learns it a moment later by reading the journal.
    """

    def __init__(self, journal: Journal, core: OmsCore, clock: Clock, lease: Lease) -> None:
        """Write to a journal under a lease."""
        self._journal = journal
        self._core = core
        self._clock = clock
        self._lease = lease
        self._ahead: dict[OrderId, OrderState] = {}
        self._turns: dict[OrderId, _Turn] = {}
        self._appended_seq = 0
        self._all_read = asyncio.Event()
        self._all_read.set()
        self.symbol_seq: dict[Symbol, int] = {}
        """The newest sequence read of any order of a symbol: when it stands still, nothing happened there."""

    def order(self, order_id: OrderId) -> OrderState | None:
        """Find an order as it stands after the newest event we know of, ours not yet read included."""
        read = self._core.state.order(order_id)
        ahead = self._ahead.get(order_id)
        if ahead is None or (read is not None and read.last_seq >= ahead.last_seq):
            return read
        return ahead

    def has_read(self, seq: int, order_id: OrderId) -> None:
        """Hear that the core read an event of an order; what it knows need not be kept twice."""
        self._drop_if_read(order_id)
        order = self._core.state.order(order_id)
        if order is not None:
            self.symbol_seq[order.terms.symbol] = seq

    def has_read_to(self) -> None:
        """Hear that the core read on; whoever waits for our own events to be read is woken."""
        if self._core.read_seq >= self._appended_seq:
            self._all_read.set()

    async def all_read(self) -> None:
        """Wait until the core has read everything that was appended here."""
        await self._all_read.wait()

    async def tell(self, order_id: OrderId, command: Command) -> OrderState | None:
        """Let a command become events of a known order; give the order after them, None when nobody knows it."""
        async with self._turn(order_id):
            order = self.order(order_id)
            return None if order is None else await self._follow(order, command)

    async def tell_of(self, report: BrokerOrder, command: Command) -> OrderState | None:
        """Let a command become events of whatever order a report names, adopting a foreign one that counts."""
        order_id = key_of(report, self._core.state)
        async with self._turn(order_id):
            order = self.order(order_id)
            if order is None and report.terms is not None and is_adoptable(report, self._clock.now()):
                order = await self._adopt(order_id, report, report.terms)
            return None if order is None else await self._follow(order, command)

    async def append(self, event: Event) -> int:
        """Append what the broker says of the account as a whole."""
        self.require_lease()
        return self._appended(await self._journal.append(subjects.broker(self._journal.account), event))

    def stamp(self) -> Stamp:
        """Say who writes now."""
        return Stamp(self._lease.epoch, self._clock.now())

    async def _follow(self, order: OrderState, command: Command) -> OrderState:
        for event in decide(order, command, self.stamp()):
            order = orders.evolve(order, event, await self._append(order, event))
            self._ahead[order.order_id] = order
            self._drop_if_read(order.order_id)
        return order

    async def _append(self, order: OrderState, event: AnyOrderEvent) -> int:
        self.require_lease()
        subject = subjects.order(self._journal.account, order.agent, order.order_id)
        return self._appended(await self._journal.append(subject, event, expected_seq=self._core.seq_on(order)))

    async def _adopt(self, order_id: OrderId, report: BrokerOrder, terms: OrderTerms) -> OrderState:
        self.require_lease()
        stamp = self.stamp()
        event = OrderAdopted(
            order_id=order_id,
            epoch=stamp.epoch,
            at=stamp.at,
            agent=EXTERNAL,
            client_order_id=report.client_order_id,
            broker_order_id=report.broker_order_id,
            broker_status=report.status,
            terms=terms,
        )
        subject = subjects.order(self._journal.account, EXTERNAL, order_id)
        expected_seq = self._core.void_seq(order_id)
        seq = self._appended(await self._journal.append(subject, event, expected_seq=expected_seq))
        self._ahead[order_id] = order_state.order_from_adoption(event, seq)
        return self._ahead[order_id]

    def _appended(self, seq: int) -> int:
        self._appended_seq = max(self._appended_seq, seq)
        if self._core.read_seq < self._appended_seq:
            self._all_read.clear()
        return seq

    def _drop_if_read(self, order_id: OrderId) -> None:
        ahead, read = self._ahead.get(order_id), self._core.state.order(order_id)
        if ahead is not None and read is not None and read.last_seq >= ahead.last_seq:
            del self._ahead[order_id]

    def require_lease(self) -> None:
        """Raise `LeaseLostError` unless the right to write, and so to send, is certainly still ours."""
        if not self._lease.held():
            raise LeaseLostError("the lease on this account's orders is gone")

    @asynccontextmanager
    async def _turn(self, order_id: OrderId) -> AsyncGenerator[None]:
        """Wait for the turn on one order; whoever asked first goes first."""
        turn = self._turns.setdefault(order_id, _Turn())
        turn.users += 1
        try:
            async with turn.lock:
                yield
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[order_id]


class _Turn:
    """One order's lock, kept while anybody uses it."""

    def __init__(self) -> None:
        self.lock = asyncio.Lock()
        self.users = 0
