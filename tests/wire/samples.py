"""One full and, where fields are optional, one bare sample of every message; the golden files hold their bytes."""

from decimal import Decimal

import msgspec

from contracts.audit import ChainCheckpoint
from contracts.base import Message
from contracts.controls import (
    BreakAccepted,
    EpochTaken,
    KillEngaged,
    KillReleased,
    LimitsProposed,
    LimitsSet,
    WhatIfSummary,
)
from contracts.decisions import Adjustment, Check, Decision, Evidence, Headroom, Reservation, Sizing, written
from contracts.enums import (
    Action,
    BreakKind,
    EndCause,
    KillMode,
    LegRole,
    OrderClass,
    OrderType,
    Outcome,
    Regime,
    Role,
    Side,
    TimeInForce,
)
from contracts.ids import AgentId, FillId, IntentId, OrderId, Symbol
from contracts.intents import (
    StopLoss,
    TakeProfit,
)
from contracts.limits import LimitSet
from contracts.market import RegimeChanged
from contracts.orders import (
    OrderAcknowledged,
    OrderAdopted,
    OrderBusted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderCompleted,
    OrderCorrected,
    OrderDoneForDay,
    OrderExpired,
    OrderFilled,
    OrderHeld,
    OrderLegAdded,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderReported,
    OrderSuspended,
    OrderTerms,
    OrderUnknown,
    OrderWorking,
)
from contracts.reasons import DenialCode, Reason, RejectionCode
from contracts.scopes import Scope
from tests.wire.account_samples import ACCOUNT_EVENTS, DAY, STAMP
from tests.wire.control_samples import SCOPED, TOLD
from tests.wire.intent_samples import AAPL, INTENTS, ORDER
from tests.wire.market_samples import AT, MARKET, QUOTE, STATUS, USUAL

DEMO = AgentId("demo")

REGIME = RegimeChanged(
    symbol=AAPL,
    regime=Regime.UNTRADEABLE,
    previous=Regime.CHOP,
    confidence=Decimal("0.9"),
    reasons=("spread 61.2 bps", "quote 7,000 ms old"),
    at=AT,
)
TERMS = OrderTerms(
    symbol=AAPL,
    side=Side.BUY,
    order_type=OrderType.LIMIT,
    qty=Decimal(10),
    limit_price=Decimal("189.12"),
    time_in_force=TimeInForce.GTC,
    extended_hours=True,
)
FULL_TERMS = OrderTerms(
    symbol=AAPL,
    side=Side.SELL,
    order_type=OrderType.STOP_LIMIT,
    qty=Decimal("5.5"),
    limit_price=Decimal("179.50"),
    stop_price=Decimal("180.00"),
    notional_usd=Decimal("1000.50"),
    trail_price=Decimal("1.50"),
    trail_percent=Decimal("2.5"),
    order_class=OrderClass.OTO,
    take_profit=TakeProfit(limit_price=Decimal("199.00")),
    stop_loss=StopLoss(stop_price=Decimal("180.00")),
)
LIMITS = LimitSet(max_order_notional_usd=Decimal("4999.5"), symbol_allowlist=(AAPL, Symbol("BRK.B")))
BODY = b'{"type":"intent.submit.v1","intent_id":"7f0c","symbol":"AAPL","side":"buy","order_type":"limit","qty":10}'

REGIMES: list[Message] = [
    REGIME,
    RegimeChanged(
        symbol=Symbol("_market"), regime=Regime.TREND, previous=None, confidence=Decimal(1), reasons=(), at=AT
    ),
]

_EVIDENCE = Evidence(received_at=AT, decided_at=AT, trading_day=DAY, quote=QUOTE, regime=REGIME)

