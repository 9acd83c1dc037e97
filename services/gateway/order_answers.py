"""Orders as answers, and which of them are shown."""

from collections.abc import Iterable
from enum import StrEnum
from operator import attrgetter

from projections.account import AccountState
from projections.order_state import OrderState
from services.gateway.answers import OrderAnswer
from services.gateway.api_keys import ApiKey


class OrdersShown(StrEnum):
    """Which orders a caller wants to see."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


def order_answer(order: OrderState) -> OrderAnswer:
    """Show one order."""
    terms = order.terms
    return OrderAnswer(
        order_id=order.order_id,
        agent=order.agent,
        intent_id=order.intent_id,
        symbol=terms.symbol,
        side=terms.side,
        order_type=terms.order_type,
        qty=terms.qty,
        limit_price=terms.limit_price,
        stop_price=terms.stop_price,
        time_in_force=terms.time_in_force,
        extended_hours=terms.extended_hours,
        status=order.status,
        filled_qty=order.filled_qty,
        filled_avg_price=order.avg_price,
        working_qty=order.working_qty,
        reduces=order.reduces,
        detail=order.detail,
        broker_order_id=order.broker_order_id,
        valid_until=order.valid_until,
        decision_seq=order.decision_seq,
        last_seq=order.last_seq,
    )


def orders_shown(state: AccountState, shown: OrdersShown, limit: int, key: ApiKey) -> tuple[OrderAnswer, ...]:
    """List the orders that a key may see, newest first, at most `limit`."""
    visible = (order for order in _chosen(state, shown) if key.may_see(order.agent))
    newest_first = sorted(visible, key=attrgetter("decision_seq"), reverse=True)
    return tuple(order_answer(order) for order in newest_first[:limit])


def _chosen(state: AccountState, shown: OrdersShown) -> Iterable[OrderState]:
    orders = state.orders.values()
    match shown:
        case OrdersShown.ALL:
            return orders
        case OrdersShown.OPEN:
            return (order for order in orders if not order.is_terminal)
        case OrdersShown.CLOSED:
            return (order for order in orders if order.is_terminal)
