"""The broker's own truth: its book, its market, its money. It keeps its word; only the wire to it is unreliable.

It shares nothing with the broker twins of the OMS. Every order's life here is what the journal must come to.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from contracts.broker import ObservedPosition
from contracts.enums import LegRole, OrderClass, Side, TimeInForce
from contracts.ids import Symbol
from contracts.orders import OrderTerms
from services.oms.brokers.port import BrokerFill, BrokerUpdate, Changes
from tests.simulation.chance import Chance
from tests.simulation.server import Server
from tests.simulation.venue_order import (
    ASKED,
    AT_ONCE,
    ZERO,
    Holding,
    Quoted,
    VenueOrder,
    changed,
    exits_of,
    move,
)


@dataclass(slots=True)
class Temper:
    """How the venue behaves: probabilities."""

    partial: float = 0.3
    stuck_cancel: float = 0.05
    forgotten_cancel: float = 0.02
    late_reject: float = 0.02
    refused_replace: float = 0.1
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
    by_broker_id: dict[str, VenueOrder] = field(default_factory=dict)
    quotes: dict[Symbol, Quoted] = field(default_factory=dict)
    holdings: dict[Symbol, Holding] = field(default_factory=dict)
    fills: list[BrokerFill] = field(default_factory=list)
    tell: Callable[[BrokerUpdate], None] = lambda _update: None
    calm: bool = False
    carries: bool = False
    """Whether a replacement carries the old totals on, or starts at zero with what is left."""
    filled_late: set[str] = field(default_factory=set)
    """Client ids of orders that the broker filled after it had called them canceled."""
    _events: int = 0
    _taken: int = 0
    _executed: int = 0

    def place(self, client_order_id: str, terms: OrderTerms) -> VenueOrder:
        """Take a new order with its exits; it reaches the market a moment later."""
        is_oco = terms.order_class is OrderClass.OCO
        order = self._put(client_order_id, terms, role=LegRole.TAKE_PROFIT if is_oco else None)
        for role, leg_terms in exits_of(terms):
            leg = self._put(f"leg-{self._taken + 1}", leg_terms, parent=order, role=role)
            order.legs.append(leg)
            if is_oco:
                self._later(self.chance.between(0.0005, 0.02), self._reach_market, leg)
            else:
                self._set(leg, "held")
                self._emit("held", leg)
        self._later(self.chance.between(0.0005, 0.02), self._reach_market, order)
        return order

    def refusal(self, order: VenueOrder, changes: Changes) -> str | None:
        """Say why an order cannot have new terms."""
        if order.status not in {"new", "partially_filled", "held"}:
            return f"cannot replace order in {order.status} status"
        if changes.qty is not None and changes.qty <= order.filled_qty:
            return "qty must be greater than filled_qty"
        return "order parameters are not changed" if changes == Changes() else None

    def ask_replace(self, order: VenueOrder, client_order_id: str, changes: Changes) -> VenueOrder:
        """Take a request for new terms; whether it comes about shows a moment later."""
        new = self._put(
            client_order_id, changed(order.terms, changes), old=order, parent=order.parent, role=order.role
        )
        was = order.status
        self._set(order, "pending_replace")
        self._emit("pending_replace", order)
        self._later(self.chance.between(0.001, 0.4), self._settle, new, was)
        return new

    def by_id(self, broker_order_id: str) -> VenueOrder | None:
        return self.by_broker_id.get(broker_order_id)

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
            for other in self._others(order):
                self.end(other, "canceled")
            alone = order.terms.order_class is OrderClass.SIMPLE
            if event == "canceled" and alone and not self.calm and self.chance.happens(self.temper.late_fill):
                self._later(self.chance.between(0.001, 3), self._fill_late, order)

    def quote(self, symbol: Symbol, quoted: Quoted) -> None:
        """Move the market, and fill what it meets, oldest order first."""
        self.quotes[symbol] = quoted
        for order in tuple(self.orders):
            if order.is_open and order.terms.symbol == symbol:
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
        elif order.is_open and order.status not in ASKED:
            order.status = "partially_filled"
        self._book(order, qty, price, now)
        self._emit("fill" if whole else "partial_fill", order, qty, price)
        self._after_fill(order, whole=whole)

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
        if quoted is None or not order.is_open or order.status in {"pending_new", "held"}:
            return
        price = order.price_for(quoted)
        if price is None:
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

    def _put(self, client_order_id: str, terms: OrderTerms, **facts: object) -> VenueOrder:
        now = self.server.clock.now()
        self._taken += 1
        order = VenueOrder(self._taken, client_order_id, terms, now, now, **facts)  # pyright: ignore[reportArgumentType]
        self.orders.append(order)
        self.by_client_id[client_order_id] = order
        self.by_broker_id[order.broker_order_id] = order
        return order

    def _settle(self, new: VenueOrder, was: str) -> None:
        """Let new terms take the place of the old ones, or refuse them."""
        old = new.old
        assert old is not None
        refused = not self.calm and self.chance.happens(self.temper.refused_replace)
        gone = not new.is_open or old.status != "pending_replace"
        if refused or gone or new.terms.qty <= old.filled_qty:
            self._set(new, "rejected" if new.is_open else new.status)
            if old.status == "pending_replace":
                self._set(old, "partially_filled" if old.filled_qty else was)
            self._emit("order_replace_rejected", old)
            return
        old.new, old.cancel_asked = new, False
        self._set(old, "replaced")
        old.replaced_at = old.updated_at
        if self.carries:
            new.carried = (old.filled_qty, old.filled_usd)
            new.filled_qty, new.filled_usd = new.carried
        else:
            new.terms = replace(new.terms, qty=new.terms.qty - old.filled_qty)
        new.legs, old.legs = old.legs, []
        for leg in new.legs:
            leg.parent = new
        if new.parent is not None:
            new.parent.legs = [new if leg is old else leg for leg in new.parent.legs]
        self._set(new, "held" if was == "held" else "new")
        self._emit("replaced", old)
        self._emit(new.status, new)
        self._match(new)

    def _after_fill(self, order: VenueOrder, *, whole: bool) -> None:
        """Wake the exits of an entry, end the exit that is left, or cut it to what its twin still leaves."""
        for other in self._others(order):
            if other.is_waiting and order is other.parent:
                if whole:
                    self._set(other, "pending_new")
                    self._later(self.chance.between(0.0005, 0.01), self._reach_market, other)
            elif whole:
                self.end(other, "canceled")
            elif other.status in {"new", "partially_filled"}:
                left = order.terms.qty - order.filled_qty
                other.terms = replace(other.terms, qty=other.filled_qty + left)
                self._set(other, other.status)
                self._emit("restated", other)

    def _others(self, order: VenueOrder) -> list[VenueOrder]:
        """Name the open orders whose life hangs on an order's: its exits, or the other exit."""
        if order.parent is None:
            return [leg for leg in order.legs if leg.is_open]
        top = order.parent
        twins = [leg for leg in top.legs if leg is not order]
        twins += [top] if top.terms.order_class is OrderClass.OCO else []
        return [twin for twin in twins if twin.is_open]

    def _forget_cancel(self, order: VenueOrder) -> None:
        """Let a cancel come to nothing: the order works on as if nobody had asked."""
        if order.status == "pending_cancel":
            order.cancel_asked = False
            self._set(order, "partially_filled" if order.filled_qty else "new")

    def _book(self, order: VenueOrder, qty: Decimal, price: Decimal, now: datetime) -> None:
        symbol, side = order.terms.symbol, order.terms.side
        change = qty if side is Side.BUY else -qty
        self.cash_usd -= change * price
        move(self.holdings.setdefault(symbol, Holding()), change, price)
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
