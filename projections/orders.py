"""The life of one order: a table of (status, event) pairs, and the fold that follows it.

Status comes from the table, except that a fill's comes from quantities. The fold is total: an event that the
table does not know in a status leaves the status as it is, so no journal ever stops a reader.
"""

from collections.abc import Mapping
from decimal import Decimal

from msgspec.structs import replace

from contracts.enums import OrderStatus
from contracts.ids import FillId
from contracts.orders import (
    AnyOrderEvent,
    OrderAcknowledged,
    OrderBusted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderCompleted,
    OrderCorrected,
    OrderDoneForDay,
    OrderExpired,
    OrderFilled,
    OrderHeld,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderReported,
    OrderSuspended,
    OrderUnknown,
    OrderWorking,
)
from contracts.values import ZERO
from projections.order_state import PENDING, TERMINAL, BrokerPart, Execution, OrderState

S = OrderStatus

_LIVE = tuple(s for s in S if s not in TERMINAL)


def _to(target: OrderStatus, *sources: OrderStatus) -> dict[OrderStatus, OrderStatus]:
    return dict.fromkeys(sources, target)


_STANDING = (S.ACKED, S.WORKING, S.PARTIALLY_FILLED, S.HELD, S.SUSPENDED, S.DONE_FOR_DAY)
"""The broker has the order and nothing is asked of it."""

_KEPT_BY_NEW_TERMS = frozenset({*PENDING, S.ACKED, S.HELD, S.SUSPENDED, S.DONE_FOR_DAY})
"""New terms alone do not let an order work."""

TRANSITIONS: Mapping[type, Mapping[OrderStatus, OrderStatus]] = {
    OrderAcknowledged: _to(S.ACKED, S.PENDING_SUBMIT, S.UNKNOWN),
    OrderWorking: _to(S.WORKING, S.PENDING_SUBMIT, S.UNKNOWN, S.ACKED, S.HELD, S.SUSPENDED, S.DONE_FOR_DAY),
    OrderHeld: _to(S.HELD, S.PENDING_SUBMIT, S.UNKNOWN, S.ACKED),
    OrderSuspended: _to(S.SUSPENDED, S.UNKNOWN, *(s for s in _STANDING if s is not S.SUSPENDED)),
    OrderDoneForDay: _to(S.DONE_FOR_DAY, S.UNKNOWN, *(s for s in _STANDING if s is not S.DONE_FOR_DAY)),
    OrderUnknown: _to(S.UNKNOWN, S.PENDING_SUBMIT),
    OrderCancelRequested: _to(
        S.PENDING_CANCEL,
        *(s for s in _LIVE if s is not S.PENDING_REPLACE),
        S.PENDING_REPLACE,  # real: a person cancels while a replace hangs
    ),
    OrderReplaceRequested: _to(S.PENDING_REPLACE, *_STANDING),
    OrderCompleted: _to(S.FILLED, *_LIVE),
    OrderCanceled: _to(S.CANCELED, *_LIVE),
    OrderExpired: _to(S.EXPIRED, *_LIVE),
    OrderRejected: _to(
        S.REJECTED,
        S.PENDING_SUBMIT,
        S.UNKNOWN,
        S.ACKED,
        S.HELD,
        S.SUSPENDED,
        S.WORKING,  # real: the venue refuses after the broker took it
        S.PENDING_CANCEL,
        S.PENDING_REPLACE,
    ),
}
"""Which event moves which status where; pairs not listed leave the status as it is."""


def next_status(order: OrderState, event: AnyOrderEvent) -> OrderStatus:
    """Look up where an event moves an order; the same status means that it moves nothing."""
    match event:
        case OrderFilled():
            return _status_after_fill(order, order.filled_qty + event.qty)
        case OrderBusted() | OrderCorrected():
            return order.status  # the broker says so when an order whose fill was undone works again
        case OrderCancelRejected():
            return order.resting if order.status is S.PENDING_CANCEL else order.status
        case OrderReplaceRejected():
            return _status_after_refusal(order)
        case OrderReplaced():
            return _status_after_replacement(order, event)
        case OrderWorking():
            return _status_when_working(order)
        case _:
            return TRANSITIONS.get(type(event), {}).get(order.status, order.status)


