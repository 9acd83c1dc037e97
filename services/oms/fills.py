"""Which executions a report adds to what we have counted already.

After each report our quantity for that order of the broker's is at least the report's. So a later message about the
same shares finds nothing to add, however often, late or out of order it comes; and shares whose own message was lost
are recovered under an id derived from the cumulative quantity, at the price that makes our average the broker's.

Totals only ever grow, until an execution is undone. From then on a report counts only if it is not older than the
newest one heard: an older one still shows what is gone.
"""

from decimal import Decimal
from enum import StrEnum

import msgspec

from contracts.ids import FillId
from contracts.values import ZERO
from projections.order_state import OrderState
from services.oms.brokers.port import BrokerOrder, BrokerUpdate

_NANO = Decimal("0.000000001")


class Age(StrEnum):
    """How a report stands to the newest one heard of the same order, by the broker's own stamps."""

    NEWER = "newer"
    SAME = "same"
    OLDER = "older"
    UNKNOWN = "unknown"


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that count from now on, at their price (USD per share); `cum_qty` is the order's total with them."""

    fill_id: FillId
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    recovered: bool


class Totals(msgspec.Struct, frozen=True):
    """Shares and their value in USD."""

    qty: Decimal
    usd: Decimal


def is_of(order: OrderState, report: BrokerOrder) -> bool:
    """Say whether a report is of one of the broker's orders that we know to be this order."""
    if order.broker_order_id is None:
        return report.client_order_id == order.order_id
    return report.broker_order_id in broker_ids(order)


def broker_ids(order: OrderState) -> tuple[str, ...]:
    """Name the broker's orders that this order has been, oldest first."""
    if order.parts:
        return tuple(part.broker_order_id for part in order.parts)
    return () if order.broker_order_id is None else (order.broker_order_id,)


def counted(order: OrderState, report: BrokerOrder) -> Totals:
    """Give what we count of the totals that a report shows: what was carried into them, and what filled since."""
    part = order.part(report.broker_order_id)
    return Totals(part.carried_qty + part.filled_qty, part.carried_usd + part.filled_usd)


def shown(report: BrokerOrder) -> Totals:
    """Give the totals of a report; its value is the average times the quantity."""
    return Totals(report.filled_qty, (report.filled_avg_price or ZERO) * report.filled_qty)


def has_undone(order: OrderState) -> bool:
    """Say whether an execution of this order no longer counts."""
    return any(not execution.qty for execution in order.fills.values())


def missing(order: OrderState, report: BrokerOrder, age: Age = Age.UNKNOWN) -> tuple[Execution, ...]:
    """Give what the broker's totals have more than ours; nothing when they name no average price."""
    gap = report.filled_qty - counted(order, report).qty
    has_average = report.filled_avg_price is not None or not report.filled_qty
    if gap <= 0 or not has_average or not _is_trusted(order, age):
        return ()
    return (_recovered(order, report, gap),)


def executed(order: OrderState, update: BrokerUpdate, age: Age = Age.UNKNOWN) -> tuple[Execution, ...]:
    """Give what an update adds: its own execution, and before it whatever it shows that we never heard of."""
    report = update.order
    gap = report.filled_qty - counted(order, report).qty
    if gap <= 0 or not _is_trusted(order, age):
        return ()
    qty, price, fill_id = update.qty, update.price, _fill_id(update)
    if not qty or qty < 0 or not price or price < 0 or fill_id in order.fills:
        return missing(order, report, age)
    if gap < qty:
        # Some of it was recovered before its own message came, or the quantity is given in cumulative form.
        return missing(order, report, age)
    if gap == qty and _is_cumulative(order, update, price):
        return missing(order, report, age)
    own = Execution(fill_id=fill_id, qty=qty, price=price, cum_qty=order.filled_qty + gap, recovered=False)
    return (own,) if gap == qty else (*_before(order, report, own, gap - qty), own)


def _is_cumulative(order: OrderState, update: BrokerUpdate, price: Decimal) -> bool:
    """Say whether a quantity that fits is the total, of shares that went at another price too.

    Then the average contradicts the price, by more than the last of its decimals (two at least) can hide.
    """
    report, average = update.order, update.order.filled_avg_price
    exponent = None if average is None else average.as_tuple().exponent
    if update.qty != report.filled_qty or average is None or not isinstance(exponent, int):
        return False
    gap_usd = average * report.filled_qty - counted(order, report).usd - report.filled_qty * price
    return abs(gap_usd) > report.filled_qty.scaleb(min(exponent, -2))


def is_behind(order: OrderState, report: BrokerOrder) -> bool:
    """Say whether a report shows shares that we could not count: somebody must look closer."""
    return report.filled_qty > counted(order, report).qty


def is_doubtful(update: BrokerUpdate) -> bool:
    """Say whether an update tells of an execution that its own order does not show: the order must be looked up."""
    return update.qty is not None and update.order.filled_qty < update.qty


def unused(order: OrderState, fill_id: str) -> FillId:
    """Make a derived id new to this order: after an execution was undone the same totals can come again."""
    found, number = FillId(fill_id), 1
    while found in order.fills:
        number += 1
        found = FillId(f"{fill_id}-{number}")
    return found


def text(number: Decimal) -> str:
    """Write a quantity the one way that equal quantities share, whatever zeros the broker wrote behind them."""
    return format(number.normalize(), "f")


def quotient(value: Decimal, qty: Decimal) -> Decimal:
    """Divide a value by a quantity, to nine decimals (USD per share)."""
    return (value / qty).quantize(_NANO).normalize()


def _is_trusted(order: OrderState, age: Age) -> bool:
    return age in {Age.NEWER, Age.SAME} or not has_undone(order)


def _before(order: OrderState, report: BrokerOrder, own: Execution, qty: Decimal) -> tuple[Execution, ...]:
    """Recover what was executed before an execution that came first."""
    average = report.filled_avg_price or own.price
    value = average * report.filled_qty - own.qty * own.price - counted(order, report).usd
    return (_execution(order, report, qty, report.filled_qty - own.qty, _price(value, qty, average)),)


def _recovered(order: OrderState, report: BrokerOrder, qty: Decimal) -> Execution:
    average = report.filled_avg_price or ZERO
    value = average * report.filled_qty - counted(order, report).usd
    return _execution(order, report, qty, report.filled_qty, _price(value, qty, average))


def _execution(order: OrderState, report: BrokerOrder, qty: Decimal, total: Decimal, price: Decimal) -> Execution:
    fill_id = unused(order, f"rec-{report.broker_order_id}-{text(total)}")
    return Execution(fill_id=fill_id, qty=qty, price=price, cum_qty=order.filled_qty + qty, recovered=True)


def _price(value: Decimal, qty: Decimal, average: Decimal) -> Decimal:
    """Divide; totals that would give no price (a corrected trade) fall back to the average."""
    price = quotient(value, qty)
    return price if price > 0 else average


def _fill_id(update: BrokerUpdate) -> FillId:
    if update.execution_id:
        return FillId(update.execution_id)
    return FillId(f"cum-{update.order.broker_order_id}-{text(update.order.filled_qty)}")
