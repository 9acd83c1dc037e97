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
    OrderCompleted,
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
from contracts.reasons import RejectionCode
from projections.order_state import OrderState
from projections.orders import evolve, next_status
from services.oms import fills, succession, undoing
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
from services.oms.fills import Age, Execution


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
    age: Age = Age.UNKNOWN


class Updated(msgspec.Struct, frozen=True):
    """The broker pushed a step."""

    update: BrokerUpdate
    age: Age = Age.UNKNOWN


class Succeeded(msgspec.Struct, frozen=True):
    """The broker was asked, and shows this order in the place of the old one, all of whose fills are counted."""

    order: BrokerOrder
    old: BrokerOrder | None = None


class Blocked(msgspec.Struct, frozen=True):
    """The order may not be sent any more."""

    cause: EndCause


class NeverArrived(msgspec.Struct, frozen=True):
    """The broker was asked often enough and does not have the order."""


class CancelAsked(msgspec.Struct, frozen=True):
    """The broker took our request to cancel; `cause` says why, where no agent and no person asked."""

    requested_by: AgentId
    cause: EndCause | None = None


class CancelFailed(msgspec.Struct, frozen=True):
    """The broker will not cancel, or has forgotten that we asked."""

    detail: str


class ReplaceAsked(msgspec.Struct, frozen=True):
    """We are about to ask the broker for the new terms that were approved."""


class ReplaceFailed(msgspec.Struct, frozen=True):
    """The new terms will not be: they may not be asked for any more, or the broker will not have them."""

    detail: str


type Command = (
    SubmitAnswered
    | Reported
    | Updated
    | Succeeded
    | Blocked
    | NeverArrived
    | CancelAsked
    | CancelFailed
    | ReplaceAsked
    | ReplaceFailed
)

