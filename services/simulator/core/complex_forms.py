"""The form rules of bracket, OCO and OTO orders: an entry with exits, or two exits that exclude each other."""

from decimal import Decimal

import msgspec

from services.simulator.core.amounts import check_price
from services.simulator.core.errors import malformed, unprocessable
from services.simulator.core.numbers import plain

SIMPLE = frozenset({"", "simple"})
COMPLEX = frozenset({"bracket", "oco", "oto"})
TIMES_IN_FORCE = frozenset({"day", "gtc"})


class TakeProfit(msgspec.Struct, frozen=True, kw_only=True):
    """The exit that takes a profit: a limit order."""

    limit_price: Decimal | None = None


class StopLoss(msgspec.Struct, frozen=True, kw_only=True):
    """The exit that stops a loss: a stop order, a stop-limit order when it names a limit."""

    stop_price: Decimal | None = None
    limit_price: Decimal | None = None


class Exits(msgspec.Struct, frozen=True, kw_only=True):
    """The exits of one complex order, whose prices are all there."""

    order_class: str
    take_profit_price: Decimal | None = None
    stop_price: Decimal | None = None
    stop_limit_price: Decimal | None = None


def exits(order_class: str | None, take_profit: TakeProfit | None, stop_loss: StopLoss | None) -> Exits | None:
    """Return the exits an order asks for, None for a simple order; each class needs its own."""
    kind = order_class or ""
    if kind == "mleg":
        raise unprocessable("mleg orders are for options, which this simulator does not list")
    if kind not in SIMPLE | COMPLEX:
        raise malformed("invalid order_class")
    if kind in SIMPLE:
        if take_profit or stop_loss:
            raise malformed("simple orders require no take_profit or stop_loss")
        return None
    profit = None if take_profit is None else take_profit.limit_price
    stop = None if stop_loss is None else stop_loss.stop_price
    _check_presence(kind, profit, stop)
    limit = None if stop_loss is None else stop_loss.limit_price
    if limit is not None and stop is None:
        raise malformed("stop_loss.limit_price requires stop_loss.stop_price")
    return Exits(
        order_class=kind,
        take_profit_price=_checked("take_profit.limit_price", profit),
        stop_price=_checked("stop_loss.stop_price", stop),
        stop_limit_price=_checked("stop_loss.limit_price", limit),
    )


def _checked(name: str, value: Decimal | None) -> Decimal | None:
    if value is None:
        return None
    check_price(name, value)
    return plain(value)


def _check_presence(kind: str, profit: Decimal | None, stop: Decimal | None) -> None:
    if kind == "oto":
        if (profit is None) == (stop is None):
            raise malformed("oto orders require exactly one of take_profit.limit_price and stop_loss.stop_price")
        return
    if profit is None:
        raise malformed(f"{kind} orders require take_profit.limit_price")
    if stop is None:
        raise malformed(f"{kind} orders require stop_loss.stop_price")


def check_combination(found: Exits, order_type: str, time_in_force: str, *, whole: bool, extended: bool) -> None:
    """Refuse what a complex order cannot be: fractional, extended hours, one-shot, or of another type."""
    kind = found.order_class
    if time_in_force not in TIMES_IN_FORCE:
        raise unprocessable(f"{kind} orders must be DAY or GTC orders")
    if extended:
        raise unprocessable(f"{kind} orders cannot be extended hours orders")
    if not whole:
        raise unprocessable("fractional orders must be simple orders")
    if kind == "oco" and order_type != "limit":
        raise malformed("oco orders must be limit orders")
    if order_type == "trailing_stop":
        raise unprocessable("trailing stop orders must be simple orders")


def check_order_of_prices(found: Exits, exit_side: str) -> None:
    """Refuse a take-profit that is not beyond the stop, seen from the exits' side."""
    profit, stop = found.take_profit_price, found.stop_price
    if profit is None or stop is None:
        return
    if exit_side == "sell" and profit <= stop:
        raise unprocessable("take_profit.limit_price must be > stop_loss.stop_price")
    if exit_side == "buy" and profit >= stop:
        raise unprocessable("take_profit.limit_price must be < stop_loss.stop_price")