DECISIONS: list[Message] = [
    Decision(
        **STAMP,
        agent=DEMO,
        intent_id=IntentId("7f0c"),
        action=Action.SUBMIT,
        outcome=Outcome.APPROVED,
        order_id=ORDER,
        terms=TERMS,
        reservation=Reservation(
            symbol=AAPL,
            side=Side.BUY,
            qty=Decimal(10),
            price_usd=Decimal("189.12"),
            notional_usd=Decimal("1891.20"),
            reduces=False,
        ),
        checks=written(
            (
                Check(name="kill_switch", passed=True),
                Check(name="order_notional", passed=True, value=Decimal("1891.20"), limit=Decimal(5000)),
            )
        ),
        headroom=Headroom(
            position_usd=Decimal("8108.80"),
            gross_exposure_usd=Decimal("48108.80"),
            net_exposure_usd=Decimal("23108.80"),
            daily_loss_usd=Decimal(1000),
            drawdown_usd=Decimal(500),
            daily_trades=99,
            orders_this_minute=1,
        ),
        evidence=_EVIDENCE,
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        valid_until=AT,
        intent_seq=41,
        intent=msgspec.Raw(BODY),
    ),
    Decision(
        **STAMP,
        agent=DEMO,
        intent_id=IntentId("7f0d"),
        action=Action.SUBMIT,
        outcome=Outcome.DENIED,
        reason=Reason(
            code=DenialCode.MAX_POSITION_NOTIONAL,
            message="position notional would be 11347.2 USD, 10000 USD are allowed, 2108.0 USD are left",
            limit=Decimal(10_000),
            attempted=Decimal("11347.2"),
            headroom=Decimal("2108.0"),
            max_acceptable_qty=Decimal(11),
            retryable=True,
            retry_after_ms=1000,
            needs_human=True,
        ),
        checks=written((Check(name="quote_age", passed=False, note="there is no quote for AAPL"),)),
        evidence=Evidence(received_at=AT, decided_at=AT, trading_day=DAY),
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        intent_seq=42,
        intent=msgspec.Raw(BODY),
    ),
    Decision(
        **STAMP,
        agent=DEMO,
        intent_id=IntentId("7f13"),
        action=Action.CANCEL_ALL,
        outcome=Outcome.APPROVED,
        order_ids=(ORDER, OrderId("lg-6f1c0f3a9d2b4e6f8a7b6c5d4e3f21-sl")),
        evidence=Evidence(received_at=AT, decided_at=AT, trading_day=DAY),
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        intent_seq=44,
        intent=msgspec.Raw(b'{"type":"intent.cancel_all.v1","intent_id":"7f13"}'),
    ),
    Decision(
        **STAMP,
        agent=AgentId("_operator"),
        intent_id=IntentId("7f18"),
        action=Action.SUBMIT,
        outcome=Outcome.DENIED,
        reason=Reason(
            code=DenialCode.MAX_GROSS_EXPOSURE, message="too much", scope=Scope("agent.demo"), limit=Decimal(1)
        ),
        evidence=Evidence(received_at=AT, decided_at=AT, trading_day=DAY, stats=USUAL[0], status=STATUS),
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        intent_seq=45,
        layers_version=7,
        on_behalf_of=DEMO,
        strategy="mean reversion",
        sizing=Sizing(
            requested_qty=Decimal(10),
            recommended_qty=Decimal(4),
            risk_usd=Decimal(1000),
            stop_distance_usd=Decimal("3.21"),
            adjustments=(Adjustment(name="volatility", factor=Decimal("0.4"), note="the range is wide"),),
        ),
        digest="00ff00ff00ff00ff",
        held_until=AT,
        intent=msgspec.Raw(BODY),
    ),
    Decision(
        **STAMP,
        agent=AgentId("_operator"),
        intent_id=IntentId("7f1c"),
        action=Action.DISMISS,
        outcome=Outcome.APPROVED,
        evidence=Evidence(received_at=AT, decided_at=AT, trading_day=DAY, live=True),
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        intent_seq=46,
        on_behalf_of=DEMO,
        intent=msgspec.Raw(BODY),
    ),
    Decision(
        epoch=5,
        at=AT,
        agent=DEMO,
        intent_id=IntentId("7f10"),
        action=None,
        outcome=Outcome.DENIED,
        reason=Reason(code=DenialCode.MALFORMED, message="the intent cannot be read"),
        evidence=Evidence(received_at=AT, decided_at=AT, trading_day=DAY),
        state_seq=812,
        limits_version=3,
        code_version="abc123",
        intent_seq=43,
        malformed=b"\xff\x00 not json",
    ),
]

