"""What an agent or a person asks for: untrusted input, so every field is checked again by risk."""

from decimal import Decimal
from typing import Annotated

import msgspec

from contracts.base import Message, Value
from contracts.enums import OrderType, Side, TimeInForce
from contracts.ids import TOKEN_PATTERN, IntentId, OrderId, Symbol

INTENT_BYTES_MAX = 32_768
"""The stream refuses a longer intent, so that a decision, which embeds it, stays small."""

TokenText = Annotated[str, msgspec.Meta(pattern=TOKEN_PATTERN)]


class IntentMeta(Value, frozen=True, kw_only=True):
    """What the agent says of its own reasons; kept on the record, never trusted for a decision."""

    strategy: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    confidence: Decimal | None = None


class SubmitIntent(Message, frozen=True, kw_only=True, tag="intent.submit.v1"):
    """A wish for one order; exactly one of `qty` (shares) and `notional_usd` is given."""

    intent_id: IntentId
    symbol: Symbol
    side: Side
    order_type: OrderType
    qty: Decimal | None = None
    notional_usd: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    meta: IntentMeta = IntentMeta()


class CancelIntent(Message, frozen=True, kw_only=True, tag="intent.cancel.v1"):
    """A wish to cancel one order."""

    intent_id: IntentId
    order_id: OrderId
    meta: IntentMeta = IntentMeta()


class ReplaceIntent(Message, frozen=True, kw_only=True, tag="intent.replace.v1"):
    """A wish to change the terms of one working order; what is left out stays as it is."""

    intent_id: IntentId
    order_id: OrderId
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    time_in_force: TimeInForce | None = None
    meta: IntentMeta = IntentMeta()


type Intent = SubmitIntent | CancelIntent | ReplaceIntent
