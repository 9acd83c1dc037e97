"""What may still fill of an order, and of exits of which the first to fill cancels the other."""

from decimal import Decimal
from typing import NamedTuple

from immutables import Map

from contracts.ids import OrderId
from contracts.values import ZERO
from projections.order_state import OrderState, group_ids


class Counted(NamedTuple):
    """Working shares, and their value at the worst price (USD)."""

    qty: Decimal
    notional_usd: Decimal


_NOTHING = Counted(ZERO, ZERO)


def counted(known: Map[OrderId, OrderState], order: OrderState) -> Counted:
    """Count what is known under an order's name, or of all its group; of a group only the largest can fill."""
    if order.group_id is None:
        return alone(known.get(order.order_id))
    group = (known.get(order_id) for order_id in group_ids(order.group_id))
    members = [alone(member) for member in group if member is not None and member.group_id == order.group_id]
    return Counted(
        max((member.qty for member in members), default=ZERO),
        max((member.notional_usd for member in members), default=ZERO),
    )


def alone(order: OrderState | None) -> Counted:
    """Count one order that belongs to no group."""
    if order is None:
        return _NOTHING
    qty = order.working_qty
    return Counted(qty, qty * order.reserved_price)
