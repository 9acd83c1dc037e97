"""What is assumed of orders that only the other limits would have let through: the broker never saw them."""

from decimal import Decimal

from contracts.broker import AccountObserved
from contracts.decisions import Decision
from contracts.enums import OrderType, Side, TimeInForce
from contracts.ids import FillId, OrderId
from contracts.market import Quote, is_sane
from contracts.orders import AnyOrderEvent, OrderExpired, OrderFilled, OrderTerms
from projections.account import AccountState

ASSUMPTIONS = (
    "An order that both limits approve fills as it did.",
    "An order that only the old limits approved never comes to be: its fills and its end are left out.",
    "An order that only the other limits approve fills whole at once, at the far side of the quote at its decision.",
    "If that quote would not fill it, it never fills: it counts until its exchange day ends, IOC and FOK not at all.",
    "Stop and trailing orders that only the other limits approve never fill.",
    "A mandate that is tried stands for the whole stretch, whatever was granted to its agent, or revoked, meanwhile.",
    "A tried mandate that names no end does not expire, and a lease cancels what it canceled then.",
    "What only the other mandates let wait for a person is never let go: nobody was asked.",
    "Agents state the same intents at the same moments, and the market moves as it did.",
    "The broker's equity moves by the difference in profit, both valued at the last known prices.",
)
_AT_ONCE = frozenset({TimeInForce.IOC, TimeInForce.FOK})


def assumed_events(approved: Decision, state: AccountState) -> tuple[AnyOrderEvent, ...]:
    """Give what happens at once to an order that the broker never saw."""
    order = state.orders.get(OrderId(str(approved.order_id)))
    if order is None or order.is_terminal:
        return ()
    terms, quote = order.terms, approved.evidence.quote
    price = None if quote is None or not is_sane(quote) else _fills_at(terms, quote)
    if price is None:
        return (_expired(approved, order.order_id),) if terms.time_in_force in _AT_ONCE else ()
    fill = OrderFilled(
        epoch=approved.epoch,
        at=approved.at,
        correlation_id=approved.correlation_id,
        order_id=order.order_id,
        fill_id=FillId(f"assumed-{order.order_id}"),
        symbol=terms.symbol,
        side=terms.side,
        qty=order.working_qty,
        price=price,
        cum_qty=order.filled_qty + order.working_qty,
        filled_at=approved.at,
    )
    return (fill,)


def assumed_end(state: AccountState, order_id: OrderId, seen: Decision | AccountObserved) -> AnyOrderEvent | None:
    """End an assumed order that still works when a later exchange day is seen; those good till canceled go on."""
    order, day = state.orders.get(order_id), state.day.trading_day
    if order is None or order.is_terminal or order.terms.time_in_force is TimeInForce.GTC:
        return None
    today = seen.evidence.trading_day if isinstance(seen, Decision) else seen.trading_day
    return _expired(seen, order_id) if day is not None and today > day else None


def _fills_at(terms: OrderTerms, quote: Quote) -> Decimal | None:
    """Give the price at which an order fills at once, none when the quote would not fill it."""
    price = quote.ask_price if terms.side is Side.BUY else quote.bid_price
    match terms.order_type:
        case OrderType.MARKET:
            return price
        case OrderType.LIMIT if terms.limit_price is not None:
            reached = terms.limit_price >= price if terms.side is Side.BUY else terms.limit_price <= price
            return price if reached else None
        case _:
            return None


def _expired(now: Decision | AccountObserved, order_id: OrderId) -> OrderExpired:
    return OrderExpired(epoch=now.epoch, at=now.at, correlation_id=now.correlation_id, order_id=order_id)
