"""Frames of Alpaca's trade_updates socket into reports, and our two requests back, pure."""

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from services.oms.brokers.alpaca_wire import (
    UnreadableReportError,
    WireOrder,
    finite_or_none,
    order_report,
    utc_or_none,
)
from services.oms.brokers.port import BrokerUpdate

STREAM = "trade_updates"


class Control(StrEnum):
    """What a frame says when it carries no update."""

    AUTHORIZED = "authorized"
    UNAUTHORIZED = "unauthorized"
    LISTENING = "listening"
    NOTHING = "nothing"


class _WireFrame(msgspec.Struct, frozen=True):
    stream: str | None = None
    data: msgspec.Raw = msgspec.Raw(b"null")


class _WireControl(msgspec.Struct, frozen=True):
    status: str | None = None
    streams: list[str] | None = None


class _WireUpdate(msgspec.Struct, frozen=True):
    event: str
    order: WireOrder
    timestamp: datetime | None = None
    at: datetime | None = None
    event_id: str | int | None = None
    execution_id: str | None = None
    previous_execution_id: str | None = None
    price: Decimal | None = None
    qty: Decimal | None = None
    position_qty: Decimal | None = None
    reason: str | None = None


_frames = msgspec.json.Decoder(_WireFrame)
_controls = msgspec.json.Decoder(_WireControl)
_updates = msgspec.json.Decoder(_WireUpdate)


def authenticate(key_id: str, secret_key: str) -> bytes:
    """Write the first request; it holds the keys and must never be logged."""
    return msgspec.json.encode({"action": "authenticate", "data": {"key_id": key_id, "secret_key": secret_key}})


def listen() -> bytes:
    """Write the request for trade updates, the only stream we want."""
    return msgspec.json.encode({"action": "listen", "data": {"streams": [STREAM]}})


def read_frame(frame: bytes | str) -> BrokerUpdate | Control:
    """Read one frame, text or binary; a frame without data says nothing (Alpaca does send `{"data": null}`)."""
    try:
        outer = _frames.decode(frame)
        if bytes(outer.data) == b"null":
            return Control.NOTHING
        if outer.stream == STREAM:
            return _update(_updates.decode(outer.data))
        return _control(outer.stream, _controls.decode(outer.data))
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreadableReportError(str(error)) from error


def _control(stream: str | None, wire: _WireControl) -> Control:
    if stream == "authorization":
        return Control.AUTHORIZED if wire.status == "authorized" else Control.UNAUTHORIZED
    if stream == "listening" and STREAM in (wire.streams or []):
        return Control.LISTENING
    return Control.NOTHING


def _update(wire: _WireUpdate) -> BrokerUpdate:
    return BrokerUpdate(
        event=wire.event,
        order=order_report(wire.order),
        at=utc_or_none(wire.timestamp or wire.at),
        event_id=None if wire.event_id is None else str(wire.event_id),
        execution_id=wire.execution_id,
        previous_execution_id=wire.previous_execution_id,
        qty=finite_or_none(wire.qty),
        price=finite_or_none(wire.price),
        position_qty=finite_or_none(wire.position_qty),
        reason=wire.reason,
    )
