"""Orders as answers, and which of them are shown."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from operator import attrgetter

from contracts.enums import LegRole, OrderClass
from contracts.ids import OrderId, leg_id_for
from projections.account import AccountState
from projections.order_state import OrderState
from services.gateway.answers import LegAnswer, OrderAnswer, ReplacementAnswer
from services.gateway.api_keys import ApiKey


class OrdersShown(StrEnum):
    """Which orders a caller wants to see."""

    OPEN = "open"
    CLOSED = "closed"
    ALL = "all"


def order_answer(order: OrderState, orders: Mapping[OrderId, OrderState]) -> OrderAnswer:
    """Show one order, and the exits among all orders that it brought."""
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
        notional_usd=terms.notional_usd,
        trail_price=terms.trail_price,
        trail_percent=terms.trail_percent,
        time_in_force=terms.time_in_force,
        extended_hours=terms.extended_hours,
        order_class=terms.order_class,
        take_profit=terms.take_profit,
        stop_loss=terms.stop_loss,
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
        group_id=order.group_id,
        role=order.role,
        legs=_legs(order, orders),
        replacement=_replacement(order),
    )


def _legs(order: OrderState, orders: Mapping[OrderId, OrderState]) -> tuple[LegAnswer, ...]:
    if order.terms.order_class is OrderClass.SIMPLE:
        return ()
    named = (orders.get(leg_id_for(order.order_id, role)) for role in LegRole)
    return tuple(
        LegAnswer(
            order_id=leg.order_id,
            role=leg.role,
            status=leg.status,
            order_type=leg.terms.order_type,
            qty=leg.terms.qty,
            filled_qty=leg.filled_qty,
            limit_price=leg.terms.limit_price,
            stop_price=leg.terms.stop_price,
        )
        for leg in named
        if leg is not None
    )


def _replacement(order: OrderState) -> ReplacementAnswer | None:
    asked = order.replacement
    if asked is None:
        return None
    return ReplacementAnswer(
        terms=asked.terms,
        requested_by=asked.requested_by,
        decision_seq=asked.decision_seq,
        valid_until=asked.valid_until,
    )


def orders_shown(state: AccountState, shown: OrdersShown, limit: int, key: ApiKey) -> tuple[OrderAnswer, ...]:
    """List the orders that a key may see, newest first, at most `limit`."""
    visible = (order for order in _chosen(state, shown) if key.may_see(order.agent))
    newest_first = sorted(visible, key=attrgetter("decision_seq"), reverse=True)
    return tuple(order_answer(order, state.orders) for order in newest_first[:limit])


def _chosen(state: AccountState, shown: OrdersShown) -> Iterable[OrderState]:
    orders = state.orders.values()
    match shown:
        case OrdersShown.ALL:
            return orders
        case OrdersShown.OPEN:
            return (order for order in orders if not order.is_terminal)
        case OrdersShown.CLOSED:
            return (order for order in orders if order.is_terminal)
