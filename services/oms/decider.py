"""What happened at the broker, as events of one order: pure, and the only place where order events are made.

Events of status are written only when the one transition table moves the order by them, so a repeated, late or
reordered report adds nothing. Fills come first, then the status that follows from them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, assert_never

import msgspec

from contracts.enums import EndCause, OrderStatus
from contracts.ids import AgentId
from contracts.orders import (
    AnyOrderEvent,
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReported,
    OrderUnknown,
    OrderWorking,
)
from contracts.reasons import RejectionCode
from projections.order_state import OrderState
from projections.orders import evolve, next_status
from services.oms import fills
from services.oms.brokers.port import (
    Accepted,
    Ambiguous,
    BrokerOrder,
    BrokerUpdate,
    NotSent,
    RateLimited,
    Rejected,
    SubmitOutcome,
)
from services.oms.fills import Execution


class Stamp(msgspec.Struct, frozen=True):
    """Who writes, and when."""

    epoch: int
    at: datetime


class SubmitAnswered(msgspec.Struct, frozen=True):
    """Our submit came to an outcome."""

    outcome: SubmitOutcome


class Reported(msgspec.Struct, frozen=True):
    """The broker was asked and showed the order."""

    order: BrokerOrder


class Updated(msgspec.Struct, frozen=True):
    """The broker pushed a step."""

    update: BrokerUpdate


class Blocked(msgspec.Struct, frozen=True):
    """The order may not be sent any more."""

    cause: EndCause


class NeverArrived(msgspec.Struct, frozen=True):
    """The broker was asked often enough and does not have the order."""


class CancelAsked(msgspec.Struct, frozen=True):
    """The broker took our request to cancel."""

    requested_by: AgentId


class CancelFailed(msgspec.Struct, frozen=True):
    """The broker will not cancel, or has forgotten that we asked."""

    detail: str


type Command = SubmitAnswered | Reported | Updated | Blocked | NeverArrived | CancelAsked | CancelFailed

_ENDS: Mapping[str, type[OrderCanceled | OrderExpired]] = {
    "canceled": OrderCanceled,
    "expired": OrderExpired,
    "replaced": OrderCanceled,  # somebody else replaced it: this order ends, its successor is adopted as foreign
}
_WORKING = frozenset({"new", "partially_filled"})
_TOLD_BY_STATUS = frozenset(
    {"accepted", "pending_new", "new", "partial_fill", "fill", "canceled", "expired", "rejected", "pending_cancel"}
)
"""Events that say no more than the order's own status and quantities do."""
_UNCONFIRMED = frozenset({OrderStatus.PENDING_SUBMIT, OrderStatus.UNKNOWN})


class _Draft:
    """Events written one after the other, each on the state that those before it left."""

    def __init__(self, order: OrderState, stamp: Stamp) -> None:
        self.order = order
        self.at = stamp.at
        self.events: list[AnyOrderEvent] = []
        self._common: dict[str, Any] = {
            "order_id": order.order_id,
            "epoch": stamp.epoch,
            "at": stamp.at,
            "correlation_id": order.intent_id,
            "causation_seq": order.decision_seq,
        }

    def write(self, kind: type[AnyOrderEvent], **facts: Any) -> None:
        event: AnyOrderEvent = kind(**self._common, **facts)
        self.order = evolve(self.order, event, self.order.last_seq)
        self.events.append(event)

    def write_unless_ended(self, kind: type[AnyOrderEvent], **facts: Any) -> None:
        """Write the event while the order's life goes on."""
        if not self.order.is_terminal:
            self.write(kind, **facts)

    def move(self, kind: type[AnyOrderEvent], **facts: Any) -> None:
        """Write the event only when the table moves the order by it."""
        event: AnyOrderEvent = kind(**self._common, **facts)
        if next_status(self.order, event) is not self.order.status:
            self.write(kind, **facts)


