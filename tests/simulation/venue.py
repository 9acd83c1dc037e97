"""The broker's own truth: its book, its market, its money. It keeps its word; only the wire to it is unreliable.

It shares nothing with the broker twins of the OMS. Every order's life here is what the journal must come to.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from contracts.broker import ObservedPosition
from contracts.enums import OrderType, Side, TimeInForce
from contracts.ids import Symbol
from contracts.orders import OrderTerms
from services.oms.brokers.port import BrokerFill, BrokerOrder, BrokerUpdate
from tests.simulation.chance import Chance
from tests.simulation.server import Server

ZERO = Decimal(0)
ENDED = frozenset({"filled", "canceled", "expired", "rejected"})
AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


@dataclass(slots=True)
class VenueOrder:
    """One order as the broker has it."""

    number: int
    client_order_id: str
    terms: OrderTerms
    submitted_at: datetime
    updated_at: datetime
    status: str = "pending_new"
    filled_qty: Decimal = ZERO
    filled_usd: Decimal = ZERO
    filled_at: datetime | None = None
    cancel_asked: bool = False

    @property
    def broker_order_id(self) -> str:
        return f"venue-{self.number:05}"

    @property
    def is_open(self) -> bool:
        return self.status not in ENDED

    def shown(self) -> BrokerOrder:
        """Show it as an answer or an update does."""
        return BrokerOrder(
            broker_order_id=self.broker_order_id,
            client_order_id=self.client_order_id,
            status=self.status,
            symbol=self.terms.symbol,
            side=self.terms.side,
            terms=self.terms,
            filled_qty=self.filled_qty,
            filled_avg_price=self.filled_usd / self.filled_qty if self.filled_qty else None,
            submitted_at=self.submitted_at,
            updated_at=self.updated_at,
            filled_at=self.filled_at,
        )


@dataclass(slots=True)
class Quoted:
    """What the market bids and asks, USD per share."""

    bid: Decimal
    ask: Decimal


@dataclass(slots=True)
class Holding:
    """Shares held (negative: short) and what they cost in all, by average cost."""

    qty: Decimal = ZERO
    average: Decimal = ZERO


@dataclass(slots=True)
class Temper:
    """How the venue behaves: probabilities."""

    partial: float = 0.3
    stuck_cancel: float = 0.05
    forgotten_cancel: float = 0.02
    late_reject: float = 0.02
    late_fill: float = 0.04
    """Of canceled orders that had shares left: some were executed before the cancel, and that is told after it."""


@dataclass
class Venue:
    """The book and what moves it."""

    server: Server
    chance: Chance
    temper: Temper
    cash_usd: Decimal = Decimal(100_000)
    orders: list[VenueOrder] = field(default_factory=list)
    by_client_id: dict[str, VenueOrder] = field(default_factory=dict)
    quotes: dict[Symbol, Quoted] = field(default_factory=dict)
    holdings: dict[Symbol, Holding] = field(default_factory=dict)
    fills: list[BrokerFill] = field(default_factory=list)
    tell: Callable[[BrokerUpdate], None] = lambda _update: None
    calm: bool = False
    filled_late: set[str] = field(default_factory=set)
    """Client ids of orders that the broker filled after it had called them canceled."""
    _events: int = 0
    _taken: int = 0
    _executed: int = 0

    def place(self, client_order_id: str, terms: OrderTerms) -> VenueOrder:
        """Take a new order; it reaches the market a moment later."""
        now = self.server.clock.now()
        self._taken += 1
        order = VenueOrder(self._taken, client_order_id, terms, now, now)
        self.orders.append(order)
        self.by_client_id[client_order_id] = order
        self._later(self.chance.between(0.0005, 0.02), self._reach_market, order)
        return order

    def by_id(self, broker_order_id: str) -> VenueOrder | None:
        return next((order for order in self.orders if order.broker_order_id == broker_order_id), None)

    def ask_cancel(self, order: VenueOrder) -> None:
        """Take a request to cancel; until it is done, the order still fills."""
        if order.cancel_asked:
            return
        order.cancel_asked = True
        self._set(order, "pending_cancel")
        wait = self.chance.between(0.001, 0.2)
        if not self.calm and self.chance.happens(self.temper.stuck_cancel):
            wait += self.chance.between(1, 8)
        if not self.calm and self.chance.happens(self.temper.forgotten_cancel):
            self._later(wait, self._forget_cancel, order)
        else:
            self._later(wait, self.end, order, "canceled")

    def end(self, order: VenueOrder, event: str) -> None:
        """Cancel, expire or reject an order that is still open."""
        if order.is_open:
            self._set(order, event)
            self._emit(event, order)
            if event == "canceled" and not self.calm and self.chance.happens(self.temper.late_fill):
                self._later(self.chance.between(0.001, 3), self._fill_late, order)

    def quote(self, symbol: Symbol, quoted: Quoted) -> None:
        """Move the market, and fill what it meets, oldest order first."""
        self.quotes[symbol] = quoted
        for order in self.orders:
            if order.is_open and order.terms.symbol == symbol and order.status != "pending_new":
                self._match(order)

    def fill(self, order: VenueOrder, qty: Decimal, price: Decimal) -> None:
        """Execute a part of an order."""
        now = self.server.clock.now()
        order.filled_qty += qty
        order.filled_usd += qty * price
        order.filled_at = order.updated_at = now
        whole = order.filled_qty >= order.terms.qty
        if whole:
            order.status = "filled"
        elif order.is_open and order.status != "pending_cancel":
            order.status = "partially_filled"
        self._book(order, qty, price, now)
        self._emit("fill" if whole else "partial_fill", order, qty, price)

    def positions(self) -> tuple[ObservedPosition, ...]:
        """List what is held."""
        return tuple(
            ObservedPosition(symbol=symbol, qty=one.qty, avg_entry_price=one.average, current_price=self._mid(symbol))
            for symbol, one in self.holdings.items()
            if one.qty
        )

    def equity_usd(self) -> Decimal:
        return self.cash_usd + sum((one.qty * self._mid(symbol) for symbol, one in self.holdings.items()), ZERO)

    def _reach_market(self, order: VenueOrder) -> None:
        if order.status != "pending_new":
            return
        if not self.calm and self.chance.happens(self.temper.late_reject):
            self.end(order, "rejected")
            return
        self._set(order, "new")
        self._emit("new", order)
        self._match(order)
        if order.is_open and order.terms.time_in_force in AT_ONCE:
            self.end(order, "canceled")

    def _match(self, order: VenueOrder) -> None:
        quoted = self.quotes.get(order.terms.symbol)
        if quoted is None or not order.is_open:
            return
        price = quoted.ask if order.terms.side is Side.BUY else quoted.bid
        if not _is_marketable(order.terms, price):
            return
        left = order.terms.qty - order.filled_qty
        if left > 1 and self.chance.happens(self.temper.partial) and order.terms.time_in_force is not TimeInForce.FOK:
            self.fill(order, Decimal(self.chance.whole(1, int(left) - 1)) if left >= 2 else left, price)
            self._later(self.chance.between(0.01, 3), self._match, order)
        else:
            self.fill(order, left, price)

    def _fill_late(self, order: VenueOrder) -> None:
        """Execute what the cancel came too late for."""
        quoted = self.quotes[order.terms.symbol]
        price = order.terms.limit_price or quoted.ask
        self.filled_late.add(order.client_order_id)
        self.fill(order, Decimal(1), price)

    def _forget_cancel(self, order: VenueOrder) -> None:
        """Let a cancel come to nothing: the order works on as if nobody had asked."""
        if order.is_open:
            order.cancel_asked = False
            self._set(order, "partially_filled" if order.filled_qty else "new")

    def _book(self, order: VenueOrder, qty: Decimal, price: Decimal, now: datetime) -> None:
        symbol, side = order.terms.symbol, order.terms.side
        change = qty if side is Side.BUY else -qty
        self.cash_usd -= change * price
        _move(self.holdings.setdefault(symbol, Holding()), change, price)
        self._executed += 1
        self.fills.append(
            BrokerFill(
                activity_id=f"activity-{self._executed:05}",
                broker_order_id=order.broker_order_id,
                symbol=symbol,
                side=side,
                qty=qty,
                price=price,
                cum_qty=order.filled_qty,
                at=now,
            )
        )

    def _set(self, order: VenueOrder, status: str) -> None:
        order.status = status
        order.updated_at = self.server.clock.now()

    def _emit(self, event: str, order: VenueOrder, qty: Decimal | None = None, price: Decimal | None = None) -> None:
        self._events += 1
        self.server.note("venue", "{} {} {} {}@{}", event, order.client_order_id, order.status, qty, price)
        self.tell(
            BrokerUpdate(
                event=event,
                order=order.shown(),
                at=self.server.clock.now(),
                event_id=f"event-{self._events:05}",
                execution_id=None if qty is None else f"execution-{self._events:05}",
                qty=qty,
                price=price,
            )
        )

    def _mid(self, symbol: Symbol) -> Decimal:
        quoted = self.quotes[symbol]
        return (quoted.bid + quoted.ask) / 2

    def _later(self, seconds: float, act: Callable[..., None], *arguments: object) -> None:
        self.server.loop.at(self.server.loop.time() + seconds, act, *arguments)


def _is_marketable(terms: OrderTerms, price: Decimal) -> bool:
    if terms.order_type is OrderType.MARKET or terms.limit_price is None:
        return terms.order_type is OrderType.MARKET
    return terms.limit_price >= price if terms.side is Side.BUY else terms.limit_price <= price


def _move(held: Holding, change: Decimal, price: Decimal) -> None:
    """Apply an execution by average cost; a fill through zero opens the rest at its own price."""
    qty = held.qty + change
    if not qty:
        held.average = ZERO
    elif held.qty * change >= 0:
        held.average = (held.qty * held.average + change * price) / qty
    elif held.qty * qty < 0:
        held.average = price
    held.qty = qty
