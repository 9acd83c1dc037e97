"""Samples of what operators say about scopes, and of what the broker and the watch tell besides orders."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

from contracts.audit import WatchReported
from contracts.base import Message
from contracts.broker import Asset, AssetsObserved, ClockCompared, KillVerified, Session, SessionsObserved, Throttled
from contracts.controls import (
    KillEngaged,
    KillReleased,
    LayerSet,
    LimitsSet,
    MandateGranted,
    MandateRevoked,
    TripReset,
)
from contracts.enums import KillMode, OrderType, Regime
from contracts.ids import AgentId, Symbol
from contracts.limits import LimitOverride, LimitSet, Sector, Waiver
from contracts.mandates import AssetClass, Hours, Mandate, MandateSide, Venue
from contracts.scopes import FIRM, Scope
from tests.wire.intent_samples import AAPL

AT = datetime(2026, 11, 23, 14, 30, 0, 125_000, tzinfo=UTC)
STAMP: dict[str, Any] = {"epoch": 0, "at": AT}
SAID: dict[str, Any] = STAMP | {"by": "ada", "reason": "first week"}
OVERRIDE = LimitOverride(
    max_order_notional_usd=Decimal(2000),
    max_gross_exposure_usd=Decimal("7500.5"),
    max_daily_trades=20,
    symbol_denylist=(Symbol("TSLA"),),
    shorts_allowed=False,
)
MANDATE = Mandate(
    expires_at=AT,
    symbols=(AAPL, Symbol("BRK.B")),
    asset_classes=(AssetClass.EQUITY,),
    sides=(MandateSide.BUY, MandateSide.SELL, MandateSide.SHORT),
    order_types=(OrderType.LIMIT,),
    strategies=("mean_reversion",),
    venues=(Venue.PAPER, Venue.LIVE),
    hours=Hours(from_minute=575, to_minute=955),
    budget_per_day_usd=Decimal(25_000),
    approval_from_usd=Decimal(4000),
    lease_ms=60_000,
    limits=OVERRIDE,
)
RAILS = LimitSet(
    symbol_denylist=(Symbol("GME"),),
    sectors=(Sector(name="technology", symbols=(AAPL, Symbol("MSFT"))),),
    waivers=(Waiver(rail="max_loss_week_usd", until=AT, by="ada", reason="no history yet"),),
    mandates_required=True,
    max_order_qty=Decimal(1000),
    limit_collar_bps=Decimal(500),
    max_duplicates=10,
    duplicate_window_ms=10_000,
    risk_per_trade_pct=Decimal("1.0"),
)

SCOPED: list[Message] = [
    LimitsSet(**SAID, version=4, limits=RAILS),
    LayerSet(**SAID, scope=FIRM, version=1, limits=OVERRIDE),
    LayerSet(**SAID, scope=Scope("symbol.BRK.B"), version=2, limits=None),
    LimitsSet(**SAID, version=5, limits=LimitSet(regimes_allowed=(Regime.TREND, Regime.CHOP))),
    LayerSet(
        **SAID,
        scope=Scope("strategy.mean_reversion"),
        version=1,
        limits=LimitOverride(regimes_allowed=(Regime.CHOP,)),
    ),
    LimitsSet(**SAID, version=6, limits=LimitSet(clock_skew_max_ms=1_000, health_recovery_ms=10_000)),
    MandateGranted(**SAID, agent=AgentId("demo"), version=1, mandate=MANDATE),
    MandateGranted(**SAID, agent=AgentId("demo"), version=2, mandate=Mandate(expires_at=AT)),
    MandateGranted(**SAID, agent=AgentId("demo"), version=4, mandate=Mandate(expires_at=AT, approval_wait_ms=60_000)),
    MandateRevoked(**SAID, agent=AgentId("demo"), version=3),
    KillEngaged(**SAID, mode=KillMode.FLATTEN, scope=Scope("agent.demo")),
    KillReleased(**SAID, scope=Scope("strategy.mean reversion")),
    TripReset(**SAID, scope=Scope("agent.demo"), trip="reject_streak"),
]

TOLD: list[Message] = [
    Throttled(epoch=5, at=AT, retry_after_ms=1000),
    KillVerified(
        epoch=5,
        at=AT,
        scope=Scope("agent.demo"),
        mode=KillMode.FLATTEN,
        engaged_seq=812,
        blocked_after_ms=Decimal("1.204"),
        flat_after_ms=Decimal(640),
        orders_left=0,
        positions_left=0,
        detail="asked 4 times",
    ),
    KillVerified(
        epoch=5,
        at=AT,
        scope=Scope("account"),
        mode=KillMode.BLOCK_NEW,
        engaged_seq=813,
        blocked_after_ms=Decimal("0.702"),
        flat_after_ms=None,
        orders_left=3,
        positions_left=1,
        silent_after_ms=Decimal("3.702"),
    ),
    AssetsObserved(
        epoch=5,
        at=AT,
        assets=(
            Asset(
                symbol=AAPL,
                tradable=True,
                shortable=True,
                easy_to_borrow=True,
                fractionable=True,
                marginable=True,
                maintenance_pct=Decimal(30),
            ),
            Asset(symbol=Symbol("DEAD"), tradable=False),
        ),
    ),
    SessionsObserved(
        epoch=5,
        at=AT,
        sessions=(Session(trading_day=date(2026, 11, 23), open_at=AT, close_at=AT),),
    ),
    WatchReported(epoch=2, at=AT, blind=True, read_seq=81, detail="no answer for 5,000 ms"),
    WatchReported(epoch=2, at=AT, blind=False, read_seq=82),
    ClockCompared(epoch=5, at=AT, skew_ms=-1204, uncertainty_ms=31),
]