ORDER_EVENTS: list[Message] = [
    OrderAcknowledged(**STAMP, order_id=ORDER, broker_order_id="61e69015", broker_status="accepted"),
    OrderWorking(**STAMP, order_id=ORDER, broker_status="new"),
    OrderUnknown(**STAMP, order_id=ORDER, detail="no answer within 5,000 ms"),
    OrderFilled(
        **STAMP,
        order_id=ORDER,
        fill_id=FillId("exec-1"),
        symbol=AAPL,
        side=Side.BUY,
        qty=Decimal("1.5"),
        price=Decimal("189.11"),
        cum_qty=Decimal("1.5"),
        filled_at=AT,
        recovered=True,
    ),
    OrderCancelRequested(**STAMP, order_id=ORDER, requested_by=AgentId("_operator")),
    OrderCancelRequested(**STAMP, order_id=ORDER, requested_by=AgentId("_oms"), cause=EndCause.TOO_OLD),
    OrderCancelRejected(**STAMP, order_id=ORDER, detail="order is not cancelable"),
    OrderCanceled(**STAMP, order_id=ORDER, cause=EndCause.KILL_SWITCH),
    OrderExpired(**STAMP, order_id=ORDER, cause=EndCause.DECISION_STALE),
    OrderRejected(
        **STAMP,
        order_id=ORDER,
        code=RejectionCode.BROKER_DECISION,
        broker_code="40310000",
        message="insufficient buying power",
    ),
    OrderReplaced(**STAMP, order_id=ORDER, broker_order_id="71e69015", terms=TERMS),
    OrderReplaced(**STAMP, order_id=ORDER, broker_order_id="72e69015", terms=FULL_TERMS, carried_qty=Decimal("1.5")),
    OrderReplaceRequested(**STAMP, order_id=ORDER, requested_by=DEMO, decision_seq=811),
    OrderReplaceRejected(**STAMP, order_id=ORDER, detail="the new terms came too late"),
    OrderHeld(**STAMP, order_id=ORDER, broker_status="held"),
    OrderSuspended(**STAMP, order_id=ORDER, broker_status="suspended"),
    OrderDoneForDay(**STAMP, order_id=ORDER, broker_status="done_for_day"),
    OrderCompleted(**STAMP, order_id=ORDER, cum_qty=Decimal("5.291")),
    OrderFilled(
        **STAMP,
        order_id=ORDER,
        fill_id=FillId("exec-2"),
        symbol=AAPL,
        side=Side.BUY,
        qty=Decimal(2),
        price=Decimal("189.11"),
        cum_qty=Decimal("3.5"),
        filled_at=AT,
        broker_order_id="72e69015",
    ),
    OrderBusted(
        **STAMP,
        order_id=ORDER,
        fill_id=FillId("exec-1"),
        qty=Decimal("1.5"),
        price=Decimal("189.11"),
        detail="trade_bust exec-9",
    ),
    OrderBusted(
        **STAMP,
        order_id=ORDER,
        fill_id=FillId("exec-2"),
        qty=Decimal(2),
        price=Decimal("189.11"),
        broker_order_id="72e69015",
    ),
    OrderCorrected(
        **STAMP,
        order_id=ORDER,
        fill_id=FillId("exec-1"),
        old_qty=Decimal("1.5"),
        old_price=Decimal("189.11"),
        new_fill_id=FillId("exec-3"),
        qty=Decimal("1.5"),
        price=Decimal("189.10"),
    ),
    OrderLegAdded(
        **STAMP,
        order_id=OrderId("lg-5f1c0f3a9d2b4e6f8a7b6c5d4e3f21-sl"),
        agent=DEMO,
        parent_id=ORDER,
        role=LegRole.STOP_LOSS,
        client_order_id="0b9d5c5e",
        broker_order_id="91e69015",
        broker_status="held",
        terms=FULL_TERMS,
    ),
    OrderReported(
        **STAMP, order_id=ORDER, broker_event="calculated", broker_status="calculated", detail="as it came"
    ),
    OrderAdopted(
        **STAMP,
        order_id=ORDER,
        agent=AgentId("_external"),
        client_order_id="by hand",
        broker_order_id="81e69015",
        broker_status="new",
        terms=TERMS,
    ),
]

WHAT_IF = msgspec.json.decode(
    b'{"first_seq":1,"last_seq":812,"decisions":90,"newly_denied":3,"newly_approved":0,"peak_gross_was_usd":"9100.5",'
    b'"peak_gross_would_be_usd":"3500","profit_was_usd":"12.25","profit_would_be_usd":"-0.5"}',
    type=WhatIfSummary,
)

CONTROL_EVENTS: list[Message] = [
    LimitsSet(**STAMP, version=3, limits=LIMITS, by="configuration", reason="provisioning"),
    LimitsProposed(**STAMP, limits=LIMITS, by="operator", reason="orders were too large", what_if=WHAT_IF),
    KillEngaged(**STAMP, mode=KillMode.FLATTEN, by="demo", reason="runaway"),
    KillReleased(**STAMP, by="operator", reason="looked at it"),
    BreakAccepted(**STAMP, kind=BreakKind.ORPHAN, key="ext-91e69015", by="operator", reason="placed by hand"),
    EpochTaken(**STAMP, role=Role.RISK, owner="host:123", code_version="abc123"),
    ChainCheckpoint(**STAMP, upto_seq=1000, digest="00" * 32),
]

EVENTS = DECISIONS + ORDER_EVENTS + ACCOUNT_EVENTS + CONTROL_EVENTS + SCOPED + TOLD
SAMPLES = INTENTS + MARKET + REGIMES + EVENTS
