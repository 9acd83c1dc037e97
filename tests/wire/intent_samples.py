"""Samples of every intent: what agents may send."""

from decimal import Decimal

from contracts.base import Message
from contracts.enums import OrderClass, OrderType, Side, TimeInForce
from contracts.ids import AgentId, IntentId, OrderId, Symbol
from contracts.intents import (
    ApprovalIntent,
    CancelAllIntent,
    CancelIntent,
    CloseIntent,
    IntentMeta,
    ReplaceIntent,
    StopLoss,
    SubmitIntent,
    TakeProfit,
)

AAPL = Symbol("AAPL")
ORDER = OrderId("lg-5f1c0f3a9d2b4e6f8a7b6c5d4e3f21")

INTENTS: list[Message] = [
    SubmitIntent(
        intent_id=IntentId("7f0c"),
        symbol=AAPL,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(10),
        limit_price=Decimal("189.12"),
        meta=IntentMeta(strategy="micro_momo_v1", reason="breakout – çà 突破", confidence=Decimal("0.62")),
    ),
    SubmitIntent(
        intent_id=IntentId("7f0d"),
        symbol=AAPL,
        side=Side.SELL,
        order_type=OrderType.STOP_LIMIT,
        notional_usd=Decimal("1000.50"),
        stop_price=Decimal("180.00"),
        time_in_force=TimeInForce.IOC,
        extended_hours=True,
    ),
    SubmitIntent(
        intent_id=IntentId("7f11"),
        symbol=AAPL,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        qty=Decimal(100),
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfit(limit_price=Decimal("199.00")),
        stop_loss=StopLoss(stop_price=Decimal("180.00"), limit_price=Decimal("179.50")),
    ),
    SubmitIntent(
        intent_id=IntentId("7f12"),
        symbol=AAPL,
        side=Side.SELL,
        order_type=OrderType.TRAILING_STOP,
        qty=Decimal(10),
        trail_price=Decimal("1.50"),
        trail_percent=Decimal("2.5"),
    ),
    SubmitIntent(
        intent_id=IntentId("7f19"),
        symbol=AAPL,
        side=Side.BUY,
        order_type=OrderType.MARKET,
        qty=Decimal(10),
        if_position=Decimal("-2.5"),
        if_state_seq=812,
        expected_price=Decimal("189.12"),
        price_tolerance_bps=Decimal(25),
        dry_run=True,
    ),
    CancelIntent(intent_id=IntentId("7f0e"), order_id=ORDER),
    CancelAllIntent(intent_id=IntentId("7f13")),
    CancelAllIntent(intent_id=IntentId("7f14"), symbol=AAPL),
    CancelAllIntent(intent_id=IntentId("7f1a"), agent=AgentId("demo"), entries_only=True),
    ApprovalIntent(intent_id=IntentId("7f1b"), agent=AgentId("demo"), held_intent_id=IntentId("7f0c"), approve=True),
    ApprovalIntent(
        intent_id=IntentId("7f1c"),
        agent=AgentId("demo"),
        held_intent_id=IntentId("7f0d"),
        approve=False,
        meta=IntentMeta(reason="too large for a Friday"),
    ),
    CloseIntent(intent_id=IntentId("7f15"), symbol=AAPL, percent=Decimal("12.5")),
    CloseIntent(intent_id=IntentId("7f16"), symbol=AAPL, qty=Decimal("0.5")),
    ReplaceIntent(
        intent_id=IntentId("7f0f"),
        order_id=ORDER,
        qty=Decimal("1.5"),
        limit_price=Decimal("189.13"),
        time_in_force=TimeInForce.DAY,
    ),
    ReplaceIntent(intent_id=IntentId("7f17"), order_id=ORDER, stop_price=Decimal("181.00"), trail=Decimal("1.25")),
]
