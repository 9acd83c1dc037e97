"""The life of one order: a table of (status, event) pairs, and the fold that follows it.

Status comes from the table, except that a fill's comes from quantities. The fold is total: an event that the
table does not know in a status leaves the status as it is, so no journal ever stops a reader.
"""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace

from contracts.base import Value
from contracts.decisions import Decision
from contracts.enums import Action, OrderStatus, Outcome
from contracts.ids import AgentId, FillId, IntentId, OrderId
from contracts.orders import (
    AnyOrderEvent,
    OrderAcknowledged,
    OrderAdopted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderReported,
    OrderTerms,
    OrderUnknown,
    OrderWorking,
)
from contracts.values import ZERO

S = OrderStatus

TERMINAL = frozenset({S.FILLED, S.CANCELED, S.EXPIRED, S.REJECTED, S.REPLACED})
"""Nothing more is expected here; a late fill is accepted all the same."""
PENDING = frozenset({S.PENDING_CANCEL, S.PENDING_REPLACE})
"""A request of ours is at the broker; the order still works under it."""
_LIVE = tuple(s for s in S if s not in TERMINAL)


def _to(target: OrderStatus, *sources: OrderStatus) -> dict[OrderStatus, OrderStatus]:
    return dict.fromkeys(sources, target)


TRANSITIONS: Mapping[type, Mapping[OrderStatus, OrderStatus]] = {
    OrderAcknowledged: _to(S.ACKED, S.PENDING_SUBMIT, S.UNKNOWN),
    OrderWorking: _to(S.WORKING, S.PENDING_SUBMIT, S.UNKNOWN, S.ACKED, S.HELD, S.SUSPENDED, S.DONE_FOR_DAY),
    OrderUnknown: _to(S.UNKNOWN, S.PENDING_SUBMIT),
    OrderCancelRequested: _to(
        S.PENDING_CANCEL,
        *(s for s in _LIVE if s is not S.PENDING_REPLACE),
        S.PENDING_REPLACE,  # real: a person cancels while a replace hangs
    ),
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


class OrderState(Value, frozen=True, kw_only=True):
    """One order as the journal tells it; `worst_price` is what its reservation was sized at (USD per share)."""

    order_id: OrderId
    agent: AgentId
    intent_id: IntentId | None
    terms: OrderTerms
    worst_price: Decimal
    reduces: bool
    status: OrderStatus
    resting: OrderStatus
    """The status to fall back to when a cancel or replace is refused."""
    decision_seq: int
    valid_until: datetime | None
    last_seq: int = 0
    """Last journal sequence on the order's own subject: what a writer must expect."""
    broker_order_id: str | None = None
    filled_qty: Decimal = ZERO
    filled_notional_usd: Decimal = ZERO
    fill_ids: frozenset[FillId] = frozenset()
    detail: str = ""

    @property
    def is_terminal(self) -> bool:
        """Say whether the order's life is over."""
        return self.status in TERMINAL

    @property
    def working_qty(self) -> Decimal:
        """Give the shares that may still fill."""
        return ZERO if self.is_terminal else max(self.terms.qty - self.filled_qty, ZERO)

    @property
    def avg_price(self) -> Decimal | None:
        """Give the average fill price (USD per share): filled notional ÷ filled quantity."""
        return self.filled_notional_usd / self.filled_qty if self.filled_qty else None


def order_from_decision(decision: Decision, seq: int) -> OrderState | None:
    """Begin an order's life from its approval; other decisions begin none."""
    approved = decision.outcome is Outcome.APPROVED and decision.action is Action.SUBMIT
    if not approved or decision.order_id is None or decision.terms is None or decision.reservation is None:
        return None
    return OrderState(
        order_id=decision.order_id,
        agent=decision.agent,
        intent_id=decision.intent_id,
        terms=decision.terms,
        worst_price=decision.reservation.price_usd,
        reduces=decision.reservation.reduces,
        status=S.PENDING_SUBMIT,
        resting=S.PENDING_SUBMIT,
        decision_seq=seq,
        valid_until=decision.valid_until,
    )


def order_from_adoption(event: OrderAdopted, seq: int) -> OrderState:
    """Begin the life of an order that we did not send; market orders are sized at zero until they fill."""
    return OrderState(
        order_id=event.order_id,
        agent=event.agent,
        intent_id=None,
        terms=event.terms,
        worst_price=event.terms.limit_price or event.terms.stop_price or ZERO,
        reduces=False,
        status=S.WORKING,
        resting=S.WORKING,
        decision_seq=seq,
        valid_until=None,
        last_seq=seq,
        broker_order_id=event.broker_order_id,
    )


def next_status(order: OrderState, event: AnyOrderEvent) -> OrderStatus:
    """Look up where an event moves an order; the same status means that it moves nothing."""
    match event:
        case OrderFilled():
            return _status_after_fill(order, order.filled_qty + event.qty)
        case OrderCancelRejected():
            return order.resting if order.status in PENDING else order.status
        case OrderReplaced():
            return _status_after_replacement(order, event.terms.qty)
        case _:
            return TRANSITIONS.get(type(event), {}).get(order.status, order.status)


def _status_after_fill(order: OrderState, filled_qty: Decimal) -> OrderStatus:
    if filled_qty >= order.terms.qty:
        return S.FILLED
    if order.is_terminal or order.status in PENDING:
        return order.status  # a late fill does not reopen an order; a pending request stays pending
    return S.PARTIALLY_FILLED if filled_qty else order.status


def _status_after_replacement(order: OrderState, qty: Decimal) -> OrderStatus:
    if order.is_terminal and order.status is not S.FILLED:
        return order.status  # the news came late: what ended does not live again
    if order.filled_qty >= qty:
        return S.FILLED
    return S.PARTIALLY_FILLED if order.filled_qty else S.WORKING


def evolve(order: OrderState, event: AnyOrderEvent, seq: int) -> OrderState:
    """Fold one event into an order; a fill already known by its id changes nothing but the sequence."""
    if isinstance(event, OrderFilled) and event.fill_id in order.fill_ids:
        return replace(order, last_seq=seq)
    status = next_status(order, event)
    resting = status if status not in PENDING else _resting_below(order.resting, event)
    moved = replace(order, status=status, resting=resting, last_seq=seq)
    return _with_facts(moved, event)


def _resting_below(resting: OrderStatus, event: AnyOrderEvent) -> OrderStatus:
    """Follow where the order would stand, had no cancel or replace been asked for."""
    if isinstance(event, OrderFilled):
        return S.PARTIALLY_FILLED
    below = TRANSITIONS.get(type(event), {}).get(resting, resting)
    return resting if below in PENDING else below


def _with_facts(order: OrderState, event: AnyOrderEvent) -> OrderState:
    match event:
        case OrderFilled():
            return replace(
                order,
                filled_qty=order.filled_qty + event.qty,
                filled_notional_usd=order.filled_notional_usd + event.qty * event.price,
                fill_ids=order.fill_ids | {event.fill_id},
            )
        case OrderAcknowledged():
            return replace(order, broker_order_id=event.broker_order_id)
        case OrderReplaced():
            worst_price = max(order.worst_price, event.terms.limit_price or ZERO)
            return replace(order, broker_order_id=event.broker_order_id, terms=event.terms, worst_price=worst_price)
        case OrderRejected():
            return replace(order, detail=f"{event.code}: {event.message}")
        case OrderCancelRejected() | OrderUnknown() | OrderReported():
            return replace(order, detail=event.detail)
        case OrderCanceled() | OrderExpired():
            return replace(order, detail=event.cause)
        case OrderWorking() | OrderCancelRequested() | OrderAdopted():
            return order
