"""Terms of every kind of order, for machines that state them."""

from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.enums import LegRole, OrderClass, OrderType, Side
from contracts.orders import OrderTerms

CENT = Decimal("0.01")


def terms_of(kind: str, side: str, price: Decimal) -> dict[str, Any]:
    """Fields of an order of one kind, its prices around a price."""
    away = 1 if side == "buy" else -1
    near, far = str(price + 3 * away), str(price - 3 * away)
    take, stop = {"take_profit": {"limit_price": near}}, {"stop_loss": {"stop_price": far}}
    left = {"take_profit": {"limit_price": far}, "stop_loss": {"stop_price": near}}
    market: dict[str, Any] = {"order_type": "market", "limit_price": None}
    limit: dict[str, Any] = {"limit_price": str(price)}
    return {
        "market": market,
        "limit": limit,
        "amount": market | {"qty": None, "notional_usd": str(price * 3)},
        "stop": market | {"order_type": "stop", "stop_price": str(price)},
        "stop_limit": {"order_type": "stop_limit", "limit_price": near, "stop_price": str(price)},
        "trailing": market | {"order_type": "trailing_stop", "trail_price": "1.50"},
        "bracket": limit | take | stop | {"order_class": "bracket"},
        "oto": limit | stop | {"order_class": "oto"},
        "oco": left | {"order_class": "oco", "limit_price": None},
    }[kind]


def changes_of(terms: OrderTerms, more: int, price: Decimal) -> dict[str, str]:
    """What may be changed of an order, each by a little; nothing by nothing."""
    fields: dict[str, Decimal] = {}
    if more and terms.order_class is OrderClass.SIMPLE:
        fields["qty"] = terms.qty + more
    if price and terms.limit_price is not None:
        fields["limit_price"] = terms.limit_price + price
    elif price and terms.stop_price is not None:
        fields["stop_price"] = terms.stop_price + price
    elif price and terms.trail_price is not None:
        fields["trail"] = terms.trail_price + price
    return {name: str(value) for name, value in fields.items()}


def exit_terms(terms: OrderTerms) -> dict[LegRole, OrderTerms]:
    """The orders that the broker makes of an order's exits."""
    side = terms.side
    if terms.order_class is not OrderClass.OCO:
        side = Side.SELL if terms.side is Side.BUY else Side.BUY
    base = OrderTerms(symbol=terms.symbol, side=side, order_type=OrderType.LIMIT, qty=terms.qty)
    made: dict[LegRole, OrderTerms] = {}
    if terms.take_profit is not None:
        made[LegRole.TAKE_PROFIT] = replace(base, limit_price=terms.take_profit.limit_price)
    if terms.stop_loss is not None:
        made[LegRole.STOP_LOSS] = replace(base, order_type=OrderType.STOP, stop_price=terms.stop_loss.stop_price)
    return made
