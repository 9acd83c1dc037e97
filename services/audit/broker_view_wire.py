"""Alpaca's orders and fills as the watch needs them, pure; not the OMS's translation, to share no error."""

from datetime import datetime
from decimal import Decimal

import msgspec

from contracts.values import ZERO
from services.audit.conservation import Shown, ShownFill


class UnreadableViewError(ValueError):
    """The broker answered something that is no list of orders or fills."""


class _Order(msgspec.Struct, frozen=True):
    id: str
    client_order_id: str
    symbol: str | None = None
    side: str | None = None
    qty: Decimal | None = None
    filled_qty: Decimal | None = None
    status: str | None = None
    submitted_at: datetime | None = None
    replaces: str | None = None
    legs: "list[_Order] | None" = None


class _Fill(msgspec.Struct, frozen=True):
    id: str
    order_id: str
    symbol: str
    side: str
    qty: Decimal
    price: Decimal
    transaction_time: datetime


def read_orders(body: bytes) -> tuple[Shown, ...]:
    """Read a page of orders, each followed by the exits that are nested in it."""
    return tuple(shown for order in _read(body, list[_Order]) for shown in _shown(order, None))


def read_fills(body: bytes) -> tuple[ShownFill, ...]:
    """Read a page of FILL activities."""
    return tuple(
        ShownFill(
            activity_id=fill.id,
            broker_order_id=fill.order_id,
            symbol=fill.symbol,
            side=fill.side,
            qty=fill.qty,
            price=fill.price,
            at=fill.transaction_time,
        )
        for fill in _read(body, list[_Fill])
    )


def _shown(order: _Order, parent_id: str | None) -> tuple[Shown, ...]:
    one = Shown(
        broker_order_id=order.id,
        client_order_id=order.client_order_id,
        symbol=order.symbol or "",
        side=order.side or "",
        qty=order.qty,
        filled_qty=order.filled_qty or ZERO,
        status=order.status or "",
        submitted_at=order.submitted_at,
        replaces=order.replaces,
        parent_id=parent_id,
    )
    return (one, *(leg for each in order.legs or () for leg in _shown(each, order.id)))


def _read[T](body: bytes, kind: type[T]) -> T:
    try:
        return msgspec.json.decode(body, type=kind, strict=False)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableViewError(f"the broker's answer cannot be read: {error}") from error