def decide(order: OrderState, command: Command, stamp: Stamp) -> list[AnyOrderEvent]:
    """Give the events that a command causes; none when it says nothing new."""
    draft = _Draft(order, stamp)
    match command:
        case SubmitAnswered(outcome=outcome):
            _after_submit(draft, outcome)
        case Reported(order=report):
            _follow(draft, report, fills.missing(order, report), at=report.filled_at)
        case Updated(update=update):
            _after_update(draft, update)
        case Blocked(cause=cause):
            _block(draft, cause)
        case NeverArrived():
            _give_up(draft)
        case CancelAsked(requested_by=agent):
            draft.write_unless_ended(OrderCancelRequested, requested_by=agent)
        case CancelFailed(detail=detail):
            draft.write_unless_ended(OrderCancelRejected, detail=detail)
        case _:
            assert_never(command)
    return draft.events


def _give_up(draft: _Draft) -> None:
    """End an order that the broker does not have; one of which it has spoken is not ours to end."""
    if draft.order.status in _UNCONFIRMED:
        draft.move(OrderExpired, cause=EndCause.NEVER_ARRIVED)


def _after_submit(draft: _Draft, outcome: SubmitOutcome) -> None:
    match outcome:
        case Accepted(order=report):
            _follow(draft, report, fills.missing(draft.order, report), at=report.filled_at)
        case Rejected(code=code, broker_code=broker_code, message=message):
            # Somebody's word that the broker has it, a socket's or a look-up's, is stronger than a refusal.
            if draft.order.status in _UNCONFIRMED:
                draft.move(OrderRejected, code=code, broker_code=broker_code, message=message)
        case Ambiguous(detail=detail):
            draft.move(OrderUnknown, detail=detail)
        case RateLimited() | NotSent():
            pass  # nothing reached the book; the sender tries again while the decision is valid
        case _:
            assert_never(outcome)


def _after_update(draft: _Draft, update: BrokerUpdate) -> None:
    _follow(draft, update.order, fills.executed(draft.order, update), at=update.at, reason=update.reason)
    if update.event == "order_cancel_rejected":
        if draft.order.status is OrderStatus.PENDING_CANCEL:
            draft.write(OrderCancelRejected, detail=update.reason or update.event)
    elif update.event not in _TOLD_BY_STATUS:
        draft.write(
            OrderReported,
            broker_event=update.event,
            broker_status=update.order.status,
            detail=update.reason or "",
        )


def _follow(
    draft: _Draft,
    report: BrokerOrder,
    executions: tuple[Execution, ...],
    *,
    at: datetime | None,
    reason: str | None = None,
) -> None:
    """Bring an order to where a report shows it: known, filled, and only then in its status."""
    if draft.order.broker_order_id is None:
        draft.write(OrderAcknowledged, broker_order_id=report.broker_order_id, broker_status=report.status)
    else:
        draft.move(OrderAcknowledged, broker_order_id=report.broker_order_id, broker_status=report.status)
    for execution in executions:
        _fill(draft, execution, at)
    if report.status in _WORKING:
        draft.move(OrderWorking, broker_status=report.status)
    elif report.status == "rejected":
        code = RejectionCode.BROKER_DECISION
        draft.move(OrderRejected, code=code, broker_code=report.status, message=reason or "")
    elif (end := _ENDS.get(report.status)) is not None:
        draft.move(end)


def _fill(draft: _Draft, execution: Execution, at: datetime | None) -> None:
    order = draft.order
    draft.write(
        OrderFilled,
        fill_id=execution.fill_id,
        symbol=order.terms.symbol,
        side=order.terms.side,
        qty=execution.qty,
        price=execution.price,
        cum_qty=execution.cum_qty,
        filled_at=at or draft.at,
        recovered=execution.recovered,
    )


def _block(draft: _Draft, cause: EndCause) -> None:
    """End an order that was never sent; one that may have been sent is not ours to end."""
    if draft.order.status is not OrderStatus.PENDING_SUBMIT:
        return
    draft.move(OrderCanceled if cause is EndCause.KILL_SWITCH else OrderExpired, cause=cause)