def _status_after_fill(order: OrderState, filled_qty: Decimal) -> OrderStatus:
    """Tell from quantities; while more shares are asked for, the fill of all the old ones is not the end."""
    if filled_qty >= order.most_qty:
        return S.FILLED
    if order.is_terminal or order.status in PENDING:
        return order.status  # a late fill does not reopen an order; a pending request stays pending
    return S.PARTIALLY_FILLED if filled_qty else order.status


def _status_after_refusal(order: OrderState) -> OrderStatus:
    """Fall back to where the order stood; the old terms may have filled while new ones were asked for."""
    if order.filled_qty >= order.terms.qty and not order.is_terminal:
        return S.FILLED
    return order.resting if order.status is S.PENDING_REPLACE else order.status


def _status_after_replacement(order: OrderState, event: OrderReplaced) -> OrderStatus:
    if order.is_terminal and order.status is not S.FILLED:
        return order.status  # the news came late: what ended does not live again
    if order.filled_qty >= event.terms.qty:
        return S.FILLED
    is_answer = event.broker_order_id != order.broker_order_id
    below = order.resting if order.status is S.PENDING_REPLACE and is_answer else order.status
    if below in _KEPT_BY_NEW_TERMS:
        return below
    return S.PARTIALLY_FILLED if order.filled_qty else S.WORKING


def _status_when_working(order: OrderState) -> OrderStatus:
    reopened = order.status is S.FILLED and order.filled_qty < order.terms.qty and _has_undone(order)
    emptied = order.status is S.PARTIALLY_FILLED and not order.filled_qty and _has_undone(order)
    target = S.WORKING if reopened or emptied else TRANSITIONS[OrderWorking].get(order.status, order.status)
    return S.PARTIALLY_FILLED if target is S.WORKING and order.filled_qty else target


def _has_undone(order: OrderState) -> bool:
    return any(not execution.qty for execution in order.fills.values())


def is_known_fill(order: OrderState, event: AnyOrderEvent) -> bool:
    """Say whether an event tells of an execution that counts already, or was taken back already."""
    match event:
        case OrderFilled(fill_id=fill_id):
            return fill_id in order.fills
        case OrderBusted(fill_id=fill_id):
            return fill_id in order.fills and not order.fills[fill_id].qty
        case OrderCorrected(new_fill_id=new_fill_id):
            return new_fill_id in order.fills
        case _:
            return False


def undone_execution(order: OrderState, event: OrderBusted | OrderCorrected) -> Execution:
    """Give the execution that an event takes back: as it was counted, or as told when it never was on its own."""
    known = order.fills.get(event.fill_id)
    if known is not None:
        return known
    if isinstance(event, OrderBusted):
        return Execution(qty=event.qty, price=event.price)
    return Execution(qty=event.old_qty, price=event.old_price)


def evolve(order: OrderState, event: AnyOrderEvent, seq: int) -> OrderState:
    """Fold one event into an order; an execution already known by its id changes nothing but the sequence."""
    if is_known_fill(order, event):
        return replace(order, last_seq=seq)
    status = next_status(order, event)
    resting = status if status not in PENDING else _resting_below(order, event)
    moved = replace(order, status=status, resting=resting, last_seq=seq)
    return _with_facts(moved, event)


def _resting_below(order: OrderState, event: AnyOrderEvent) -> OrderStatus:
    """Follow where the order would stand, had no cancel or replace been asked for."""
    resting = order.resting if order.status in PENDING else order.status
    if isinstance(event, OrderFilled):
        return S.PARTIALLY_FILLED
    below = TRANSITIONS.get(type(event), {}).get(resting, resting)
    return resting if below in PENDING else below


