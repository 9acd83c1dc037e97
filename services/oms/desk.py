"""Where reports become journal events: one order's events strictly in order, different orders side by side."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Protocol

import msgspec

from contracts import subjects
from contracts.base import Event
from contracts.enums import LegRole, OrderClass
from contracts.ids import EXTERNAL, OrderId, Symbol, leg_id_for
from contracts.orders import (
    AnyOrderEvent,
    OrderAdopted,
    OrderLegAdded,
    OrderReplaced,
    OrderReplaceRejected,
    OrderTerms,
)
from projections import order_state, orders
from projections.order_state import OrderState
from services.oms.ages import Ages
from services.oms.brokers.port import Accepted, BrokerOrder
from services.oms.core import OmsCore
from services.oms.decider import Command, Reported, Stamp, SubmitAnswered, Succeeded, Updated, decide
from services.oms.fills import broker_ids, is_of
from services.oms.state import is_adoptable, key_of
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError

_SETTLING = frozenset({"order_replace_rejected", "rejected", "canceled", "expired"})
"""Events after which it is worth asking what became of a replacement."""


class Relations(Protocol):
    """Whoever finds out how the broker's orders belong together."""

    async def follow(self, order_id: OrderId) -> None:
        """Learn what stands in the place of an order now."""
        ...

    async def bring_home(self, report: BrokerOrder) -> None:
        """Learn whether an unknown order is an exit of one of ours."""
        ...

    async def bring_exits(self, order_id: OrderId) -> None:
        """Learn which exits an order has."""
        ...


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
        self._names_ahead: dict[str, OrderId] = {}
        self._answered: dict[OrderId, int] = {}
        """Which approved replacement of an order we have written the answer to, until that is read."""
        self._ages = Ages()
        self._news: dict[OrderId, asyncio.Event] = {}
        self.kin: Relations | None = None
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
        return ahead if read is None else self._with_approval(ahead, read)

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
        """Let a command become events of a known order and of its exits; give the order after them.

        A report of an order of the broker that we do not know to be this one makes us ask what became of the one
        that we know; raise `BrokerUnreachableError` when nobody answers. None when nobody knows the order.
        """
        report = _shown_by(command)
        order = self.order(order_id)
        if report is not None and order is not None and not is_of(order, report):
            await self._follow_chain(order_id)
        order = await self.take(order_id, command)
        if report is None or order is None:
            return order
        if report.status == "replaced" and report.broker_order_id == order.broker_order_id:
            await self._follow_chain(order_id)
        for leg in report.legs:
            await self._tell_leg(order, leg)
        return self.order(order_id)

    async def take(self, order_id: OrderId, command: Command) -> OrderState | None:
        """Let a command become events of a known order alone; None when nobody knows it."""
        async with self._turn(order_id):
            order = self.order(order_id)
            after = None if order is None else await self._follow(order, command)
        if after is not None and order_id in self._news and _may_settle_replacement(after, command):
            self._news[order_id].set()
        return after

    async def tell_of(self, report: BrokerOrder, command: Command) -> OrderState | None:
        """Let a command become events of whatever order a report names, adopting a foreign one that counts."""
        order_id = self.name_of(report)
        if self.order(order_id) is None and _may_be_exit(report) and self.kin is not None:
            await self.kin.bring_home(report)
            order_id = self.name_of(report)
        if self.order(order_id) is not None:
            return await self.tell(order_id, command)
        if report.terms is None or not is_adoptable(report, self._core.state, self._clock.now()):
            return None
        if isinstance(command, Updated) and (report.role is not None or report.status == "held"):
            return None  # an exit of an entry that we do not know yet: the next comparison shows both
        async with self._turn(order_id):
            if self.order(order_id) is None:
                await self._adopt(order_id, report, report.terms)
        if report.order_class is not OrderClass.SIMPLE and not report.legs and self.kin is not None:
            await self.kin.bring_exits(order_id)
        return await self.tell(order_id, command)

    def name_of(self, report: BrokerOrder) -> OrderId:
        """Name the order that a report speaks of, by what was appended but not read yet too."""
        for broker_id in (report.broker_order_id, report.replaces):
            if broker_id is not None and (ahead := self._names_ahead.get(broker_id)) is not None:
                return ahead
        return key_of(report, self._core.state)

    def is_known(self, report: BrokerOrder) -> bool:
        """Say whether a report speaks of an order that the journal knows."""
        return self.order(self.name_of(report)) is not None

    def of_symbol(self, symbol: Symbol) -> list[OrderState]:
        """List the orders of a symbol that are remembered, ended ones too."""
        remembered = (*self._core.state.all_orders(), *self._ahead.values())
        known = dict.fromkeys(order.order_id for order in remembered if order.terms.symbol == symbol)
        return [order for order_id in known if (order := self.order(order_id))]

    @asynccontextmanager
    async def news_of(self, order_id: OrderId) -> AsyncGenerator[asyncio.Event]:
        """Have an event set at every step of an order that may settle what becomes of its new terms."""
        self._news[order_id] = asyncio.Event()
        try:
            yield self._news[order_id]
        finally:
            del self._news[order_id]

    def _with_approval(self, ahead: OrderState, read: OrderState) -> OrderState:
        """Add new terms that were approved while our own events were on their way to the journal."""
        approved = read.replacement
        if approved is None or self._answered.get(ahead.order_id) == approved.decision_seq:
            return ahead
        return msgspec.structs.replace(ahead, replacement=approved)

    async def _follow_chain(self, order_id: OrderId) -> None:
        if self.kin is not None:
            await self.kin.follow(order_id)

    async def _tell_leg(self, parent: OrderState, leg: BrokerOrder) -> None:
        """Begin an exit's life when its parent shows it first, and go on with it after that."""
        role = leg.role or LegRole.STOP_LOSS
        leg_id = self.name_of(leg) if self.is_known(leg) else leg_id_for(parent.order_id, role)
        if self.order(leg_id) is None and leg.terms is not None:
            async with self._turn(leg_id):
                if self.order(leg_id) is None:
                    await self._add_leg(parent, leg_id, leg, leg.terms)
        await self.tell(leg_id, Reported(leg))

    async def append(self, event: Event) -> int:
        """Append what the broker says of the account as a whole."""
        self.require_lease()
        return self._appended(await self._journal.append(subjects.broker(self._journal.account), event))

    def stamp(self) -> Stamp:
        """Say who writes now."""
        return Stamp(self._lease.epoch, self._clock.now())

    async def _follow(self, order: OrderState, command: Command) -> OrderState:
        for event in decide(order, self._ages.aged(order, command), self.stamp()):
            if order.replacement is not None and isinstance(event, (OrderReplaced, OrderReplaceRejected)):
                self._answered[order.order_id] = order.replacement.decision_seq
            order = orders.evolve(order, event, await self._append(order, event))
            self._begin(order)
        return order

    async def _append(self, order: OrderState, event: AnyOrderEvent) -> int:
        self.require_lease()
        subject = subjects.order(self._journal.account, order.agent, order.order_id)
        return self._appended(await self._journal.append(subject, event, expected_seq=self._core.seq_on(order)))

    async def _append_first(self, event: OrderAdopted | OrderLegAdded) -> int:
        self.require_lease()
        subject = subjects.order(self._journal.account, event.agent, event.order_id)
        expected_seq = self._core.void_seq(event.order_id)
        return self._appended(await self._journal.append(subject, event, expected_seq=expected_seq))

    async def _adopt(self, order_id: OrderId, report: BrokerOrder, terms: OrderTerms) -> None:
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
        self._begin(order_state.order_from_adoption(event, await self._append_first(event)))

    async def _add_leg(self, parent: OrderState, leg_id: OrderId, leg: BrokerOrder, terms: OrderTerms) -> None:
        stamp = self.stamp()
        event = OrderLegAdded(
            order_id=leg_id,
            epoch=stamp.epoch,
            at=stamp.at,
            correlation_id=parent.intent_id,
            causation_seq=parent.decision_seq,
            agent=parent.agent,
            parent_id=parent.order_id,
            role=leg.role or LegRole.STOP_LOSS,
            client_order_id=leg.client_order_id,
            broker_order_id=leg.broker_order_id,
            broker_status=leg.status,
            terms=terms,
        )
        self._begin(order_state.order_from_leg(event, parent, await self._append_first(event)))

    def _begin(self, order: OrderState) -> None:
        """Let what was appended count before it is read."""
        self._ahead[order.order_id] = order
        if order.broker_order_id is not None:
            self._names_ahead[order.broker_order_id] = order.order_id
        self._drop_if_read(order.order_id)

    def _appended(self, seq: int) -> int:
        self._appended_seq = max(self._appended_seq, seq)
        if self._core.read_seq < self._appended_seq:
            self._all_read.clear()
        return seq

    def _drop_if_read(self, order_id: OrderId) -> None:
        ahead, read = self._ahead.get(order_id), self._core.state.order(order_id)
        if ahead is not None and read is not None and read.last_seq >= ahead.last_seq:
            del self._ahead[order_id]
            self._answered.pop(order_id, None)
            for broker_id in broker_ids(ahead):
                self._names_ahead.pop(broker_id, None)

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


def _shown_by(command: Command) -> BrokerOrder | None:
    """Give the order that a command shows, if it shows one."""
    match command:
        case SubmitAnswered(outcome=Accepted(order=report)) | Reported(order=report) | Succeeded(order=report):
            return report
        case Updated(update=update):
            return update.order
        case _:
            return None


def _may_be_exit(report: BrokerOrder) -> bool:
    return report.role is not None or report.order_class is not OrderClass.SIMPLE


def _may_settle_replacement(order: OrderState, command: Command) -> bool:
    if order.replacement is None or order.is_terminal:
        return True
    return isinstance(command, Updated) and command.update.event in _SETTLING
