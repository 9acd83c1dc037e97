"""The broker's front desk: takes, cancels and replaces orders, and closes positions."""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from services.simulator.core.assets import Asset
from services.simulator.core.book import Book, Configurations
from services.simulator.core.errors import BrokerError, forbidden, malformed, not_found, unprocessable
from services.simulator.core.forms import OrderRequest, amount
from services.simulator.core.ids import Ids
from services.simulator.core.lifecycle import Lifecycle, Step, later
from services.simulator.core.margin import (
    Worth,
    check_buying_power,
    check_wash,
    closing_qty,
    insufficient_qty,
    reserve_price,
    worth,
)
from services.simulator.core.numbers import NANO, ZERO, decimals, plain
from services.simulator.core.orders import Order, Side, Ticket
from services.simulator.core.quotes import Quote
from services.simulator.core.recorder import Recorder
from services.simulator.core.replacing import ReplaceBody, replacement
from services.simulator.core.rules import Archive, Prices, Rules
from services.simulator.core.sessions import next_close

HUNDRED = Decimal(100)
GTC_GRACE = timedelta(minutes=15)  # aged out at 16:15


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
        self._archive = archive
        self._rank = 0

    def resume(self, last_rank: int, now: datetime) -> None:
        """Take up the open orders of an earlier run."""
        self._rank = last_rank
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
        return worth(self.book, self.mark, self.rules.multiplier)

    def submit(self, request: OrderRequest, now: datetime) -> Order:
        """Take an order, or refuse it."""
        quote = self._tradable(request)
        self._check_unique(request.client_order_id)
        ticket = self._admitted(request, quote, now)
        self.recorder.put(ticket)
        if ticket.order.status == "accepted":
            self.recorder.tell("accepted", ticket, now)
        self.lifecycle.start(ticket, now)
        self.lifecycle.plan_expiry(ticket)
        return ticket.order

    def cancel(self, order_id: str, now: datetime) -> None:
        """Ask for an order to be canceled; it may still fill before the cancel takes effect."""
        ticket = self._open(order_id)
        if ticket.order.status == "pending_cancel":
            raise unprocessable('order is already in "pending_cancel" state')
        ticket = replace(ticket, cancel_requested_at=now)
        ticket = self.recorder.move(ticket, now, status="pending_cancel")
        self.recorder.tell("pending_cancel", ticket, now)
        self.lifecycle.plan(later(now, self.rules.cancel_ms), Step.CANCEL, ticket)

    def cancel_all(self, now: datetime) -> list[str]:
        """Ask for every open order to be canceled and return the ids concerned."""
        ids = [t.order.id for t in self.book.tickets.values() if t.order.status != "pending_cancel"]
        for order_id in ids:
            self.cancel(order_id, now)
        return ids

    def replace(self, order_id: str, body: ReplaceBody, now: datetime) -> Order:
        """Take a replacement; whether it succeeds is told later by trade updates."""
        old = self._open(order_id)
        request = replacement(old, body)
        quote = self._tradable(request)
        self._check_unique(request.client_order_id)
        fresh = self._replacing(old, request, quote, now)
        old = self.recorder.move(old, now, status="pending_replace")
        self.recorder.put(fresh)
        self.recorder.tell("pending_replace", old, now)
        self.lifecycle.plan(later(now, self.rules.ack_ms), Step.REPLACE, fresh)
        self.lifecycle.plan_expiry(fresh)
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
            for ticket in list(self.book.tickets.values()):
                self.lifecycle.cancel_now(ticket, now)
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

    def _open(self, order_id: str) -> Ticket:
        ticket = self.find(order_id)
        if not ticket.is_open:
            raise unprocessable(f'order is already in "{ticket.order.status}" state')
        return ticket

    def _closing(self, held: Decimal, qty: Decimal | None, percentage: Decimal | None) -> Decimal:
        if qty is not None:
            amount("qty", qty)
            return qty
        if percentage is None:
            return abs(held)
        amount("percentage", percentage)
        if percentage > HUNDRED:
            raise malformed("percentage must be between 0 and 100")
        unit = NANO if held > 0 else Decimal(1)  # shorts trade in whole shares only
        wanted = (abs(held) * percentage / HUNDRED).quantize(unit, "ROUND_DOWN")
        amount("qty", wanted)
        return wanted

    def _tradable(self, request: OrderRequest) -> Quote:
        asset = self.assets.get(request.symbol)
        if asset is None:
            raise unprocessable(f'asset "{request.symbol}" not found')
        quote = self.prices.quote(request.symbol)
        if not asset.tradable or quote is None:
            raise unprocessable(f"asset {request.symbol} is not tradable")
        fractional = request.notional is not None or decimals(request.qty or ZERO) > 0
        if fractional and not (asset.fractionable and self.book.account.configurations.fractional_trading):
            raise unprocessable(f"asset {request.symbol} is not fractionable")
        return quote

    def _check_unique(self, client_order_id: str | None) -> None:
        if client_order_id is not None and self._archive.find_client(client_order_id) is not None:
            raise malformed("client_order_id must be unique")

    def _admitted(self, request: OrderRequest, quote: Quote, now: datetime) -> Ticket:
        if self.book.account.configurations.suspend_trade:
            raise forbidden("new orders are rejected by user request")
        if self.rules.wash_trades:
            check_wash(self.book, request)
        closing = closing_qty(self.book, request, quote)
        ticket = self._ticket(request, closing, quote, now)
        self._check_intent(request.position_intent, ticket)
        if ticket.reserved_usd() > ZERO:
            check_buying_power(ticket, self.worth())
        return ticket

    def _check_intent(self, specified: str | None, ticket: Ticket) -> None:
        inferred = ticket.order.position_intent
        if specified is not None and specified != inferred:
            raise unprocessable(f"position intent mismatch, inferred: {inferred}, specified: {specified}")

    def _ticket(self, request: OrderRequest, closing: Decimal, quote: Quote, now: datetime) -> Ticket:
        short = request.side == "sell" and not closing
        asset = self.assets[request.symbol]
        in_session = self.lifecycle.hours.is_tradable(now, extended=request.extended_hours)
        self._rank += 1
        order = Order(
            id=self.recorder.ids.uuid(),
            client_order_id=request.client_order_id or self.recorder.ids.uuid(),
            created_at=now,
            updated_at=now,
            submitted_at=now,
            asset_id=asset.id,
            symbol=request.symbol,
            notional=request.notional,
            qty=request.qty,
            order_type=request.type,
            type=request.type,
            side=request.side,
            position_intent=f"{request.side}_to_{'close' if closing else 'open'}",
            time_in_force=request.time_in_force,
            limit_price=None if request.limit_price is None else plain(request.limit_price),
            stop_price=None if request.stop_price is None else plain(request.stop_price),
            status="pending_new" if in_session else "accepted",
            extended_hours=request.extended_hours,
            expires_at=self._expiry(request, now),
        )
        reserve = reserve_price(request, quote, short=short)
        return Ticket(order=order, rank=self._rank, reserve_price=reserve, closing_qty=closing)

    def _expiry(self, request: OrderRequest, now: datetime) -> datetime | None:
        """Return the end of the order's time in force; a market that never closes ends no day orders."""
        if request.time_in_force == "gtc":
            last_day = now + timedelta(days=self.rules.gtc_days)
            return next_close(last_day) + GTC_GRACE
        if self.rules.always_open:
            return None
        return next_close(now, extended=request.extended_hours)

    def _replacing(self, old: Ticket, request: OrderRequest, quote: Quote, now: datetime) -> Ticket:
        total = request.qty or ZERO
        rest = msgspec.structs.replace(request, qty=total - old.order.filled_qty)
        self.book.set_aside(old)
        try:
            fresh = self._admitted(rest, quote, now)
        finally:
            self.book.put(old)
        linked = replace(fresh.order, replaces=old.order.id, status="pending_new")
        return replace(
            fresh,
            order=linked,
            total_qty=total,
            credit_usd=old.reserved_usd(),
            credit_qty=old.remaining(),
        )