def _with_facts(order: OrderState, event: AnyOrderEvent) -> OrderState:
    match event:
        case OrderFilled() | OrderBusted() | OrderCorrected():
            return _with_executions(order, event)
        case OrderAcknowledged():
            return replace(order, broker_order_id=event.broker_order_id)
        case OrderReplaced():
            return _with_new_terms(order, event)
        case OrderReplaceRejected():
            return replace(order, replacement=None, detail=event.detail)
        case OrderRejected():
            return replace(order, detail=f"{event.code}: {event.message}")
        case OrderCancelRequested() | OrderCancelRejected() | OrderUnknown() | OrderReported():
            return _with_word(order, event)
        case OrderCanceled() | OrderExpired():
            return replace(order, detail=event.cause)
        case _:
            return order


def _with_word(
    order: OrderState, event: OrderCancelRequested | OrderCancelRejected | OrderUnknown | OrderReported
) -> OrderState:
    """Keep what was said, and why the OMS wants the order's end until the broker has refused it."""
    if isinstance(event, OrderCancelRequested):
        return replace(order, ending=event.cause)
    return replace(
        order, detail=event.detail, ending=None if isinstance(event, OrderCancelRejected) else order.ending
    )


def _with_executions(order: OrderState, event: OrderFilled | OrderBusted | OrderCorrected) -> OrderState:
    match event:
        case OrderFilled(fill_id=fill_id, qty=qty, price=price):
            return _with_execution(order, fill_id, Execution(qty=qty, price=price), event.broker_order_id)
        case OrderBusted(fill_id=fill_id):
            return _without_execution(order, fill_id, undone_execution(order, event), event.broker_order_id)
        case OrderCorrected(fill_id=fill_id, new_fill_id=new_fill_id, qty=qty, price=price):
            left = _without_execution(order, fill_id, undone_execution(order, event), event.broker_order_id)
            return _with_execution(left, new_fill_id, Execution(qty=qty, price=price), event.broker_order_id)


def _with_execution(
    order: OrderState, fill_id: FillId, execution: Execution, broker_order_id: str | None = None
) -> OrderState:
    filled = _moved(order, execution.qty, execution.qty * execution.price, broker_order_id)
    return replace(filled, fills=order.fills.set(fill_id, execution))


def _without_execution(
    order: OrderState, fill_id: FillId, execution: Execution, broker_order_id: str | None = None
) -> OrderState:
    """Take an execution back; its id stays known, so that news of it that comes late counts nothing."""
    left = _moved(order, -execution.qty, -execution.qty * execution.price, broker_order_id)
    return replace(left, fills=order.fills.set(fill_id, Execution(qty=ZERO, price=execution.price)))


def _moved(order: OrderState, qty: Decimal, usd: Decimal, broker_order_id: str | None = None) -> OrderState:
    """Move the order's totals, and those of the broker's order that filled."""
    of = broker_order_id or order.broker_order_id
    parts = tuple(
        replace(part, filled_qty=part.filled_qty + qty, filled_usd=part.filled_usd + usd)
        if part.broker_order_id == of
        else part
        for part in order.parts
    )
    return replace(
        order, filled_qty=order.filled_qty + qty, filled_notional_usd=order.filled_notional_usd + usd, parts=parts
    )


def _with_new_terms(order: OrderState, event: OrderReplaced) -> OrderState:
    """Take new terms; the price they were approved at counts only if they are the ones that were approved."""
    ours = order.replacement if order.replacement is not None and order.replacement.terms == event.terms else None
    worst_price = max(order.reserved_price, event.terms.limit_price or ZERO) if ours is None else ours.worst_price
    return replace(
        order,
        broker_order_id=event.broker_order_id,
        terms=event.terms,
        worst_price=worst_price,
        replacement=order.replacement if event.broker_order_id == order.broker_order_id else None,
        parts=_parts_after(order, event),
    )


def _parts_after(order: OrderState, event: OrderReplaced) -> tuple[BrokerPart, ...]:
    """Add the broker's new order to the chain; terms that changed under the same id make no new one."""
    if event.broker_order_id == order.broker_order_id or order.broker_order_id is None:
        return order.parts
    before = order.part(order.broker_order_id)
    carried_usd = before.carried_usd + before.filled_usd if event.carried_qty else ZERO
    added = BrokerPart(broker_order_id=event.broker_order_id, carried_qty=event.carried_qty, carried_usd=carried_usd)
    return (*(order.parts or (before,)), added)
