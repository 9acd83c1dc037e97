"""Bytes in, struct out, and back: one decoder per kind of message, built once."""

from typing import Any, Union

import msgspec

from contracts import retired
from contracts.audit import AuditEvent
from contracts.broker import BrokerEvent
from contracts.controls import ControlEvent, EpochTaken
from contracts.decisions import Decision
from contracts.intents import Intent
from contracts.market import MarketMessage, RegimeChanged
from contracts.orders import AnyOrderEvent
from contracts.upcast import upcast
from contracts.values import is_plain_number

type JournalEvent = Decision | AnyOrderEvent | ControlEvent | EpochTaken | BrokerEvent | AuditEvent

NESTING_MAX = 256
"""More opening brackets than this are refused in an intent. Decisions embed intents, one level deeper: one that can
just be read here would otherwise be a decision that nobody can read, and so the end of its journal."""
_NUMBERS = frozenset(
    {
        "qty",
        "percent",
        "notional_usd",
        "limit_price",
        "stop_price",
        "trail_price",
        "trail_percent",
        "trail",
        "if_position",
        "expected_price",
        "price_tolerance_bps",
    }
)
_PARTS = frozenset({"take_profit", "stop_loss"})


class UndecodableError(ValueError):
    """The bytes are not a message we know; a reader of the journal stops on this, loudly."""


def _with_retired(current: Any) -> Any:
    return Union[current, *retired.RETIRED] if retired.RETIRED else current


_encoder = msgspec.json.Encoder()
_intent_decoder = msgspec.json.Decoder(Intent.__value__)
_json_decoder = msgspec.json.Decoder(float_hook=str)
_object_decoder = msgspec.json.Decoder(dict[str, Any], float_hook=str)
_event_decoder = msgspec.json.Decoder(_with_retired(JournalEvent.__value__))
_market_decoder = msgspec.json.Decoder(MarketMessage.__value__)
_regime_decoder = msgspec.json.Decoder(RegimeChanged)


def encode(message: msgspec.Struct) -> bytes:
    """Write a message as JSON; equal messages give equal bytes."""
    return _encoder.encode(message)


def decode_intent(body: bytes) -> Intent:
    """Read an intent from untrusted bytes; raise `UndecodableError` saying what was wrong and where.

    All of it must be JSON, also the fields that we do not know: a decision embeds these bytes for ever.
    """
    if not _is_shallow(body):
        raise UndecodableError(f"more than {NESTING_MAX} opening brackets")
    _refuse_loose_numbers(_decode(_object_decoder, body), "$")
    return _decode(_intent_decoder, body)


def _refuse_loose_numbers(part: dict[str, Any], path: str) -> None:
    for name, value in part.items():
        if name in _NUMBERS and isinstance(value, str) and not is_plain_number(value):
            raise UndecodableError(f"Invalid decimal string - at `{path}.{name}`")
        if name in _PARTS and isinstance(value, dict):
            _refuse_loose_numbers(value, f"{path}.{name}")


def is_recordable(body: bytes) -> bool:
    """Say whether bytes are JSON that can stand inside a decision, so that every reader gets through them."""
    if not _is_shallow(body):
        return False
    try:
        _decode(_json_decoder, body)
    except UndecodableError:
        return False
    return True


def _is_shallow(body: bytes) -> bool:
    return body.count(b"[") + body.count(b"{") <= NESTING_MAX


def decode_event(body: bytes) -> JournalEvent:
    """Read a journal event, brought to its current version; raise `UndecodableError` on an unknown tag."""
    return upcast(_decode(_event_decoder, body))


def decode_market(body: bytes) -> MarketMessage:
    """Read a quote, bar or status."""
    return _decode(_market_decoder, body)


def decode_regime(body: bytes) -> RegimeChanged:
    """Read a regime change."""
    return _decode(_regime_decoder, body)


def _decode(decoder: msgspec.json.Decoder[Any], body: bytes) -> Any:
    try:
        return decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise UndecodableError(str(error)) from error
