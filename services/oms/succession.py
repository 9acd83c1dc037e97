"""One order through replacements: what to ask of the broker, and what its new order means for the whole. Pure.

Alpaca answers a replacement with a new order. That one either carries the old totals on, or starts at zero with the
quantity that was left; which it is shows in its quantity.
"""

from datetime import datetime
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.ids import OrderId, replacement_id_for
from contracts.orders import OrderTerms
from contracts.values import ZERO
from projections.order_state import OrderState, Replacement
from services.oms.brokers.port import BrokerOrder, Changes


class Succession(msgspec.Struct, frozen=True):
    """The whole order's terms under the broker's new order, and how many shares that one counts from before."""

    terms: OrderTerms
    carried_qty: Decimal


def replacement_id(order: OrderState) -> OrderId | None:
    """Name the client order id under which an open replacement is asked for."""
    wanted = order.replacement
    return None if wanted is None else replacement_id_for(order.order_id, wanted.decision_seq)


def changes(order: OrderState, wanted: Replacement) -> Changes:
    """Say what differs between an order's terms and those wanted, in the terms of the broker's present order."""
    old, new = order.terms, wanted.terms
    trail = new.trail_price if new.trail_price is not None else new.trail_percent
    old_trail = old.trail_price if old.trail_price is not None else old.trail_percent
    return Changes(
        qty=None if new.qty == old.qty else new.qty - _elsewhere(order),
        limit_price=None if new.limit_price == old.limit_price else new.limit_price,
        stop_price=None if new.stop_price == old.stop_price else new.stop_price,
        trail=None if trail == old_trail else trail,
        time_in_force=None if new.time_in_force == old.time_in_force else new.time_in_force,
    )


def succeeded(order: OrderState, report: BrokerOrder, old: BrokerOrder | None = None) -> Succession:
    """Give what the broker's new order makes of the whole, once the old one's fills are counted.

    What the old one filled after it was replaced can be in nobody's totals but its own; where the broker does not say
    when that was, the moment at which the new one was submitted stands for it.
    """
    wanted = order.replacement if report.client_order_id == replacement_id(order) else None
    filled_here = order.filled_qty - _elsewhere(order)
    present_qty = (order.terms if wanted is None else wanted.terms).qty - _elsewhere(order)
    shown = report.terms
    if shown is None:
        return Succession(order.terms if wanted is None else wanted.terms, ZERO)
    is_late = old is not None and _is_after(old.filled_at, old.replaced_at or report.submitted_at)
    carries = filled_here > 0 and not is_late and shown.qty == present_qty and report.filled_qty >= filled_here
    whole = shown.qty + (_elsewhere(order) if carries else order.filled_qty)
    return Succession(_whole_terms(order, wanted, replace(shown, qty=whole)), filled_here if carries else ZERO)


def is_restated(order: OrderState, report: BrokerOrder) -> bool:
    """Say whether the broker shows other terms than ours for its present order."""
    terms = report.terms
    if terms is None or terms.notional_usd is not None or order.terms.notional_usd is not None:
        return False
    prices = ((order.terms.limit_price, terms.limit_price), (order.terms.stop_price, terms.stop_price))
    moved = any(ours is not None and theirs is not None and ours != theirs for ours, theirs in prices)
    return moved or terms.qty != order.terms.qty - _elsewhere(order)


def restated(order: OrderState, report: BrokerOrder) -> OrderTerms:
    """Give the whole order's terms as the broker now states them under the same id."""
    terms = report.terms or order.terms
    return _with_class(order, replace(terms, qty=terms.qty + _elsewhere(order)))


def _is_after(one: datetime | None, other: datetime | None) -> bool:
    return one is not None and other is not None and one > other


def _elsewhere(order: OrderState) -> Decimal:
    """Count the shares that are in none of the present broker order's totals."""
    if order.broker_order_id is None:
        return ZERO
    present = order.part(order.broker_order_id)
    return order.filled_qty - present.carried_qty - present.filled_qty


def _whole_terms(order: OrderState, wanted: Replacement | None, shown: OrderTerms) -> OrderTerms:
    """Take the approved terms themselves where the broker shows them, so that they are known as those approved."""
    if wanted is not None and _asked(wanted.terms) == _asked(shown):
        return wanted.terms
    return _with_class(order, shown)


def _asked(terms: OrderTerms) -> tuple[object, ...]:
    return (
        terms.qty,
        terms.limit_price,
        terms.stop_price,
        terms.trail_price,
        terms.trail_percent,
        terms.time_in_force,
    )


def _with_class(order: OrderState, shown: OrderTerms) -> OrderTerms:
    ours = order.terms
    return replace(shown, order_class=ours.order_class, take_profit=ours.take_profit, stop_loss=ours.stop_loss)
