"""What the pure core costs: one decision from bytes to bytes, and one event folded."""

import gc
import time
from datetime import UTC, datetime
from decimal import Decimal

from contracts import codec
from contracts.broker import AccountObserved
from contracts.controls import LimitsSet
from contracts.decisions import Evidence
from contracts.ids import AccountId, AgentId, IntentId, Symbol
from contracts.limits import LimitSet
from contracts.market import Quote
from ops.bench.figures import Figure, figure
from projections import account
from projections.account import AccountState
from services.risk.decider import Stamp, Stated, decide

NOW = datetime(2026, 11, 23, 15, tzinfo=UTC)
HUGE = Decimal(10**11)
PAPER, DEMO = AccountId("paper"), AgentId("demo")
STAMP = Stamp(1, "bench", 2)


def _wide() -> LimitSet:
    return LimitSet(
        max_order_notional_usd=HUGE,
        max_position_notional_usd=HUGE,
        max_gross_exposure_usd=HUGE,
        max_net_exposure_usd=HUGE,
        max_daily_trades=10**9,
        order_rate_per_min=10**9,
    )


def _body(number: int) -> bytes:
    return (
        f'{{"type":"intent.submit.v1","intent_id":"b{number}","symbol":"AAPL","side":"buy","qty":"1",'
        '"order_type":"limit","limit_price":"189.12","time_in_force":"day","meta":{"strategy":"bench"}}'
    ).encode()


def _evidence() -> Evidence:
    quote = Quote(
        symbol=Symbol("AAPL"),
        bid_price=Decimal("189.10"),
        ask_price=Decimal("189.12"),
        bid_size=Decimal(100),
        ask_size=Decimal(200),
        at=NOW,
        seq=1,
        source="bench",
    )
    return Evidence(received_at=NOW, decided_at=NOW, trading_day=NOW.date(), quote=quote)


def _state(open_orders: int) -> AccountState:
    limits = LimitsSet(epoch=0, at=NOW, version=1, limits=_wide(), by="bench", reason="bench")
    seen = AccountObserved(
        epoch=1,
        at=NOW,
        trading_day=NOW.date(),
        equity_usd=Decimal(100_000),
        last_equity_usd=Decimal(100_000),
        cash_usd=Decimal(100_000),
        buying_power_usd=Decimal(400_000),
        trading_blocked=False,
    )
    state = account.evolve(account.evolve(account.EMPTY, limits, 1), seen, 2)
    for number in range(open_orders):
        stated = Stated(PAPER, DEMO, IntentId(f"o{number}"), _body(number).replace(b'"b', b'"o', 1), number)
        state = account.evolve(state, decide(state, stated, _evidence(), STAMP), 3 + number)
    return state


def decisions(open_orders: int, count: int = 5_000) -> Figure:
    """Time `decide` from the intent's bytes to the decision's, with so many orders open."""
    state, evidence = _state(open_orders), _evidence()
    intents = [(IntentId(f"b{n}"), _body(n)) for n in range(count)]
    gc.collect()
    gc.freeze()
    times_us: list[float] = []
    for number, (intent_id, body) in enumerate(intents):
        began = time.perf_counter_ns()
        codec.encode(decide(state, Stated(PAPER, DEMO, intent_id, body, number), evidence, STAMP))
        times_us.append((time.perf_counter_ns() - began) / 1000)
    gc.unfreeze()
    return figure(f"decide, bytes to bytes, {open_orders:,} open orders", times_us, "budget p50 15, p99 50")
