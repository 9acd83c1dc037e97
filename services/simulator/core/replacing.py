"""The rules of PATCH: which orders may be replaced, and by what."""

from decimal import Decimal
from typing import Any

import msgspec

from services.simulator.core.amounts import check_amount, check_price
from services.simulator.core.errors import forbidden, malformed, unprocessable
from services.simulator.core.forms import PRICES, OrderBody, OrderRequest, check_trail, order_request
from services.simulator.core.numbers import decimals, nanos
from services.simulator.core.orders import NOT_REPLACEABLE, Order, Ticket


class ReplaceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The PATCH body; null and absent both mean: leave it as it is."""

    qty: Decimal | None = None
    notional: Decimal | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    client_order_id: str | None = None
    advanced_instructions: dict[str, Any] | None = None


def replacement(ticket: Ticket, body: ReplaceBody, *, carries_fills: bool) -> OrderRequest:
    """Return the request of the new order.

    Its quantity includes what the old order has filled when replacements carry fills, and is what is left to
    trade otherwise.
    """
    order = ticket.order
    if order.status in NOT_REPLACEABLE:
        raise unprocessable(f"cannot replace order in {order.status} status")
    if order.qty is None or body.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    if body.advanced_instructions:
        raise forbidden("advanced_instructions are not enabled for this account")
    _check_prices(order, body)
    _check_qty(order, body, order.qty, carries_fills=carries_fills)
    merged = _merged(order, body, order.qty if carries_fills else ticket.remaining())
    if _terms(merged, merged.qty if body.qty else order.qty) == _terms(order, order.qty):
        raise unprocessable("order parameters are not changed")
    return order_request(merged)


def _merged(order: Order, body: ReplaceBody, qty: Decimal) -> OrderBody:
    trailing = order.type == "trailing_stop"
    return OrderBody(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        qty=body.qty or qty,
        time_in_force=body.time_in_force or order.time_in_force,
        limit_price=body.limit_price or order.limit_price,
        stop_price=None if trailing else body.stop_price or order.stop_price,
        trail_price=order.trail_price and (body.trail or order.trail_price),
        trail_percent=order.trail_percent and (body.trail or order.trail_percent),
        extended_hours=order.extended_hours,
        client_order_id=body.client_order_id,
    )


def _terms(order: Order | OrderBody, qty: Decimal | None) -> tuple[object, ...]:
    stop = None if order.type == "trailing_stop" else order.stop_price
    return (qty, order.time_in_force, order.limit_price, stop, order.trail_price, order.trail_percent)


def _check_prices(order: Order, body: ReplaceBody) -> None:
    for name in ("limit_price", "stop_price"):
        value: Decimal | None = getattr(body, name)
        if value is None:
            continue
        if name not in PRICES[order.type]:
            raise malformed(f"{order.type} orders require no {name.replace('_', ' ')}")
        check_price(name, value)
    if body.trail is None:
        return
    if order.type != "trailing_stop":
        raise malformed("only trailing stop orders have a trail")
    check_trail("trail_price" if order.trail_price else "trail_percent", body.trail)


def _check_qty(order: Order, body: ReplaceBody, old_qty: Decimal, *, carries_fills: bool) -> None:
    if body.qty is None:
        return
    check_amount("qty", body.qty)
    if order.group_id and body.qty != old_qty:
        raise unprocessable("qty of a complex order cannot be changed")
    if decimals(nanos(body.qty)) or decimals(old_qty):
        raise unprocessable("qty of a fractional order cannot be changed")
    if carries_fills and body.qty <= order.filled_qty:
        raise unprocessable("qty must be greater than filled_qty")
