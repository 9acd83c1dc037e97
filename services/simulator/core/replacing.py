"""The rules of PATCH: which orders may be replaced, and by what."""

from decimal import Decimal

import msgspec

from services.simulator.core.errors import malformed, unprocessable
from services.simulator.core.forms import PRICES, OrderBody, OrderRequest, amount, order_request, price
from services.simulator.core.numbers import decimals, nanos
from services.simulator.core.orders import NOT_REPLACEABLE, Ticket


class ReplaceBody(msgspec.Struct, frozen=True, kw_only=True):
    """The PATCH body; null and absent both mean: leave it as it is."""

    qty: Decimal | None = None
    notional: Decimal | None = None
    time_in_force: str | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    client_order_id: str | None = None


def replacement(ticket: Ticket, body: ReplaceBody) -> OrderRequest:
    """Return the request of the new order, its quantity including what the old one has filled."""
    order = ticket.order
    if order.status in NOT_REPLACEABLE:
        raise unprocessable(f"cannot replace order in {order.status} status")
    if order.qty is None or body.notional is not None:
        raise unprocessable("notional orders cannot be replaced")
    _check_fields(ticket, body, order.qty)
    merged = OrderBody(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        qty=body.qty or order.qty,
        time_in_force=body.time_in_force or order.time_in_force,
        limit_price=body.limit_price or order.limit_price,
        stop_price=body.stop_price or order.stop_price,
        extended_hours=order.extended_hours,
        client_order_id=body.client_order_id,
    )
    unchanged = (merged.qty, merged.time_in_force, merged.limit_price, merged.stop_price) == (
        order.qty,
        order.time_in_force,
        order.limit_price,
        order.stop_price,
    )
    if unchanged:
        raise unprocessable("order parameters are not changed")
    return order_request(merged)


def _check_fields(ticket: Ticket, body: ReplaceBody, old_qty: Decimal) -> None:
    order = ticket.order
    for name in ("limit_price", "stop_price"):
        value: Decimal | None = getattr(body, name)
        if value is None:
            continue
        if name not in PRICES[order.type]:
            raise malformed(f"{order.type} orders require no {name.replace('_', ' ')}")
        price(name, value)
    if body.trail is not None:
        raise malformed("only trailing stop orders have a trail")
    if body.qty is None:
        return
    amount("qty", body.qty)
    if decimals(nanos(body.qty)) or decimals(old_qty):
        raise unprocessable("qty of a fractional order cannot be changed")
    if body.qty <= order.filled_qty:
        raise unprocessable("qty must be greater than filled_qty")
