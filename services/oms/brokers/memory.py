"""An in-memory broker behind the broker port: deterministic, on whatever clock it is given, and wilful on command.

It stands in for Alpaca in simulations and tests, and passes the same conformance suite. Besides the port it has
the market's hand (`quote`, `fill`, `end`, `bust`, `correct`), the link's (`cut_link`, `restore_link`, `hold_updates`
and its like) and faults for requests to come.
"""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal

from contracts.broker import Asset, ObservedPosition, Session
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from services.oms.brokers.memory_book import ENDED, MemoryBook
from services.oms.brokers.memory_faults import Fault, unsent
from services.oms.brokers.memory_listing import all_allowed, days_on_end
from services.oms.brokers.memory_matching import Quoted
from services.oms.brokers.port import (
    Accepted,
    Ambiguous,
    BrokerAccount,
    BrokerActivity,
    BrokerClock,
    BrokerFill,
    BrokerOrder,
    BrokerUnreachableError,
    BrokerUpdate,
    CancelAccepted,
    CancelOutcome,
    CancelRefused,
    Changes,
    LinkDown,
    LinkUp,
    NotSent,
    Rejected,
    ReplaceAccepted,
    ReplaceOutcome,
    ReplaceRefused,
    StillMay,
    StreamReport,
    SubmitOutcome,
)
from services.runtime.ports import Clock

_SESSION = timedelta(hours=8)


