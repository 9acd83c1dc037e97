"""The answer to what asks for new terms of a working order: decided on what the order would become.

Until the broker answers either terms may fill, so the controls see the worse of both, as the fold counts it.
Alpaca's rules: PATCH /v2/orders/{id}, and "Understand orders" on replacing.
"""

from contracts.decisions import Evidence
from contracts.enums import Action, OrderClass, OrderStatus, OrderType
from contracts.intents import ReplaceIntent
from contracts.limits import LimitSet
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import has_price_step
from projections.account import AccountState
from projections.order_state import OrderState
from services.risk.answer import Answer, Stated, no
from services.risk.checks import apply_all
from services.risk.conditions import unmet
from services.risk.holding import held_back
from services.risk.order_form import combination_fault, is_whole
from services.risk.ownership import order_of
from services.risk.said import said, short
from services.risk.situation import measure_replaced
from services.risk.submitting import approval
from services.risk.terms import merged_terms

C, S = DenialCode, OrderStatus
_NOT_YET = frozenset({S.PENDING_SUBMIT, S.UNKNOWN})
"""The broker has not said that it has the order."""
_LIMITED = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
_STOPPED = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})


def answer_replace(
    state: AccountState, limits: LimitSet, stated: Stated, evidence: Evidence, intent: ReplaceIntent
) -> Answer:
    """Answer a wish for new terms of one's own working order."""
    order = order_of(state, stated, intent.order_id)
    if isinstance(order, Reason):
        return no(Action.REPLACE, order)
    fault = _not_now(order) or _change_fault(order, intent)
    if fault is not None:
        return no(Action.REPLACE, fault)
    terms = merged_terms(order.terms, intent)
    fault = _terms_fault(order, terms)
    if fault is not None:
        return no(Action.REPLACE, fault)
    at = measure_replaced(state, limits, order, terms, evidence)
    broken = unmet(at, intent)
    if broken is not None:
        return no(Action.REPLACE, broken)
    checks, reason = apply_all(at)
    if reason is not None:
        return no(Action.REPLACE, reason, checks)
    return held_back(at, Action.REPLACE, stated, checks) or approval(at, Action.REPLACE, order.order_id, checks)


def _not_now(order: OrderState) -> Reason | None:
    """Say why an order cannot be replaced as it stands, and whether it may be in a moment."""
    if order.is_terminal:
        return Reason(code=C.ORDER_NOT_WORKING, message=f"order {order.order_id} is {order.status} already")
    if order.replacement is not None or order.status is S.PENDING_REPLACE:
        message = f"order {order.order_id} has a replace under way: wait for what becomes of it"
        return Reason(code=C.REPLACE_PENDING, message=message, retryable=True, retry_after_ms=1000)
    if order.status is S.PENDING_CANCEL:
        return Reason(code=C.ORDER_NOT_WORKING, message=f"order {order.order_id} is being canceled")
    if order.status in _NOT_YET:
        message = f"the broker has not confirmed order {order.order_id} yet"
        return Reason(code=C.ORDER_NOT_WORKING, message=message, retryable=True, retry_after_ms=1000)
    return None


def _change_fault(order: OrderState, intent: ReplaceIntent) -> Reason | None:
    """Find a change that this kind of order does not take."""
    terms = order.terms
    if terms.notional_usd is not None:
        message = "an order for an amount cannot be replaced: cancel it and state a new one"
        return said(C.UNSUPPORTED, message)
    if intent.limit_price is not None and terms.order_type not in _LIMITED:
        return said(C.INVALID_COMBINATION, f"a {terms.order_type} order has no limit_price")
    if intent.stop_price is not None and terms.order_type not in _STOPPED:
        return said(C.INVALID_COMBINATION, f"a {terms.order_type} order has no stop_price")
    if intent.trail is not None:
        return _trail_fault(terms, intent)
    return None


def _trail_fault(terms: OrderTerms, intent: ReplaceIntent) -> Reason | None:
    if terms.order_type is not OrderType.TRAILING_STOP or intent.trail is None:
        return said(C.INVALID_COMBINATION, f"a {terms.order_type} order has no trail")
    if terms.trail_price is not None and not has_price_step(intent.trail):
        return said(
            C.INVALID_PRICE, f"trail {short(intent.trail)} is off its tick: 2 decimals from 1 USD up, 4 below"
        )
    if terms.trail_price is None and intent.trail >= 100:  # noqa: PLR2004 - percent
        return said(C.INVALID_PRICE, f"trail is in percent and must be below 100, not {short(intent.trail)}")
    return None


def _terms_fault(order: OrderState, terms: OrderTerms) -> Reason | None:
    """Find what is wrong with the order that would come of it."""
    if terms == order.terms:
        message = f"order {order.order_id} has these terms already: state what should change"
        return Reason(code=C.NOTHING_CHANGES, message=message)
    if terms.qty != order.terms.qty:
        fault = _qty_fault(order, terms)
        if fault is not None:
            return fault
    is_exit = order.group_id is not None and order.group_id != order.order_id
    return None if is_exit else combination_fault(terms)  # what brought an exit has vouched for its class


def _qty_fault(order: OrderState, terms: OrderTerms) -> Reason | None:
    if order.group_id is not None or terms.order_class is not OrderClass.SIMPLE:
        message = "the qty of an order with exits, and of an exit, cannot be changed: cancel and state a new one"
        return said(C.INVALID_COMBINATION, message)
    if not (is_whole(terms.qty) and is_whole(order.terms.qty)):
        return said(C.INVALID_COMBINATION, "the qty of a fractional order cannot be changed, nor made fractional")
    if terms.qty > order.filled_qty:
        return None
    return Reason(
        code=C.INVALID_QTY,
        message=f"{order.filled_qty} are filled already: qty counts them, so it must be more, or cancel the rest",
        limit=order.filled_qty,
        attempted=terms.qty,
    )
