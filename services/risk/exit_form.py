"""Alpaca's rules on bracket, OCO and OTO orders: which exits they bring, and where these stand.

Base price: where the entry is expected to fill, its limit or its stop; for an entry at the market the ask (buys) or
the bid (sales). Exits must be a cent beyond it. Source: Alpaca, "Understand orders", and its refusals
(`take_profit.limit_price must be >= base_price + 0.01`, `stop_loss.stop_price must be <= base_price - 0.01`).
"""

from decimal import Decimal

from contracts.enums import OrderClass, OrderType, Side, TimeInForce
from contracts.intents import SubmitIntent
from contracts.market import Quote
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import CENT
from services.risk.said import said

K = OrderClass
type Form = SubmitIntent | OrderTerms
_EXITS = {
    K.BRACKET: "a bracket order brings both take_profit and stop_loss",
    K.OCO: "an oco order brings both take_profit and stop_loss",
    K.OTO: "an oto order brings exactly one of take_profit and stop_loss",
}
_TIMES = frozenset({TimeInForce.DAY, TimeInForce.GTC})


def exits_fault(form: Form) -> str | None:
    """Find the first rule of its class that an order breaks."""
    if form.order_class is K.SIMPLE:
        if form.take_profit is None and form.stop_loss is None:
            return None
        return "take_profit and stop_loss come with order_class bracket, oco or oto"
    return (
        _class_fault(form) or _presence_fault(form) or _order_fault(form) or _oco_fault(form) or _limits_fault(form)
    )


def _class_fault(form: Form) -> str | None:
    kind = form.order_class
    if form.order_type is OrderType.TRAILING_STOP:
        return f"an order of class {kind} is no trailing_stop"
    if form.time_in_force not in _TIMES:
        return f"an order of class {kind} takes time_in_force day or gtc"
    if form.extended_hours:
        return f"an order of class {kind} trades in regular hours only"
    if form.qty is None or form.notional_usd is not None or form.qty != form.qty.to_integral_value():
        return f"an order of class {kind} is for whole shares"
    return None


def _presence_fault(form: Form) -> str | None:
    exits = (form.take_profit is not None) + (form.stop_loss is not None)
    return None if exits == (1 if form.order_class is K.OTO else 2) else _EXITS[form.order_class]


def _order_fault(form: Form) -> str | None:
    """A long is left above for a profit and below for a loss, a short the other way round."""
    if form.take_profit is None or form.stop_loss is None:
        return None
    profit, stop = form.take_profit.limit_price, form.stop_loss.stop_price
    if leaves_long(form):
        return None if profit > stop else "take_profit.limit_price must be above stop_loss.stop_price"
    return None if profit < stop else "take_profit.limit_price must be below stop_loss.stop_price"


def leaves_long(form: Form) -> bool:
    """Say whether the exits sell: after an entry that buys, or because an OCO itself does."""
    return (form.side is Side.SELL) == (form.order_class is K.OCO)


def _oco_fault(form: Form) -> str | None:
    if form.order_class is not K.OCO:
        return None
    if form.order_type is not OrderType.LIMIT:
        return "an oco order is a limit order at its take_profit.limit_price"
    if form.limit_price is None or form.take_profit is None or form.limit_price == form.take_profit.limit_price:
        return None
    return "the limit_price of an oco order is its take_profit.limit_price, or left out"


def _limits_fault(form: Form) -> str | None:
    """Hold the exits against the price that the order itself names, if it names one."""
    if form.order_class is K.OCO:
        base = None if form.take_profit is None else form.take_profit.limit_price
        return _stop_fault(form, base)
    return base_fault(form, form.limit_price if form.limit_price is not None else form.stop_price)


def base_fault(form: Form, base: Decimal | None) -> str | None:
    """Find an exit that is not at least a cent beyond the base price on its own side."""
    return _profit_fault(form, base) or _stop_fault(form, base)


def _profit_fault(form: Form, base: Decimal | None) -> str | None:
    if base is None or form.take_profit is None:
        return None
    profit = form.take_profit.limit_price
    if leaves_long(form):
        return None if profit >= base + CENT else f"take_profit.limit_price must be {base + CENT} or more"
    return None if profit <= base - CENT else f"take_profit.limit_price must be {base - CENT} or less"


def _stop_fault(form: Form, base: Decimal | None) -> str | None:
    if base is None or form.stop_loss is None:
        return None
    stop = form.stop_loss.stop_price
    if leaves_long(form):
        return None if stop <= base - CENT else f"stop_loss.stop_price must be {base - CENT} or less"
    return None if stop >= base + CENT else f"stop_loss.stop_price must be {base + CENT} or more"


def market_entry_fault(terms: OrderTerms, quote: Quote | None) -> Reason | None:
    """Hold the exits of an entry at the market against the quote; without one the controls deny anyway."""
    if terms.order_class in {K.SIMPLE, K.OCO} or terms.order_type is not OrderType.MARKET or quote is None:
        return None
    message = base_fault(terms, quote.ask_price if terms.side is Side.BUY else quote.bid_price)
    return None if message is None else said(DenialCode.INVALID_COMBINATION, message)
