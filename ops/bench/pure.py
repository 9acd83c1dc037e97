"""What the pure core costs: one decision from bytes to bytes, with every control in force."""

import gc
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts import codec
from contracts.audit import WatchReported
from contracts.broker import (
    AccountObserved,
    Asset,
    AssetsObserved,
    ClockCompared,
    PositionAdopted,
    Reconciled,
    Session,
    SessionsObserved,
)
from contracts.codec import JournalEvent
from contracts.controls import LimitsSet, MandateGranted
from contracts.decisions import Evidence, checks_of
from contracts.enums import Outcome, Regime
from contracts.ids import AccountId, AgentId, IntentId, Symbol
from contracts.limits import COUNT_MAX, LimitSet
from contracts.mandates import Mandate
from contracts.market import Quote, RegimeChanged, SymbolStats
from contracts.rails import RAILS
from ops.bench.figures import Figure, figure
from projections import account
from projections.account import AccountState
from services.risk.decider import Stamp, Stated, decide

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
HUGE = Decimal(10**11)
PAPER, DEMO, AAPL = AccountId("paper"), AgentId("demo"), Symbol("AAPL")
STAMP = Stamp(1, "bench", 2)
POSITIONS = 200
_PER_S = 20
"""So many orders a second came before: what is counted in a window counts as it does in use."""
_WIDE: dict[str, Any] = {
    "max_order_notional_usd": HUGE,
    "max_position_notional_usd": HUGE,
    "max_gross_exposure_usd": HUGE,
    "max_net_exposure_usd": HUGE,
    "max_sector_exposure_usd": HUGE,
    "max_overnight_exposure_usd": HUGE,
    "max_turnover_usd": HUGE,
    "max_leverage": HUGE,
    "max_concentration_pct": HUGE,
    "max_daily_trades": COUNT_MAX,
    "order_rate_per_min": COUNT_MAX,
    "message_rate_per_min": COUNT_MAX,
    "max_open_orders": COUNT_MAX,
    "max_duplicates": COUNT_MAX,
}
"""Limits that this many orders of one size would reach; the controls stay in force and find room."""


def limits_in_force() -> LimitSet:
    """Give limits with every rail set."""
    recommended: dict[str, Any] = {name: rail.value for name, rail in RAILS.items()}
    return LimitSet(**(recommended | _WIDE))


def _told() -> tuple[JournalEvent, ...]:
    """Say all that the controls ask for: an account, a mandate, assets, sessions, fresh books, a watch that sees."""
    by: dict[str, Any] = {"epoch": 0, "at": NOW, "version": 1, "by": "bench", "reason": "bench"}
    stamp: dict[str, Any] = {"epoch": 1, "at": NOW}
    held = tuple(Symbol(f"SYM{chr(65 + n // 26)}{chr(65 + n % 26)}") for n in range(POSITIONS - 1))
    return (
        LimitsSet(**by, limits=limits_in_force()),
        MandateGranted(**by, agent=DEMO, mandate=Mandate(expires_at=NOW + timedelta(days=1))),
        Reconciled(**stamp, orders_compared=0, orders_adopted=0, fills_recovered=0),
        WatchReported(**stamp, blind=False, read_seq=1),
        ClockCompared(**stamp, skew_ms=3, uncertainty_ms=12),
        AssetsObserved(**stamp, assets=(Asset(symbol=AAPL, tradable=True, shortable=True, easy_to_borrow=True),)),
        SessionsObserved(
            **stamp,
            sessions=(
                Session(trading_day=NOW.date(), open_at=NOW - timedelta(hours=1), close_at=NOW + timedelta(hours=5)),
            ),
        ),
        *(
            PositionAdopted(**stamp, symbol=symbol, qty=Decimal(10), price=Decimal(50), detail="bench")
            for symbol in (AAPL, *held)
        ),
        AccountObserved(
            **stamp,
            trading_day=NOW.date(),
            equity_usd=Decimal(10**9),
            last_equity_usd=Decimal(10**9),
            cash_usd=Decimal(10**9),
            buying_power_usd=Decimal(4 * 10**9),
            trading_blocked=False,
        ),
    )


def _body(number: int, series: str = "b") -> bytes:
    return (
        f'{{"type":"intent.submit.v1","intent_id":"{series}{number}","symbol":"AAPL","side":"buy","qty":"1",'
        '"order_type":"limit","limit_price":"189.12","time_in_force":"day","meta":{"strategy":"bench"}}'
    ).encode()


def _evidence(at: datetime = NOW) -> Evidence:
    quote = Quote(
        symbol=AAPL,
        bid_price=Decimal("189.10"),
        ask_price=Decimal("189.12"),
        bid_size=Decimal(100),
        ask_size=Decimal(200),
        at=at,
        seq=1,
        source="bench",
    )
    stats = SymbolStats(
        symbol=AAPL,
        last_price=Decimal("189.11"),
        last_at=at,
        prior_close=Decimal(188),
        atr_usd=Decimal("3.1"),
        daily_volume=Decimal(50_000_000),
        at=at,
        source="bench",
    )
    regime = RegimeChanged(symbol=AAPL, regime=Regime.CHOP, previous=None, confidence=Decimal(1), reasons=(), at=at)
    return Evidence(received_at=at, decided_at=at, trading_day=NOW.date(), quote=quote, stats=stats, regime=regime)


def _stated(number: int, series: str = "b") -> Stated:
    return Stated(PAPER, DEMO, IntentId(f"{series}{number}"), _body(number, series), number)


def _state(open_orders: int) -> AccountState:
    """Let a working account come to be; the orders before came at a steady pace and end where the clock stands."""
    state = account.EMPTY
    for seq, event in enumerate(_told(), 1):
        state = account.evolve(state, event, seq)
    evidence = _evidence()
    for number in range(open_orders):
        ago = timedelta(seconds=(open_orders - number) // _PER_S)
        decision = decide(state, _stated(number, "o"), evidence, STAMP)
        if decision.outcome is not Outcome.APPROVED:
            raise AssertionError(f"an order of the benchmark was denied: {decision.reason}")
        before = replace(decision, evidence=replace(evidence, decided_at=NOW - ago))
        state = account.evolve(state, before, POSITIONS + 10 + number)
    return state


def decisions(open_orders: int, count: int = 5_000) -> Figure:
    """Time `decide` from the intent's bytes to the decision's, with so many orders open and 200 positions."""
    state, evidence = _state(open_orders), _evidence()
    intents = [_stated(number) for number in range(count)]
    checks = len(checks_of(decide(state, intents[0], evidence, STAMP)))
    gc.collect()
    gc.freeze()
    times_us: list[float] = []
    for stated in intents:
        began = time.perf_counter_ns()
        codec.encode(decide(state, stated, evidence, STAMP))
        times_us.append((time.perf_counter_ns() - began) / 1000)
    gc.unfreeze()
    named = f"decide, bytes to bytes, {open_orders:,} open orders, {checks} controls"
    return figure(named, times_us, "budget p50 15, p99 50")
