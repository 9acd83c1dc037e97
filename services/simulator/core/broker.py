"""The broker's front desk: takes, cancels and replaces orders, and closes positions."""

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from services.simulator.core.admission import Admission
from services.simulator.core.amounts import check_amount
from services.simulator.core.assets import Asset
from services.simulator.core.book import Book, Configurations
from services.simulator.core.drafting import Drafting
from services.simulator.core.errors import BrokerError, malformed, not_found, unprocessable
from services.simulator.core.forms import OrderRequest
from services.simulator.core.groups import with_legs
from services.simulator.core.holdings import insufficient_qty
from services.simulator.core.ids import Ids
from services.simulator.core.lifecycle import Lifecycle
from services.simulator.core.margin import Worth, worth
from services.simulator.core.numbers import NANO, ZERO, plain
from services.simulator.core.orders import Order, Side, Ticket
from services.simulator.core.recorder import Recorder
from services.simulator.core.replacing import ReplaceBody, replacement
from services.simulator.core.rules import Archive, Prices, Rules
from services.simulator.core.schedule import Step, later

HUNDRED = Decimal(100)


class Broker:
    """One paper account at one broker; every method is one action at one time."""

    def __init__(self, book: Book, rules: Rules, prices: Prices, archive: Archive, assets: dict[str, Asset]) -> None:
        """Stand on the stored book and archive; call `resume` before the first action."""
        self.book = book
        self.rules = rules
        self.assets = assets
        self.prices = prices
        self.recorder = Recorder(book, Ids())
        self.lifecycle = Lifecycle(self.recorder, rules, prices)
        self._admission = Admission(book, Drafting(self.recorder.ids), prices, archive, assets)
        self._archive = archive
        self._rank = 0

    def resume(self, last_rank: int, last_event_id: str | None, now: datetime) -> None:
        """Take up the open orders of an earlier run, and tell of them after what it told."""
        self._rank = last_rank
        if last_event_id is not None:
            self.recorder.ids.follow(last_event_id)
        self.lifecycle.resume(list(self.book.tickets.values()), now)

    def retune(self, rules: Rules) -> None:
        """Work by other rules from now on; what is already planned keeps its time."""
        self.rules = self.lifecycle.rules = rules

    def mark(self, symbol: str) -> Decimal:
        """Return the price positions are valued at: the last trade, in dollars."""
        quote = self.prices.quote(symbol)
        return ZERO if quote is None else quote.last

    def worth(self) -> Worth:
        """Value the account at current prices."""
        return worth(self.book, self.mark, self.rules)

    def submit(self, request: OrderRequest, now: datetime) -> Order:
        """Take an order and, for a complex one, its exits under `legs`; or refuse it."""
        tickets = [self._ranked(ticket) for ticket in self._admission.submitted(request, self.rules, now)]
        for ticket in tickets:
            self.recorder.put(ticket)
            if ticket.order.status in {"accepted", "held"}:
                self.recorder.tell(ticket.order.status, ticket, now)
            if ticket.order.status != "held":
                self.lifecycle.start(ticket, now)
            self.lifecycle.plan_end(ticket, now)
        return with_legs(tickets[0].order, tickets[1:])

    def cancel(self, order_id: str, now: datetime) -> None:
        """Ask for an order to be canceled; it may still fill before the cancel takes effect."""
        ticket = self._open(order_id)
        if ticket.order.status == "pending_cancel":
            raise unprocessable('order is already in "pending_cancel" state')
        self.lifecycle.ask_cancel(replace(ticket, cancel_requested_at=now), now)

    def cancel_all(self, now: datetime) -> list[str]:
        """Ask for every open order to be canceled and return the ids concerned."""
        ids = [t.order.id for t in self.book.tickets.values() if t.order.status != "pending_cancel"]
        for order_id in ids:
            self.cancel(order_id, now)
        return ids

    def replace(self, order_id: str, body: ReplaceBody, now: datetime) -> Order:
        """Take a replacement; whether it succeeds is told later by trade updates."""
        old = self._open(order_id)
        request = replacement(old, body, carries_fills=self.rules.replacement_carries_fills)
        asked = request.qty or ZERO
        filled = old.order.filled_qty
        total = asked if self.rules.replacement_carries_fills else asked + filled
        rest = replace(request, qty=total - filled)
        fresh = replace(self._ranked(self._admission.replacing(old, rest, self.rules, now)), total_qty=total)
        old = self.recorder.move(old, now, status="pending_replace")
        self.recorder.put(fresh)
        self.recorder.tell("pending_replace", old, now)
        self.lifecycle.plan(later(now, self.rules.ack_ms), Step.REPLACE, fresh)
        self.lifecycle.plan_end(fresh, now)
        return fresh.order

    def close(self, symbol: str, qty: Decimal | None, percentage: Decimal | None, now: datetime) -> Order:
        """Close a position, or part of it, with a market order."""
        held = self.book.qty(symbol)
        if not held:
            raise not_found("position does not exist")
        if qty is not None and percentage is not None:
            raise malformed("only one of qty or percentage is accepted")
        wanted = self._closing(held, qty, percentage)
        if wanted > abs(held) - self.book.held_qty(symbol):
            raise insufficient_qty(self.book, symbol, wanted)
        side: Side = "sell" if held > 0 else "buy"
        request = OrderRequest(symbol=symbol, side=side, type="market", time_in_force="day", qty=plain(wanted))
        return self.submit(request, now)

    def close_all(self, now: datetime, *, cancel_orders: bool) -> list[tuple[str, Order | BrokerError]]:
        """Close every position, after canceling all orders when asked; each symbol has its own outcome."""
        if cancel_orders:
            for order_id in list(self.book.tickets):
                if order_id in self.book.tickets:  # the end of one may have ended its group
                    self.lifecycle.cancel_now(self.book.tickets[order_id], now)
        outcomes: list[tuple[str, Order | BrokerError]] = []
        for symbol in list(self.book.positions):
            try:
                outcomes.append((symbol, self.close(symbol, None, None, now)))
            except BrokerError as refusal:
                outcomes.append((symbol, refusal))
        return outcomes

    def configure(self, configurations: Configurations) -> None:
        """Set the account's switches."""
        self.book.account = replace(self.book.account, configurations=configurations)
        self.recorder.changes.account = True

    def find(self, order_id: str) -> Ticket:
        """Return any order ever taken, or say 404."""
        ticket = self.book.tickets.get(order_id) or self._archive.find(order_id)
        if ticket is None:
            raise not_found(f"order not found for {order_id}")
        return ticket

    def nested(self, ticket: Ticket) -> Order:
        """Return an order with those that hang on it under `legs`."""
        return with_legs(ticket.order, self._archive.legs(ticket.order.id))

    def _ranked(self, ticket: Ticket) -> Ticket:
        self._rank += 1
        return replace(ticket, rank=self._rank)

    def _open(self, order_id: str) -> Ticket:
        ticket = self.find(order_id)
        if not ticket.is_open:
            raise unprocessable(f'order is already in "{ticket.order.status}" state')
        return ticket

    def _closing(self, held: Decimal, qty: Decimal | None, percentage: Decimal | None) -> Decimal:
        if qty is not None:
            check_amount("qty", qty)
            return qty
        if percentage is None:
            return abs(held)
        check_amount("percentage", percentage)
        if percentage > HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        unit = NANO if held > 0 else Decimal(1)  # shorts trade in whole shares only
        wanted = (abs(held) * percentage / HUNDRED).quantize(unit, "ROUND_DOWN")
        check_amount("qty", wanted)
        return wanted
