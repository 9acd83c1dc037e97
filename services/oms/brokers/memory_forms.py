"""Terms at the in-memory broker: with changes, without exits, and the exits themselves; pure."""

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from contracts.enums import LegRole, OrderClass, OrderType, Side
from contracts.orders import OrderTerms
from services.oms.brokers.port import Changes


def changed(terms: OrderTerms, changes: Changes) -> OrderTerms:
    """Give terms with what a replacement asks for."""
    given: dict[str, Any] = {
        "qty": changes.qty,
        "limit_price": changes.limit_price,
        "stop_price": changes.stop_price,
        "time_in_force": changes.time_in_force,
        "trail_price" if terms.trail_price is not None else "trail_percent": changes.trail,
    }
    return replace(terms, **{name: value for name, value in given.items() if value is not None})


def exits(terms: OrderTerms) -> Iterator[tuple[LegRole, OrderTerms]]:
    """Write the exits that an order brings, each with its role."""
    exit_side = terms.side
    if terms.order_class is not OrderClass.OCO:
        exit_side = Side.SELL if terms.side is Side.BUY else Side.BUY
    bare = OrderTerms(
        symbol=terms.symbol,
        side=exit_side,
        order_type=OrderType.LIMIT,
        qty=terms.qty,
        time_in_force=terms.time_in_force,
        order_class=terms.order_class,
    )
    if terms.take_profit is not None and terms.order_class is not OrderClass.OCO:
        yield LegRole.TAKE_PROFIT, replace(bare, limit_price=terms.take_profit.limit_price)
    if terms.stop_loss is not None:
        limit = terms.stop_loss.limit_price
        kind = OrderType.STOP if limit is None else OrderType.STOP_LIMIT
        yield (
            LegRole.STOP_LOSS,
            replace(bare, order_type=kind, stop_price=terms.stop_loss.stop_price, limit_price=limit),
        )


def bare(terms: OrderTerms) -> OrderTerms:
    """Show terms as a broker does: exits are orders of their own."""
    return replace(terms, take_profit=None, stop_loss=None)
