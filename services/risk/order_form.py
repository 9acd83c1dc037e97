"""Alpaca's rules on the form of an order: which type takes which prices, times, hours and amounts.

They are held against an intent before anything is sent, and against the merged terms of a replacement. Source:
Alpaca, "Understand orders" and POST /v2/orders.
"""

from collections.abc import Mapping
from decimal import Decimal

from contracts.enums import OrderClass, OrderType, TimeInForce
from contracts.intents import SubmitIntent
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from services.risk.exit_form import exits_fault
from services.risk.said import said

C, T, F = DenialCode, OrderType, TimeInForce
type Form = SubmitIntent | OrderTerms
"""What an agent asks for, or what an order would become: both name the same things alike."""

RESTING = frozenset({F.DAY, F.GTC})
ONE_CHANCE = frozenset({F.OPG, F.CLS, F.IOC, F.FOK})
_SHAPES: Mapping[OrderType, tuple[bool, bool, str]] = {
    T.MARKET: (False, False, "a market order has no price"),
    T.LIMIT: (True, False, "a limit order has a limit_price and no stop_price"),
    T.STOP: (False, True, "a stop order has a stop_price and no limit_price"),
    T.STOP_LIMIT: (True, True, "a stop_limit order has a stop_price and a limit_price"),
    T.TRAILING_STOP: (False, False, "a trailing_stop order has trail_price or trail_percent and no other price"),
}
"""Per type: whether it has a limit price, whether it has a stop price, and how to say so."""
FRACTIONAL_TYPES = frozenset({T.MARKET, T.LIMIT, T.STOP, T.STOP_LIMIT})
ONE_CHANCE_TYPES = frozenset({T.MARKET, T.LIMIT})


def combination_fault(form: Form) -> Reason | None:
    """Find the first rule that well-formed numbers break together."""
    message = (
        _prices_fault(form) or _time_fault(form) or _hours_fault(form) or _amount_fault(form) or exits_fault(form)
    )
    return None if message is None else said(C.INVALID_COMBINATION, message)


def _prices_fault(form: Form) -> str | None:
    has_limit, has_stop, told = _SHAPES[form.order_type]
    limit_is_implied = form.order_class is OrderClass.OCO and form.limit_price is None
    if (form.limit_price is not None) != has_limit and not limit_is_implied:
        return told
    if (form.stop_price is not None) != has_stop:
        return told
    trails = (form.trail_price is not None) + (form.trail_percent is not None)
    if trails == (1 if form.order_type is T.TRAILING_STOP else 0):
        return None
    if form.order_type is T.TRAILING_STOP:
        return "a trailing_stop order has exactly one of trail_price and trail_percent"
    return "only a trailing_stop order has trail_price or trail_percent"


def _time_fault(form: Form) -> str | None:
    time = form.time_in_force
    if time in RESTING:
        return None
    if form.order_type not in ONE_CHANCE_TYPES:
        return f"time_in_force {time} takes market and limit orders: a {form.order_type} order is day or gtc"
    return None


def _hours_fault(form: Form) -> str | None:
    if not form.extended_hours:
        return None
    if form.order_type is T.LIMIT and form.time_in_force in RESTING:
        return None
    return "extended_hours takes limit orders with time_in_force day or gtc"


def _amount_fault(form: Form) -> str | None:
    if form.notional_usd is not None:
        if form.order_type is T.MARKET and form.time_in_force is F.DAY:
            return None
        return "notional_usd takes market orders with time_in_force day"
    if form.qty is None or is_whole(form.qty):
        return None
    if form.time_in_force is not F.DAY:
        return "a fractional qty takes time_in_force day"
    if form.order_type not in FRACTIONAL_TYPES:
        return f"a {form.order_type} order is for whole shares"
    return None


def is_whole(qty: Decimal) -> bool:
    """Say whether a quantity has no fraction of a share."""
    return qty == qty.to_integral_value()
