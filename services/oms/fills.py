"""Which executions a report adds to what we have counted already.

After each report our cumulative quantity is at least the report's. So a later message about the same shares finds
nothing to add, however often, late or out of order it comes; and shares whose own message was lost are recovered
under an id derived from the cumulative quantity, at the price that makes our average the broker's.
"""

from decimal import Decimal

import msgspec

from contracts.ids import FillId
from contracts.values import ZERO
from projections.order_state import OrderState
from services.oms.brokers.port import BrokerOrder, BrokerUpdate

_NANO = Decimal("0.000000001")


class Execution(msgspec.Struct, frozen=True, kw_only=True):
    """Shares that count from now on, at their price (USD per share); `cum_qty` is the order's total with them."""

    fill_id: FillId
    qty: Decimal
    price: Decimal
    cum_qty: Decimal
    recovered: bool


def missing(order: OrderState, report: BrokerOrder) -> tuple[Execution, ...]:
    """Give what the broker's totals have more than ours; nothing when they name no average price."""
    gap = report.filled_qty - order.filled_qty
    if gap <= 0 or report.filled_avg_price is None:
        return ()
    return (_recovered(order, report, gap, report.filled_qty),)


def executed(order: OrderState, update: BrokerUpdate) -> tuple[Execution, ...]:
    """Give what an update adds: its own execution, and before it whatever it shows that we never heard of."""
    report = update.order
    gap = report.filled_qty - order.filled_qty
    if gap <= 0:
        return ()
    qty, price, fill_id = update.qty, update.price, _fill_id(update)
    if not qty or qty < 0 or not price or price < 0 or fill_id in order.fills:
        return missing(order, report)
    if gap < qty:
        # Some of it was recovered before its own message came, or the quantity is given in cumulative form.
        return missing(order, report)
    own = Execution(fill_id=fill_id, qty=qty, price=price, cum_qty=report.filled_qty, recovered=False)
    return (own,) if gap == qty else (*_before(order, report, own), own)


def is_doubtful(update: BrokerUpdate) -> bool:
    """Say whether an update tells of an execution that its own order does not show: the order must be looked up."""
    return update.qty is not None and update.order.filled_qty < update.qty


def _before(order: OrderState, report: BrokerOrder, own: Execution) -> tuple[Execution, ...]:
    """Recover what was executed before an execution that came first."""
    cum_qty = report.filled_qty - own.qty
    qty = cum_qty - order.filled_qty
    average = report.filled_avg_price or own.price
    value = average * report.filled_qty - own.qty * own.price - order.filled_notional_usd
    return (_execution(report, qty, cum_qty, _price(value, qty, average)),)


def _recovered(order: OrderState, report: BrokerOrder, qty: Decimal, cum_qty: Decimal) -> Execution:
    average = report.filled_avg_price or ZERO
    value = average * report.filled_qty - order.filled_notional_usd
    return _execution(report, qty, cum_qty, _price(value, qty, average))


def _execution(report: BrokerOrder, qty: Decimal, cum_qty: Decimal, price: Decimal) -> Execution:
    fill_id = FillId(f"rec-{report.broker_order_id}-{_text(cum_qty)}")
    return Execution(fill_id=fill_id, qty=qty, price=price, cum_qty=cum_qty, recovered=True)


def _price(value: Decimal, qty: Decimal, average: Decimal) -> Decimal:
    """Divide to nine decimals; totals that would give no price (a corrected trade) fall back to the average."""
    price = (value / qty).quantize(_NANO).normalize()
    return price if price > 0 else average


def _fill_id(update: BrokerUpdate) -> FillId:
    if update.execution_id:
        return FillId(update.execution_id)
    return FillId(f"cum-{update.order.broker_order_id}-{_text(update.order.filled_qty)}")


def _text(number: Decimal) -> str:
    """Write a quantity the one way that equal quantities share, whatever zeros the broker wrote behind them."""
    return format(number.normalize(), "f")