class MemoryBroker:
    """The port and the hands; a symbol can be traded from its first quote on."""

    def __init__(
        self, clock: Clock, cash_usd: Decimal = Decimal(100_000), *, replacement_carries_fills: bool = False
    ) -> None:
        """Open an account with this much cash."""
        self.book = MemoryBook(clock, cash_usd, replacement_carries_fills)
        self.submits: list[OrderId] = []
        """Every submit whose bytes arrived, repeats included: what a test counts."""
        self.replaces: list[OrderId] = []
        """Likewise every request for new terms."""
        self.activities: list[BrokerActivity] = []
        self._opening_usd = cash_usd
        self._clock = clock
        self._faults: dict[str, deque[Fault]] = {"submit": deque(), "cancel": deque(), "replace": deque()}
        self._reads_refused = 0
        self._up = True
        self._mute = False
        self.links_renewed = 0
        self._drops = 0
        self._repeats = 0
        self._held: list[BrokerUpdate] | None = None
        self._unwanted: set[OrderId] = set()
        self._lingers = False
        self._lingering: list[tuple[str, OrderId]] = []
        self._ignores_cancels = False
        self._readers: list[asyncio.Queue[StreamReport]] = []

    # The port.

    async def submit(
        self,
        order_id: OrderId,
        terms: OrderTerms,
        *,
        reduces: bool = False,  # noqa: ARG002 - nothing runs short here
        still_may: StillMay | None = None,
    ) -> SubmitOutcome:
        """Take an order, or suffer the next fault."""
        if still_may is not None and not still_may():
            return NotSent(detail="called back")
        fault = self._next_fault("submit")
        if (failed := unsent(fault)) is not None:
            return failed
        outcome = self._take(order_id, terms)
        return Ambiguous(detail="no answer") if fault is Fault.LOST_ANSWER else outcome

    async def cancel(self, broker_order_id: str) -> CancelOutcome:
        """Cancel an order at once, unless it ended before or requests linger."""
        fault = self._next_fault("cancel")
        if (failed := unsent(fault)) is not None:
            return failed
        outcome = self._cancel(broker_order_id)
        return Ambiguous(detail="no answer") if fault is Fault.LOST_ANSWER else outcome

    async def replace(
        self,
        broker_order_id: str,
        replacement_id: OrderId,
        changes: Changes,
        *,
        reduces: bool = False,  # noqa: ARG002 - nothing runs short here
        still_may: StillMay | None = None,
    ) -> ReplaceOutcome:
        """Give an order new terms at once, unless it cannot have them or requests linger."""
        if still_may is not None and not still_may():
            return NotSent(detail="called back")
        fault = self._next_fault("replace")
        if (failed := unsent(fault)) is not None:
            return failed
        outcome = self._replace(broker_order_id, replacement_id, changes)
        return Ambiguous(detail="no answer") if fault is Fault.LOST_ANSWER else outcome

    async def order_by_client_id(self, order_id: OrderId) -> BrokerOrder | None:
        """Look an order up."""
        self._answer()
        return self.book.shown(order_id) if order_id in self.book.orders else None

    async def order_by_id(self, broker_order_id: str) -> BrokerOrder | None:
        """Look an order up by the id given here."""
        self._answer()
        order_id = self.book.by_broker_id(broker_order_id)
        return None if order_id is None else self.book.shown(order_id)

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        """List the orders that can still change."""
        self._answer()
        return tuple(order for order in self.book.orders.values() if order.status not in ENDED)

    async def orders_after(self, at: datetime) -> tuple[BrokerOrder, ...]:
        """List the orders submitted after a moment."""
        self._answer()
        return tuple(order for order in self.book.orders.values() if order.submitted_at and order.submitted_at > at)

    async def positions(self) -> tuple[ObservedPosition, ...]:
        """List the positions."""
        self._answer()
        return self.book.positions()

    async def account(self) -> BrokerAccount:
        """Give the money; buying power is cash."""
        self._answer()
        return BrokerAccount(
            status="ACTIVE",
            equity_usd=self.book.equity_usd(),
            last_equity_usd=self._opening_usd,
            cash_usd=self.book.cash_usd,
            buying_power_usd=self.book.cash_usd,
            trading_blocked=False,
        )

    async def clock(self, still_may: StillMay | None = None) -> BrokerClock:
        """Give the time; this market never closes."""
        self._answer()
        if still_may is not None and not still_may():
            raise BrokerUnreachableError("called back")
        now = self._clock.now()
        return BrokerClock(at=now, is_open=True, next_open=now + 2 * _SESSION, next_close=now + _SESSION)

    async def assets(self, symbols: tuple[Symbol, ...]) -> tuple[Asset, ...]:
        """Allow everything with what was ever quoted."""
        self._answer()
        return all_allowed(symbol for symbol in symbols if symbol in self.book.quotes)

    async def sessions(self, first: date, last: date) -> tuple[Session, ...]:
        """List days without a break between them."""
        self._answer()
        return days_on_end(first, last)

    async def fills_after(self, at: datetime) -> tuple[BrokerFill, ...]:
        """List the executions after a moment."""
        self._answer()
        return tuple(fill for fill in self.book.fills if fill.at > at)

    async def activities_after(self, at: datetime) -> tuple[BrokerActivity, ...]:  # noqa: ARG002 - all are told again
        """List what moved money without a trade, however long ago."""
        self._answer()
        return tuple(self.activities)

    async def updates(self) -> AsyncIterator[StreamReport]:
        """Yield updates as they happen; what happens while the link is down is never told."""
        reader: asyncio.Queue[StreamReport] = asyncio.Queue()
        reader.put_nowait(LinkUp() if self._up else LinkDown(detail="cut"))
        self._readers.append(reader)
        try:
            while True:
                yield await reader.get()
        finally:
            self._readers.remove(reader)

    async def renew_link(self) -> None:
        """Make the link anew; one that was mute tells again."""
        self.links_renewed += 1
        self._mute = False
        self._push(LinkDown(detail="given up"))
        self._push(LinkUp())

    async def close(self) -> None:
        """Nothing is held open."""

    # The hands.

    def quote(self, symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        """Set the market and fill what it meets."""
        self._tell(self.book.quote(symbol, Quoted(bid, ask)))

    def fill(self, order_id: OrderId, qty: Decimal, price: Decimal) -> None:
        """Execute a part of an order, whatever its status."""
        self._tell(self.book.fill(order_id, qty, price))

    def end(self, order_id: OrderId, event: str) -> None:
        """Let an order be canceled, expired or rejected by the broker's own will."""
        self._tell(self.book.end(order_id, event))

    def reject_later(self, order_id: OrderId) -> None:
        """Let an order that is yet to come be taken and rejected after that."""
        self._unwanted.add(order_id)

    def bust(self, execution_id: str) -> None:
        """Take an execution back."""
        self._tell(self.book.bust(execution_id))

    def correct(self, execution_id: str, qty: Decimal, price: Decimal) -> None:
        """Let an execution have been another one."""
        self._tell(self.book.correct(execution_id, qty, price))

    def linger(self) -> None:
        """Take cancels and replacements from here on without letting them come true; orders may fill before."""
        self._lingers = True

    def settle(self, *, refuse: bool = False) -> None:
        """Let the requests that linger come true, each as far as it still can; or refuse them all."""
        self._lingers = False
        lingering, self._lingering = self._lingering, []
        for kind, order_id in lingering:
            if kind == "replace":
                self._tell(self.book.refuse_replace(order_id) if refuse else self.book.settle(order_id))
            elif self.book.orders[order_id].status == "pending_cancel":
                self._tell(self.book.refuse_cancel(order_id) if refuse else self.book.end(order_id, "canceled"))

    def tell_again(self, update: BrokerUpdate) -> None:
        """Push an update as it is: a repeat, or one that the book knows nothing of."""
        self._tell([update])

    def fail_submits(self, *faults: Fault) -> None:
        """Queue faults for the next submits, one each."""
        self._faults["submit"].extend(faults)

    def fail_cancels(self, *faults: Fault) -> None:
        """Queue faults for the next cancels, one each."""
        self._faults["cancel"].extend(faults)

    def fail_replaces(self, *faults: Fault) -> None:
        """Queue faults for the next replacements, one each."""
        self._faults["replace"].extend(faults)

    def refuse_reads(self, count: int) -> None:
        """Leave the next questions without an answer."""
        self._reads_refused = count

    def move_cash(self, activity_id: str, amount_usd: Decimal, kind: str = "DIV") -> None:
        """Let money come or go without a trade."""
        self.book.cash_usd += amount_usd
        self.activities.append(BrokerActivity(activity_id=activity_id, kind=kind, amount_usd=amount_usd))

    def drop_updates(self, count: int) -> None:
        """Lose the next updates."""
        self._drops = count

    def repeat_updates(self, count: int) -> None:
        """Tell each of the next updates twice."""
        self._repeats = count

    def hold_updates(self) -> None:
        """Keep updates back from here on; those of a link that is cut meanwhile are told all the same."""
        self._held = []

    def release_updates(self, order: Callable[[list[BrokerUpdate]], Iterable[BrokerUpdate]] = list) -> None:
        """Tell what was kept back, in the order (and with the gaps and repeats) that is asked for."""
        held, self._held = self._held or [], None
        self._tell(order(held))

    def ignore_cancels(self) -> None:
        """Take every cancel from here on and forget it."""
        self._ignores_cancels = True

    def mute_link(self) -> None:
        """Let the link stand and tell nothing by it until it is made anew."""
        self._mute = True

    def cut_link(self) -> None:
        """Break the link: readers learn it, and updates are lost from here on."""
        self._up = False
        self._push(LinkDown(detail="cut"))

    def restore_link(self) -> None:
        """Bring the link back; nothing is replayed."""
        self._up = True
        self._push(LinkUp())

    def _take(self, order_id: OrderId, terms: OrderTerms) -> SubmitOutcome:
        self.submits.append(order_id)
        if order_id in self.book.orders:
            return Accepted(order=self.book.shown(order_id))
        if terms.symbol not in self.book.quotes:
            message = f"asset {terms.symbol} is not tradable"
            return Rejected(code=RejectionCode.INVALID_ORDER, broker_code="422/42210000", message=message)
        order, updates = self.book.open(order_id, terms)
        self._tell(updates)
        if order_id in self._unwanted:
            self._tell(self.book.end(order_id, "rejected"))
        return Accepted(order=order)

    def _cancel(self, broker_order_id: str) -> CancelOutcome:
        order_id = self.book.by_broker_id(broker_order_id)
        if order_id is None:
            return CancelRefused(detail="order not found", already_terminal=False)
        order = self.book.orders[order_id]
        if order.status in {*ENDED, "pending_cancel"}:
            return CancelRefused(detail=f"order is already {order.status}", already_terminal=True)
        if self.book.about[order_id].old is not None:
            self._tell(self.book.refuse_replace(order_id))
        elif self._lingers:
            self._lingering.append(("cancel", order_id))
            self._tell(self.book.ask_cancel(order_id))
        elif not self._ignores_cancels:
            self._tell(self.book.end(order_id, "canceled"))
        return CancelAccepted()

    def _replace(self, broker_order_id: str, replacement_id: OrderId, changes: Changes) -> ReplaceOutcome:
        self.replaces.append(replacement_id)
        if replacement_id in self.book.orders:
            return ReplaceAccepted(order=self.book.orders[replacement_id])
        order_id = self.book.by_broker_id(broker_order_id)
        if order_id is None:
            return ReplaceRefused(detail="order not found")
        if (refusal := self.book.refusal_of_replace(order_id, changes)) is not None:
            return ReplaceRefused(detail=refusal)
        self._tell(self.book.ask_replace(order_id, replacement_id, changes))
        taken = self.book.orders[replacement_id]
        if self._lingers:
            self._lingering.append(("replace", replacement_id))
        else:
            self._tell(self.book.settle(replacement_id))
        return ReplaceAccepted(order=taken)

    def _next_fault(self, request: str) -> Fault | None:
        return self._faults[request].popleft() if self._faults[request] else None

    def _answer(self) -> None:
        if self._reads_refused:
            self._reads_refused -= 1
            raise BrokerUnreachableError("no answer")

    def _tell(self, updates: Iterable[BrokerUpdate]) -> None:
        for update in updates:
            if self._held is not None:
                self._held.append(update)
            elif self._drops:
                self._drops -= 1
            elif self._up and not self._mute:
                self._push(update)
                if self._repeats:
                    self._repeats -= 1
                    self._push(update)

    def _push(self, report: StreamReport) -> None:
        for reader in self._readers:
            reader.put_nowait(report)