_STATUSES: Mapping[str, type[AnyOrderEvent]] = {
    "new": OrderWorking,
    "partially_filled": OrderWorking,
    "held": OrderHeld,
    "suspended": OrderSuspended,
    "stopped": OrderSuspended,
    "done_for_day": OrderDoneForDay,
    "calculated": OrderDoneForDay,
}
"""Statuses in which the order stands, and the event that says so."""
_ENDS: Mapping[str, type[OrderCanceled | OrderExpired]] = {"canceled": OrderCanceled, "expired": OrderExpired}
_SILENT = frozenset(
    {
        "",
        "accepted",
        "pending_new",
        "accepted_for_bidding",
        "pending_review",
        "pending_cancel",
        "pending_replace",
        "replaced",  # what took its place is looked up
    }
)
"""Statuses that say no more than that the broker has the order, or that a request is under way."""
_TOLD_BY_ORDER = frozenset(
    {
        "accepted",
        "pending_new",
        "new",
        "partial_fill",
        "fill",
        "canceled",
        "expired",
        "rejected",
        "pending_cancel",
        "pending_replace",
        "replaced",
        "order_replace_rejected",  # whose replacement it was is looked up
    }
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


def decide(order: OrderState, command: Command, stamp: Stamp) -> list[AnyOrderEvent]:  # noqa: C901 - a flat table
    """Give the events that a command causes; none when it says nothing new."""
    draft = _Draft(order, stamp)
    match command:
        case SubmitAnswered(outcome=outcome):
            _after_submit(draft, outcome)
        case Reported(order=report, age=age):
            _after_look_up(draft, report, age)
        case Updated(update=update, age=age):
            _after_update(draft, update, age)
        case Succeeded(order=report, old=old):
            _succeed(draft, report, old)
        case Blocked(cause=cause):
            _block(draft, cause)
        case NeverArrived():
            _give_up(draft)
        case CancelAsked():
            _ask_cancel(draft, command)
        case CancelFailed(detail=detail):
            draft.write_unless_ended(OrderCancelRejected, detail=detail)
        case ReplaceAsked():
            _ask_replace(draft)
        case ReplaceFailed(detail=detail):
            if draft.order.replacement is not None or draft.order.status is OrderStatus.PENDING_REPLACE:
                draft.write(OrderReplaceRejected, detail=detail)
        case _:
            assert_never(command)
    return draft.events


def _ask_cancel(draft: _Draft, asked: CancelAsked) -> None:
    if asked.cause is None or draft.order.ending is not asked.cause:  # said once, though asked and then answered
        draft.write_unless_ended(OrderCancelRequested, requested_by=asked.requested_by, cause=asked.cause)


def _ask_replace(draft: _Draft) -> None:
    wanted = draft.order.replacement
    if wanted is None or draft.order.is_terminal:
        return
    draft.write(OrderReplaceRequested, requested_by=wanted.requested_by, decision_seq=wanted.decision_seq)


def _give_up(draft: _Draft) -> None:
    """End an order that the broker does not have; one of which it has spoken is not ours to end."""
    if draft.order.status in _UNCONFIRMED:
        draft.move(OrderExpired, cause=EndCause.NEVER_ARRIVED)


def _after_submit(draft: _Draft, outcome: SubmitOutcome) -> None:
    match outcome:
        case Accepted(order=report):
            _follow(draft, report, fills.missing(draft.order, report))
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


def _after_look_up(draft: _Draft, report: BrokerOrder, age: Age) -> None:
    if not fills.is_of(draft.order, report):
        return  # whether it has taken our order's place is found out first
    if (undone := undoing.unheard(draft.order, report, age)) is not None:
        draft.write(undone.kind, **undone.facts)
    if age in {Age.NEWER, Age.SAME}:
        _restate(draft, report)
    _follow(draft, report, fills.missing(draft.order, report, age))


def _after_update(draft: _Draft, update: BrokerUpdate, age: Age) -> None:
    report = update.order
    if not fills.is_of(draft.order, report):
        return  # likewise
    if (undone := undoing.told(draft.order, update, age)) is not None:
        draft.write(undone.kind, **undone.facts)
    if update.event == "restated" and age is not Age.OLDER:
        _restate(draft, report)
    is_told = bool(draft.events) or update.event in _TOLD_BY_ORDER or update.event == report.status
    _follow(draft, report, fills.executed(draft.order, update, age), at=update.at, reason=update.reason)
    if update.event == "order_cancel_rejected":
        if draft.order.status is OrderStatus.PENDING_CANCEL:
            draft.write(OrderCancelRejected, detail=update.reason or update.event)
    elif not is_told:
        facts = {"broker_event": update.event, "broker_status": report.status, "detail": update.reason or ""}
        draft.write(OrderReported, **facts)


def _succeed(draft: _Draft, report: BrokerOrder, old: BrokerOrder | None) -> None:
    """Go on as the broker's new order; news of one that we know already is news of the order."""
    if not fills.is_of(draft.order, report):
        new = succession.succeeded(draft.order, report, old)
        draft.write(
            OrderReplaced, broker_order_id=report.broker_order_id, terms=new.terms, carried_qty=new.carried_qty
        )
    _follow(draft, report, fills.missing(draft.order, report))


def _restate(draft: _Draft, report: BrokerOrder) -> None:
    """Take the terms that the broker shows for its present order under the id that we know."""
    order = draft.order
    known = order.broker_order_id == report.broker_order_id
    if known and not order.is_terminal and succession.is_restated(order, report):
        terms = succession.restated(order, report)
        draft.write(OrderReplaced, broker_order_id=report.broker_order_id, terms=terms)


def _follow(
    draft: _Draft,
    report: BrokerOrder,
    executions: tuple[Execution, ...],
    *,
    at: datetime | None = None,
    reason: str | None = None,
) -> None:
    """Bring an order to where a report shows it: known, filled, and only then in its status."""
    if draft.order.broker_order_id is None:
        draft.write(OrderAcknowledged, broker_order_id=report.broker_order_id, broker_status=report.status)
    else:
        draft.move(OrderAcknowledged, broker_order_id=report.broker_order_id, broker_status=report.status)
    for execution in executions:
        _fill(draft, execution, report, at or report.filled_at)
    if draft.order.broker_order_id == report.broker_order_id:  # what was replaced has no status of ours any more
        _take_status(draft, report, reason)


def _take_status(draft: _Draft, report: BrokerOrder, reason: str | None) -> None:
    status = report.status
    if (standing := _STATUSES.get(status)) is not None:
        draft.move(standing, broker_status=status)
    elif (end := _ENDS.get(status)) is not None:
        draft.move(end, cause=draft.order.ending or EndCause.BROKER)
    elif status == "rejected":
        draft.move(OrderRejected, code=RejectionCode.BROKER_DECISION, broker_code=status, message=reason or "")
    elif status == "filled":
        if report.has_totals and not fills.is_behind(draft.order, report):
            draft.move(OrderCompleted, cum_qty=draft.order.filled_qty)
    elif status not in _SILENT:
        detail = f"unknown status {status}"
        if draft.order.detail != detail:
            draft.write(OrderReported, broker_event="status", broker_status=status, detail=detail)


def _fill(draft: _Draft, execution: Execution, report: BrokerOrder, at: datetime | None) -> None:
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
        broker_order_id=report.broker_order_id if order.parts else None,
    )


def _block(draft: _Draft, cause: EndCause) -> None:
    """End an order that was never sent; one that may have been sent is not ours to end."""
    if draft.order.status is not OrderStatus.PENDING_SUBMIT:
        return
    draft.move(OrderCanceled if cause is EndCause.KILL_SWITCH else OrderExpired, cause=cause)
