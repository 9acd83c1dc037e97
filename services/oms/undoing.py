"""Executions that the venue takes back or corrects: what was told of them, and what only the totals show. Pure."""

from decimal import Decimal
from typing import Any

import msgspec

from contracts.ids import FillId
from contracts.orders import OrderBusted, OrderCorrected
from contracts.values import ZERO
from projections.order_state import Execution, OrderState
from services.oms.brokers.port import BrokerOrder, BrokerUpdate
from services.oms.fills import Age, Totals, counted, quotient, shown, text, unused

BUST, CORRECTION = "trade_bust", "trade_correct"
_AVERAGE_STEP_USD = Decimal("0.0001")
"""Averages that differ by less differ by how the broker rounds them."""


class Undone(msgspec.Struct, frozen=True):
    """An event that takes an execution back, and what it says beside what every event says."""

    kind: type[OrderBusted | OrderCorrected]
    facts: dict[str, Any]


def told(order: OrderState, update: BrokerUpdate, age: Age) -> Undone | None:
    """Give what a bust or a correction undoes; one that a newer report has overtaken undoes nothing any more."""
    if age is Age.OLDER or update.event not in {BUST, CORRECTION}:
        return None
    fill_id = FillId(update.previous_execution_id or unused(order, f"{update.event}-{update.order.broker_order_id}"))
    known = order.fills.get(fill_id)
    if known is not None and age is not Age.UNKNOWN and _agrees(order, update.order):
        return None  # a look-up was faster, and it is undone under a derived id
    if update.event == BUST:
        return None if known is not None and not known.qty else _bust(order, update, fill_id, known)
    if update.execution_id and update.execution_id in order.fills:
        return None
    return _correction(order, update, fill_id, known)


def _agrees(order: OrderState, report: BrokerOrder) -> bool:
    """Say whether we count just what a report shows already."""
    ours, theirs = counted(order, report), shown(report)
    return report.has_totals and ours.qty == theirs.qty and abs(ours.usd - theirs.usd) <= _AVERAGE_STEP_USD * ours.qty


def unheard(order: OrderState, report: BrokerOrder, age: Age) -> Undone | None:
    """Give what must have been undone for a look-up to show fewer shares than we count, or another average.

    Only a look-up that is not older than what we heard says so: a message that comes late shows less, too.
    """
    if age not in {Age.NEWER, Age.SAME} or not report.has_totals:
        return None
    ours, theirs = counted(order, report), shown(report)
    if ours.qty > theirs.qty:
        gone = Totals(ours.qty - theirs.qty, ours.usd - theirs.usd)
        fill_id = unused(order, f"bust-{report.broker_order_id}-{text(theirs.qty)}")
        return _busted(
            report, fill_id, Execution(qty=gone.qty, price=quotient(gone.usd, gone.qty)), "shown by totals"
        )
    if ours.qty < theirs.qty or not theirs.qty or report.filled_avg_price is None:
        return None
    price = quotient(ours.usd, ours.qty)
    if abs(price - report.filled_avg_price) <= _AVERAGE_STEP_USD:
        return None
    name = f"{report.broker_order_id}-{text(theirs.qty)}-{text(report.filled_avg_price)}"
    facts = {
        "fill_id": unused(order, f"was-{name}"),
        "old_qty": ours.qty,
        "old_price": price,
        "new_fill_id": unused(order, f"cor-{name}"),
        "qty": theirs.qty,
        "price": report.filled_avg_price,
    }
    return Undone(OrderCorrected, facts | {"detail": "shown by totals", "broker_order_id": report.broker_order_id})


def _bust(order: OrderState, update: BrokerUpdate, fill_id: FillId, known: Execution | None) -> Undone | None:
    if known is None:
        # Never heard under its own id: what the totals lack is what went, and its id must not count later either.
        ours, theirs = counted(order, update.order), shown(update.order)
        gone = max(ours.qty - theirs.qty, ZERO) if update.order.has_totals else ZERO
        price = quotient(ours.usd - theirs.usd, gone) if gone else update.price or ZERO
        if not gone and not update.previous_execution_id:
            return None
        known = Execution(qty=gone, price=price)
    return _busted(update.order, fill_id, known, f"{update.event} {update.execution_id or ''}".strip())


def _busted(report: BrokerOrder, fill_id: FillId, gone: Execution, detail: str) -> Undone:
    facts = {"fill_id": fill_id, "qty": gone.qty, "price": gone.price}
    return Undone(OrderBusted, facts | {"detail": detail, "broker_order_id": report.broker_order_id})


def _correction(order: OrderState, update: BrokerUpdate, fill_id: FillId, known: Execution | None) -> Undone | None:
    qty, price = update.qty, update.price
    if qty is None or qty < 0 or price is None:
        return None
    new_id = unused(order, update.execution_id or f"cor-{fill_id}")
    if known is None:
        ours, theirs = counted(order, update.order), shown(update.order)
        old_qty = max(ours.qty + qty - theirs.qty, ZERO) if update.order.has_totals else ZERO
        old_price = quotient(ours.usd + qty * price - theirs.usd, old_qty) if old_qty else price
        known = Execution(qty=old_qty, price=old_price)
    facts = {"fill_id": fill_id, "old_qty": known.qty, "old_price": known.price, "new_fill_id": new_id}
    said = {"qty": qty, "price": price, "detail": update.event, "broker_order_id": update.order.broker_order_id}
    return Undone(OrderCorrected, facts | said)
