"""Whose order it is: agents act on their own, the operator on everybody's."""

from contracts.ids import OPERATOR, OrderId
from contracts.reasons import DenialCode, Reason
from projections.account import AccountState
from projections.order_state import OrderState
from services.risk.answer import SHOWN_CHARS, Stated


def order_of(state: AccountState, stated: Stated, order_id: OrderId) -> OrderState | Reason:
    """Find the order that an intent names, if whoever stated it may act on it."""
    order = state.orders.get(order_id)
    if order is None:
        message = f"there is no order {order_id[:SHOWN_CHARS]!r} in this account today"
        return Reason(code=DenialCode.ORDER_NOT_FOUND, message=message)
    if not may_act_on(stated, order):
        message = f"order {order.order_id} belongs to {order.agent}: agents act on their own orders"
        return Reason(code=DenialCode.NOT_YOUR_ORDER, message=message)
    return order


def may_act_on(stated: Stated, order: OrderState) -> bool:
    """Say whether whoever stated an intent may act on an order."""
    return stated.agent in {order.agent, OPERATOR}
