"""The bodies that we send to Alpaca's orders, pure; every number is a string without an exponent."""

from decimal import Decimal
from typing import Any

import msgspec

from contracts.enums import OrderClass
from contracts.ids import OrderId
from contracts.orders import OrderTerms
from services.oms.brokers.port import Changes

_encoder = msgspec.json.Encoder()
_TERMS = ("qty", "limit_price", "stop_price", "trail_price", "trail_percent")
_CHANGES = ("qty", "limit_price", "stop_price", "trail")


def order_request(order_id: OrderId, terms: OrderTerms) -> bytes:
    """Write the body of POST /v2/orders."""
    body: dict[str, Any] = {
        "symbol": terms.symbol,
        "side": terms.side,
        "type": terms.order_type,
        "time_in_force": terms.time_in_force,
        "client_order_id": order_id,
    } | _numbers(terms, _TERMS)
    if terms.notional_usd is not None:
        del body["qty"]  # the amount is asked for; the quantity is only what it can become
        body["notional"] = format(terms.notional_usd, "f")
    if terms.extended_hours:
        body["extended_hours"] = True
    if terms.order_class is not OrderClass.SIMPLE:
        body |= _exits(terms)
    return _encoder.encode(body)


def replace_request(replacement_id: OrderId, changes: Changes) -> bytes:
    """Write the body of PATCH /v2/orders/{id}; what is left out stays as it is."""
    body: dict[str, Any] = {"client_order_id": replacement_id} | _numbers(changes, _CHANGES)
    if changes.time_in_force is not None:
        body["time_in_force"] = changes.time_in_force
    return _encoder.encode(body)


def _exits(terms: OrderTerms) -> dict[str, Any]:
    body: dict[str, Any] = {"order_class": terms.order_class}
    if terms.take_profit is not None:
        body["take_profit"] = _numbers(terms.take_profit, ("limit_price",))
    if terms.stop_loss is not None:
        body["stop_loss"] = _numbers(terms.stop_loss, ("stop_price", "limit_price"))
    return body


def _numbers(said: msgspec.Struct, names: tuple[str, ...]) -> dict[str, Any]:
    numbers: dict[str, Decimal | None] = {name: getattr(said, name) for name in names}
    return {name: format(number, "f") for name, number in numbers.items() if number is not None}
