"""The book of the in-memory broker: orders, positions and cash of one account, matched against set quotes."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from msgspec.structs import replace

from contracts.broker import ObservedPosition
from contracts.enums import OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.values import ZERO
from services.oms.brokers.port import BrokerFill, BrokerOrder, BrokerUpdate
from services.runtime.ports import Clock

ENDED = frozenset({"filled", "canceled", "expired", "rejected"})


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the market bids and asks for one symbol, USD per share."""

    bid: Decimal
    ask: Decimal


@dataclass(slots=True)
class Holding:
    """One position: signed shares at their average cost, USD per share."""

    qty: Decimal = ZERO
    avg_price: Decimal = ZERO


@dataclass(slots=True)
class MemoryBook:
    """Everything the broker knows; each method is one action and returns the updates that it causes."""

    clock: Clock
    cash_usd: Decimal
    orders: dict[OrderId, BrokerOrder] = field(default_factory=dict)
    fills: list[BrokerFill] = field(default_factory=list)
    holdings: dict[Symbol, Holding] = field(default_factory=dict)
    quotes: dict[Symbol, Quoted] = field(default_factory=dict)
    _count: int = 0

    def open(self, order_id: OrderId, terms: OrderTerms) -> tuple[BrokerOrder, list[BrokerUpdate]]:
        """Put a new order in, and fill it when the market already meets it."""
        now = self.clock.now()
        order = BrokerOrder(
            broker_order_id=f"mem-{self._next():06}",
            client_order_id=order_id,
            status="pending_new",
            symbol=terms.symbol,
            side=terms.side,
            terms=terms,
            submitted_at=now,
            updated_at=now,
        )
        self.orders[order_id] = order
        working = self._moved(order_id, "new", "new")
        return order, [working, *self._match(order_id)]

    def quote(self, symbol: Symbol, quoted: Quoted) -> list[BrokerUpdate]:
        """Set a quote and fill what it meets, oldest order first."""
        self.quotes[symbol] = quoted
        waiting = [order_id for order_id, order in self.orders.items() if order.symbol == symbol]
        return [update for order_id in waiting for update in self._match(order_id)]

    def end(self, order_id: OrderId, event: str) -> list[BrokerUpdate]:
        """End an order that is still open: canceled, expired or rejected."""
        return [] if self.orders[order_id].status in ENDED else [self._moved(order_id, event, event)]

    def fill(self, order_id: OrderId, qty: Decimal, price: Decimal) -> BrokerUpdate:
        """Execute a part of an order, whatever its status: a late fill after a cancel included."""
        order, now = self.orders[order_id], self.clock.now()
        total = order.filled_qty + qty
        value = (order.filled_avg_price or ZERO) * order.filled_qty + qty * price
        whole = order.terms is not None and total >= order.terms.qty
        status = "filled" if whole else order.status if order.status in ENDED else "partially_filled"
        filled = replace(
            order,
            status=status,
            filled_qty=total,
            filled_avg_price=value / total,
            filled_at=now,
            updated_at=now,
        )
        self.orders[order_id] = filled
        self._book(filled, qty, price)
        return self._update("fill" if whole else "partial_fill", filled, qty=qty, price=price)

    def positions(self) -> tuple[ObservedPosition, ...]:
        """List what is held."""
        return tuple(
            ObservedPosition(
                symbol=symbol, qty=held.qty, avg_entry_price=held.avg_price, current_price=self._mid(symbol)
            )
            for symbol, held in self.holdings.items()
            if held.qty
        )

    def equity_usd(self) -> Decimal:
        """Value cash and positions at the middle of the quote, at cost where there is none."""
        return self.cash_usd + sum(
            (held.qty * (self._mid(symbol) or held.avg_price) for symbol, held in self.holdings.items()), ZERO
        )

    def _match(self, order_id: OrderId) -> Iterator[BrokerUpdate]:
        order = self.orders[order_id]
        quoted = self.quotes.get(order.symbol)
        if order.status in ENDED or order.terms is None or quoted is None:
            return
        price = quoted.ask if order.terms.side is Side.BUY else quoted.bid
        if _marketable(order.terms, price):
            yield self.fill(order_id, order.terms.qty - order.filled_qty, price)

    def _book(self, order: BrokerOrder, qty: Decimal, price: Decimal) -> None:
        side = order.side or Side.BUY
        change = qty if side is Side.BUY else -qty
        self.cash_usd -= change * price
        _change(self.holdings.setdefault(order.symbol, Holding()), change, price)
        self.fills.append(
            BrokerFill(
                activity_id=f"mem-act-{len(self.fills) + 1:06}",
                broker_order_id=order.broker_order_id,
                symbol=order.symbol,
                side=side,
                qty=qty,
                price=price,
                cum_qty=order.filled_qty,
                at=self.clock.now(),
            )
        )

    def _moved(self, order_id: OrderId, event: str, status: str) -> BrokerUpdate:
        order = replace(self.orders[order_id], status=status, updated_at=self.clock.now())
        self.orders[order_id] = order
        return self._update(event, order)

    def _update(
        self, event: str, order: BrokerOrder, qty: Decimal | None = None, price: Decimal | None = None
    ) -> BrokerUpdate:
        number = self._next()
        return BrokerUpdate(
            event=event,
            order=order,
            at=self.clock.now(),
            event_id=f"mem-event-{number:06}",
            execution_id=None if qty is None else f"mem-exec-{number:06}",
            qty=qty,
            price=price,
            position_qty=None if qty is None else self.holdings[order.symbol].qty,
        )

    def _mid(self, symbol: Symbol) -> Decimal | None:
        quoted = self.quotes.get(symbol)
        return None if quoted is None else (quoted.bid + quoted.ask) / 2

    def _next(self) -> int:
        self._count += 1
        return self._count


def _marketable(terms: OrderTerms, price: Decimal) -> bool:
    if terms.order_type is OrderType.MARKET or terms.limit_price is None:
        return terms.order_type is OrderType.MARKET
    return terms.limit_price >= price if terms.side is Side.BUY else terms.limit_price <= price


def _change(held: Holding, change: Decimal, price: Decimal) -> None:
    """Apply an execution by average cost: opening moves the average, crossing zero starts it anew."""
    qty = held.qty + change
    if held.qty * change >= 0:
        held.avg_price = (held.qty * held.avg_price + change * price) / qty
    elif held.qty * qty < 0:
        held.avg_price = price
    held.qty = qty
