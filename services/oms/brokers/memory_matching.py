"""When the in-memory market meets an order: prices, triggers and trails, pure; all prices USD per share."""

from dataclasses import dataclass
from decimal import Decimal

from contracts.enums import OrderType, Side
from contracts.orders import OrderTerms
from contracts.values import ZERO

_STOPS = frozenset({OrderType.STOP, OrderType.STOP_LIMIT, OrderType.TRAILING_STOP})
_LIMITS = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_PERCENT = Decimal(100)


@dataclass(frozen=True, slots=True)
class Quoted:
    """What the market bids and asks for one symbol, USD per share."""

    bid: Decimal
    ask: Decimal

    def price_for(self, side: Side) -> Decimal:
        """Give the price at which this side trades at once."""
        return self.ask if side is Side.BUY else self.bid


def met_at(terms: OrderTerms, quoted: Quoted, *, triggered: bool) -> Decimal | None:
    """Give the price at which the market meets an order, None while it does not."""
    price = quoted.price_for(terms.side)
    if terms.order_type in _STOPS and not triggered:
        return None
    if terms.order_type not in _LIMITS or terms.limit_price is None:
        return price
    is_met = price <= terms.limit_price if terms.side is Side.BUY else price >= terms.limit_price
    return price if is_met else None


def is_triggered(terms: OrderTerms, quoted: Quoted, peak: Decimal | None) -> bool:
    """Say whether the market has reached an order's stop, or whether it has none."""
    if terms.order_type not in _STOPS:
        return True
    price, stop = quoted.price_for(terms.side), stop_of(terms, peak)
    if stop is None:
        return False
    return price >= stop if terms.side is Side.BUY else price <= stop


def stop_of(terms: OrderTerms, peak: Decimal | None) -> Decimal | None:
    """Give where an order's stop stands; a trailing one keeps its distance from the best price so far."""
    if terms.order_type is not OrderType.TRAILING_STOP:
        return terms.stop_price
    if peak is None:
        return None
    trail = terms.trail_price or peak * (terms.trail_percent or ZERO) / _PERCENT
    return peak + trail if terms.side is Side.BUY else peak - trail


def peak_after(terms: OrderTerms, quoted: Quoted, peak: Decimal | None) -> Decimal:
    """Give the best price that a trailing stop has seen."""
    price = quoted.price_for(terms.side)
    if peak is None:
        return price
    return min(peak, price) if terms.side is Side.BUY else max(peak, price)


@dataclass(slots=True)
class Holding:
    """One position: signed shares at their average cost, USD per share."""

    qty: Decimal = ZERO
    avg_price: Decimal = ZERO

    def take(self, change: Decimal, price: Decimal) -> None:
        """Apply an execution by average cost: opening moves the average, crossing zero starts it anew."""
        qty = self.qty + change
        if self.qty * change >= 0:
            self.avg_price = (self.qty * self.avg_price + change * price) / qty
        elif self.qty * qty < 0:
            self.avg_price = price
        self.qty = qty
