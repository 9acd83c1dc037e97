"""The shapes of request bodies about orders, and the intents that they state."""

from decimal import Decimal
from typing import Annotated

import msgspec

from contracts.enums import OrderClass, OrderType, Side, TimeInForce
from contracts.ids import IntentId, OrderId, Symbol
from contracts.intents import (
    CancelIntent,
    IntentMeta,
    ReplaceIntent,
    StopLoss,
    SubmitIntent,
    TakeProfit,
    TokenText,
)

NumberOrText = Annotated[
    Decimal, msgspec.Meta(description="A decimal as a string, or a JSON number, which is read from its text.")
]
IdempotencyId = Annotated[
    TokenText,
    msgspec.Meta(
        description="Your own id for this request: repeating it returns the original answer and does nothing twice. "
        "Without one the gateway makes one and returns it, and a repeat is a new intent."
    ),
]
REASON_CHARS_MAX = 500
DryRun = Annotated[
    bool, msgspec.Meta(description="Only say how it would be decided: nothing is sent, nothing is set aside.")
]
ReasonText = Annotated[str, msgspec.Meta(max_length=REASON_CHARS_MAX)]


class TakeProfitForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exit on the good side: a limit order."""

    limit_price: NumberOrText


class StopLossForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The exit on the bad side: a stop order, with a limit price a stop-limit order."""

    stop_price: NumberOrText
    limit_price: NumberOrText | None = None


class ConditionsForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What must still be so when risk decides, and whether anything is to come of it."""

    if_position: Annotated[
        NumberOrText | None, msgspec.Meta(description="Only if exactly so many are held; negative when short.")
    ] = None
    if_state_seq: Annotated[
        int | None, msgspec.Meta(description="Only if nothing happened in the symbol since this `state_seq`.")
    ] = None
    expected_price: Annotated[
        NumberOrText | None,
        msgspec.Meta(description="Only if the ask (to buy) or the bid (to sell) is no worse, within the tolerance."),
    ] = None
    price_tolerance_bps: NumberOrText | None = None
    dry_run: DryRun = False


class SubmitForm(ConditionsForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for one order. Either `qty` or `notional_usd` is required.

    A trailing stop has `trail_price` (USD) or `trail_percent`. A bracket brings both exits, OTO one; OCO is two exits
    from a position that is held: a limit order at the take-profit's price, and the stop-loss.
    """

    symbol: str
    side: Side
    order_type: OrderType = msgspec.field(name="type")
    qty: NumberOrText | None = None
    notional_usd: NumberOrText | None = None
    client_intent_id: IdempotencyId | None = None
    limit_price: NumberOrText | None = None
    stop_price: NumberOrText | None = None
    trail_price: NumberOrText | None = None
    trail_percent: NumberOrText | None = None
    time_in_force: TimeInForce | None = None
    extended_hours: bool = False
    order_class: OrderClass | None = None
    take_profit: TakeProfitForm | None = None
    stop_loss: StopLossForm | None = None
    meta: IntentMeta | None = None


class ReplaceForm(ConditionsForm, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish for new terms of one working order; what is left out stays as it is.

    `qty` counts what is filled already; `trail` is in the unit (USD or percent) in which the order trails.
    """

    qty: NumberOrText | None = None
    limit_price: NumberOrText | None = None
    stop_price: NumberOrText | None = None
    trail: NumberOrText | None = None
    time_in_force: TimeInForce | None = None
    client_intent_id: IdempotencyId | None = None
    reason: ReasonText | None = None


class CancelForm(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A wish to cancel one order; the whole body may be left out."""

    client_intent_id: IdempotencyId | None = None
    reason: ReasonText | None = None


def submit_intent(form: SubmitForm, intent_id: IntentId) -> SubmitIntent:
    """Say in the project's language what a submit form asks for."""
    profit, stop = form.take_profit, form.stop_loss
    return SubmitIntent(
        intent_id=intent_id,
        symbol=Symbol(form.symbol),
        side=form.side,
        order_type=form.order_type,
        qty=form.qty,
        notional_usd=form.notional_usd,
        limit_price=form.limit_price,
        stop_price=form.stop_price,
        trail_price=form.trail_price,
        trail_percent=form.trail_percent,
        time_in_force=form.time_in_force or TimeInForce.DAY,
        extended_hours=form.extended_hours,
        order_class=form.order_class or OrderClass.SIMPLE,
        take_profit=None if profit is None else TakeProfit(limit_price=profit.limit_price),
        stop_loss=None if stop is None else StopLoss(stop_price=stop.stop_price, limit_price=stop.limit_price),
        if_position=form.if_position,
        if_state_seq=form.if_state_seq,
        expected_price=form.expected_price,
        price_tolerance_bps=form.price_tolerance_bps,
        dry_run=form.dry_run,
        meta=form.meta or IntentMeta(),
    )


def replace_intent(form: ReplaceForm, intent_id: IntentId, order_id: OrderId) -> ReplaceIntent:
    """Say in the project's language what a replace form asks for."""
    return ReplaceIntent(
        intent_id=intent_id,
        order_id=order_id,
        qty=form.qty,
        limit_price=form.limit_price,
        stop_price=form.stop_price,
        trail=form.trail,
        time_in_force=form.time_in_force,
        if_position=form.if_position,
        if_state_seq=form.if_state_seq,
        expected_price=form.expected_price,
        price_tolerance_bps=form.price_tolerance_bps,
        dry_run=form.dry_run,
        meta=IntentMeta(reason=form.reason),
    )


def cancel_intent(form: CancelForm, intent_id: IntentId, order_id: OrderId) -> CancelIntent:
    """Say in the project's language what a cancel form asks for."""
    return CancelIntent(intent_id=intent_id, order_id=order_id, meta=IntentMeta(reason=form.reason))
