"""What an agent or a person asks for: untrusted input, so every field is checked again by risk.

Quantities are shares, prices USD per share, percentages of 100.

What takes or changes risk may be stated on conditions: `if_position` is the signed quantity that must be held in the
symbol, `if_state_seq` the journal sequence after which nothing may have happened in it, `expected_price` the price
from which the market's far side may have moved by `price_tolerance_bps` at most, to the worse. A `dry_run` is decided
like any other and comes to nothing.
"""

from decimal import Decimal
from typing import Annotated

import msgspec

from contracts.base import Message, Value
from contracts.enums import OrderClass, OrderType, Side, TimeInForce
from contracts.ids import TOKEN_PATTERN, AgentId, IntentId, OrderId, Symbol

INTENT_BYTES_MAX = 32_768
"""The stream refuses a longer intent, so that a decision, which embeds it, stays small."""

TokenText = Annotated[str, msgspec.Meta(pattern=TOKEN_PATTERN)]


class IntentMeta(Value, frozen=True, kw_only=True):
    """What the agent says of its own reasons; kept on the record, never trusted for a decision."""

    strategy: Annotated[str, msgspec.Meta(max_length=64)] | None = None
    reason: Annotated[str, msgspec.Meta(max_length=2000)] | None = None
    confidence: Decimal | None = None


class TakeProfit(Value, frozen=True, kw_only=True):
    """The exit that waits on the good side."""

    limit_price: Decimal


class StopLoss(Value, frozen=True, kw_only=True):
    """The exit that waits on the bad side; with a limit price it becomes a limit order when the stop is reached."""

    stop_price: Decimal
    limit_price: Decimal | None = None


class SubmitIntent(Message, frozen=True, kw_only=True, tag="intent.submit.v1"):
    """A wish for one order; exactly one of `qty` and `notional_usd` is given.

    A bracket brings both exits with it, OTO one; OCO is two exits from a position that is held: a limit order at
    the take-profit's price and the stop-loss.
    """

    intent_id: IntentId
    symbol: Symbol
    side: Side
    order_type: OrderType
    qty: Decimal | None = None
    notional_usd: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail_price: Decimal | None = None
    trail_percent: Decimal | None = None
    time_in_force: TimeInForce = TimeInForce.DAY
    extended_hours: bool = False
    order_class: OrderClass = OrderClass.SIMPLE
    take_profit: TakeProfit | None = None
    stop_loss: StopLoss | None = None
    if_position: Decimal | None = None
    if_state_seq: int | None = None
    expected_price: Decimal | None = None
    price_tolerance_bps: Decimal | None = None
    dry_run: bool = False
    meta: IntentMeta = IntentMeta()


class CancelIntent(Message, frozen=True, kw_only=True, tag="intent.cancel.v1"):
    """A wish to cancel one order."""

    intent_id: IntentId
    order_id: OrderId
    meta: IntentMeta = IntentMeta()


class CancelAllIntent(Message, frozen=True, kw_only=True, tag="intent.cancel_all.v1"):
    """A wish to cancel every open order of one's own, or those in one symbol; the operator may name whose.

    With `entries_only`, orders that reduce a position go on working.
    """

    intent_id: IntentId
    symbol: Symbol | None = None
    agent: AgentId | None = None
    entries_only: bool = False
    meta: IntentMeta = IntentMeta()


class CloseIntent(Message, frozen=True, kw_only=True, tag="intent.close.v1"):
    """A wish to close a position at the market: `qty` or `percent` of it, or all when neither is given."""

    intent_id: IntentId
    symbol: Symbol
    qty: Decimal | None = None
    percent: Decimal | None = None
    if_position: Decimal | None = None
    if_state_seq: int | None = None
    expected_price: Decimal | None = None
    price_tolerance_bps: Decimal | None = None
    dry_run: bool = False
    meta: IntentMeta = IntentMeta()


class ReplaceIntent(Message, frozen=True, kw_only=True, tag="intent.replace.v1"):
    """A wish to change the terms of one working order; what is left out stays as it is.

    `qty` counts what is filled already; `trail` is in the unit in which the order trails.
    """

    intent_id: IntentId
    order_id: OrderId
    qty: Decimal | None = None
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    trail: Decimal | None = None
    time_in_force: TimeInForce | None = None
    if_position: Decimal | None = None
    if_state_seq: int | None = None
    expected_price: Decimal | None = None
    price_tolerance_bps: Decimal | None = None
    dry_run: bool = False
    meta: IntentMeta = IntentMeta()


class ApprovalIntent(Message, frozen=True, kw_only=True, tag="intent.approval.v1"):
    """An operator's word on an intent that waits for a person: let it go, to be decided at today's market, or not."""

    intent_id: IntentId
    agent: AgentId
    held_intent_id: IntentId
    approve: bool
    meta: IntentMeta = IntentMeta()


type Intent = SubmitIntent | CancelIntent | CancelAllIntent | CloseIntent | ReplaceIntent | ApprovalIntent
