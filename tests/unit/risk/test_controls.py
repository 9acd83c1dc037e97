"""One row per control: at its limit it passes, one step above it denies, without its fact it denies."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace

from contracts import codec
from contracts.broker import BreakFound
from contracts.controls import KillReleased
from contracts.decisions import Evidence, checks_of
from contracts.enums import BreakKind, Outcome, Side
from contracts.ids import AgentId, OrderId
from contracts.limits import LimitSet
from contracts.orders import OrderUnknown, OrderWorking
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from services.risk.checks import CONTROLS, controls_under
from tests.risk_world import (
    NOW,
    answer,
    body,
    bought,
    evidence,
    intent,
    kill,
    limits_set,
    observed,
    quote,
    state_of,
)
from tests.unit.risk import (
    rows_conditions,
    rows_health,
    rows_layers,
    rows_loops,
    rows_mandates,
    rows_market,
    rows_portfolio,
    rows_regimes,
    rows_trips,
)
from tests.unit.risk.row import READY, Row, ready

D = Decimal
MS = timedelta(milliseconds=1)


def with_unknown() -> AccountState:
    approved = answer(ready(), body())
    unknown = OrderUnknown(epoch=1, at=NOW, order_id=OrderId(str(approved.order_id)), detail="timeout")
    return state_of(*READY, approved, unknown)


def after_orders(count: int, **limits: Any) -> AccountState:
    events: list[Any] = [limits_set(**limits), observed()]
    for number in range(count):
        events.append(answer(state_of(*events), body("i", qty="1", meta={"reason": str(number)})))
    return state_of(*events)


APPROVED = answer(ready(), body())
ORDER = OrderId(str(APPROVED.order_id))
WORKING = OrderWorking(epoch=1, at=NOW, order_id=ORDER, broker_status="new")


def changing(**fields: Any) -> bytes:
    return intent("replace", order_id=ORDER, **fields)


def closing(**fields: Any) -> bytes:
    return intent("close", symbol="AAPL", **fields)


def of_eve() -> AccountState:
    return state_of(*READY, replace(APPROVED, agent=AgentId("eve")), WORKING)


def being_replaced() -> AccountState:
    state = state_of(*READY, APPROVED, WORKING)
    return account.evolve(state, answer(state, changing(limit_price="99.00")), 9)


BROKEN = BreakFound(epoch=1, at=NOW, kind=BreakKind.POSITION, key="AAPL", ours="1", theirs="2", since=NOW)
BLOCKED = msgspec.structs.replace(observed(), trading_blocked=True)
RELEASED = KillReleased(epoch=0, at=NOW, by="op", reason="over")
OPEN = evidence(quote())
WIDE = evidence(quote("99.50", "100.50"))
AT_THE_LIMIT = [
    pytest.param(ready(max_order_notional_usd=D(1000)), body(), OPEN, id="order notional"),
    pytest.param(ready(max_position_notional_usd=D(1000)), body(), OPEN, id="position notional"),
    pytest.param(ready(max_gross_exposure_usd=D(1000)), body(), OPEN, id="gross exposure"),
    pytest.param(ready(max_net_exposure_usd=D(1000)), body(), OPEN, id="net exposure"),
    pytest.param(after_orders(2, order_rate_per_min=3), body(), OPEN, id="order rate"),
    pytest.param(after_orders(2, max_daily_trades=3), body(), OPEN, id="daily trades"),
    pytest.param(ready(quote_age_max_ms=500), body(), evidence(quote(at=NOW - 500 * MS)), id="quote age"),
    pytest.param(ready(max_spread_bps=D(100)), body(), WIDE, id="spread"),
    pytest.param(state_of(limits_set(), observed(at=NOW - 60_000 * MS)), body(), OPEN, id="account age"),
    pytest.param(state_of(limits_set(), observed("99000.01"), observed("99500")), body(), OPEN, id="daily loss"),
    pytest.param(state_of(limits_set(), observed("99501"), observed("99001.01")), body(), OPEN, id="drawdown"),
    pytest.param(ready(), body(), evidence(quote(), received_at=NOW - 30_000 * MS), id="intent age"),
    pytest.param(ready(), body(), evidence(quote(), received_at=NOW + 30_000 * MS), id="intent ahead"),
    pytest.param(ready(), body(), evidence(quote(at=NOW + 5_000 * MS)), id="quote ahead"),
    pytest.param(state_of(limits_set(), observed(at=NOW + 60_000 * MS)), body(), OPEN, id="account ahead"),
    pytest.param(ready(symbol_allowlist=("AAPL",)), body(), OPEN, id="allowlist"),
    pytest.param(state_of(*READY, kill(), RELEASED), body(), OPEN, id="kill switch"),
    pytest.param(state_of(*READY, bought("10")), body(side="sell", qty="10"), OPEN, id="crosses zero"),
    pytest.param(state_of(limits_set(), BLOCKED, bought("1")), body(side="sell", qty="1"), OPEN, id="blocked, exit"),
    *[pytest.param(*row, id=name) for name, *row in rows_mandates.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_conditions.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_loops.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_market.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_regimes.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_trips.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_health.PASSING],
    *[pytest.param(*row, id=name) for name, *row in rows_portfolio.PASSING],
]


@pytest.mark.parametrize(("state", "content", "seen"), AT_THE_LIMIT)
def test_at_its_limit_a_control_lets_the_order_pass(state: AccountState, content: bytes, seen: Evidence) -> None:
    decision = answer(state, content, seen)
    assert decision.outcome is Outcome.APPROVED, decision.reason


LONG = state_of(*READY, bought("10"))
ROWS = [
    Row(C.MALFORMED, ready(), b"{", OPEN),
    Row(C.MALFORMED, ready(), body(qty="ten"), OPEN),
    Row(C.INTENT_ID_MISMATCH, ready(), body("other"), OPEN),
    Row(C.INVALID_SYMBOL, ready(), body(symbol="aapl"), OPEN),
    Row(C.INVALID_QTY, ready(), body(qty="-10"), OPEN, attempted="-10"),
    Row(C.INVALID_QTY, ready(), body(qty="0"), OPEN, attempted="0"),
    Row(C.INVALID_QTY, ready(), body(qty="NaN"), OPEN),
    Row(C.INVALID_QTY, ready(), body(qty="Infinity"), OPEN),
    Row(C.INVALID_QTY, ready(), body(qty="1e400"), OPEN),
    Row(C.INVALID_QTY, ready(), body(qty="0.0000000001"), OPEN),
    Row(C.INVALID_QTY, ready(), body(qty=None), OPEN),
    Row(C.INVALID_PRICE, ready(), body(limit_price="0"), OPEN, attempted="0"),
    Row(C.INVALID_PRICE, ready(), body(limit_price="100.001"), OPEN, attempted="100.001"),
    Row(C.INVALID_COMBINATION, ready(), body(order_type="market"), OPEN),
    Row(C.INVALID_COMBINATION, ready(), body(limit_price=None), OPEN),
    Row(C.INVALID_COMBINATION, ready(), body(qty="0.5", time_in_force="gtc"), OPEN),
    Row(C.UNSUPPORTED, ready(), body(symbol="BTC/USD"), OPEN),
    Row(C.STALE_INTENT, ready(), body(), evidence(quote(), received_at=NOW - 30_001 * MS), "30000", "30001"),
    Row(C.STALE_INTENT, ready(), body(), evidence(quote(), received_at=NOW + 30_001 * MS), "30000", "-30001"),
    Row(C.NO_LIMITS, state_of(observed()), body(), OPEN),
    Row(C.ORDER_NOT_FOUND, ready(), changing(limit_price="99.00"), OPEN),
    Row(C.NOT_YOUR_ORDER, of_eve(), changing(limit_price="99.00"), OPEN),
    Row(C.ORDER_NOT_WORKING, state_of(*READY, APPROVED), changing(limit_price="99.00"), OPEN),
    Row(C.REPLACE_PENDING, being_replaced(), changing(limit_price="98.00"), OPEN),
    Row(C.NOTHING_CHANGES, state_of(*READY, APPROVED, WORKING), changing(limit_price="100.0", qty="10.0"), OPEN),
    Row(C.NO_POSITION, ready(), closing(), OPEN),
    Row(C.KILL_SWITCH, state_of(*READY, kill()), body(), OPEN),
    Row(C.SYMBOL_NOT_ALLOWED, ready(symbol_allowlist=()), body(), OPEN),
    Row(C.CROSSES_ZERO, LONG, body(side="sell", qty="11"), OPEN, "10", "11", "10", "10"),
    Row(C.ORDER_UNKNOWN_PENDING, with_unknown(), body(), OPEN, "0", "1"),
    Row(C.RECONCILIATION_BREAK, state_of(*READY, BROKEN), body(), OPEN, "0", "1"),
    Row(C.NO_ACCOUNT, state_of(limits_set()), body(), OPEN),
    Row(C.STALE_ACCOUNT, state_of(limits_set(), observed(at=NOW - 60_001 * MS)), body(), OPEN, "60000", "60001"),
    Row(C.ACCOUNT_BLOCKED, state_of(limits_set(), BLOCKED), body(), OPEN),
    Row(C.STALE_ACCOUNT, state_of(limits_set(), observed(at=NOW + 60_001 * MS)), body(), OPEN, "60000", "-60001"),
    Row(C.NO_ACCOUNT, state_of(limits_set(), observed("NaN")), body(), OPEN),
    Row(C.NO_ACCOUNT, state_of(limits_set(), observed("sNaN")), body(), OPEN),
    Row(C.NO_ACCOUNT, state_of(limits_set(), observed("Infinity")), body(), OPEN),
    Row(C.NO_ACCOUNT, state_of(limits_set(), observed(last_equity="NaN")), body(), OPEN),
    Row(C.NO_QUOTE, ready(), body(), evidence()),
    Row(C.NO_QUOTE, ready(symbol_allowlist=("MSFT",)), body(symbol="MSFT"), OPEN),
    Row(C.NO_QUOTE, ready(), body(order_type="market", limit_price=None, qty="1000000"), evidence()),
    Row(C.STALE_QUOTE, ready(), body(), evidence(quote(at=NOW - 5_001 * MS)), "5000", "5001"),
    Row(C.STALE_QUOTE, ready(), body(), evidence(quote(at=NOW + 5_001 * MS)), "5000", "-5001"),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="100.01", ask="100.00"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="99.99", ask="1e30"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="99.99", ask="100.0000000001"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="-1", ask="100.00"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="sNaN", ask="Infinity"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="NaN"))),
    Row(C.CROSSED_QUOTE, ready(), body(), evidence(quote(bid="0", ask="0"))),
    Row(C.MAX_SPREAD, ready(max_spread_bps=D("99.99")), body(), WIDE, "99.99", "100.00"),
    Row(C.MAX_SPREAD, ready(max_spread_bps=D(1)), body(), OPEN, "1", "1.01"),
    Row(
        C.MAX_DAILY_LOSS,
        state_of(limits_set(max_drawdown_usd=D(9999)), observed("99000")),
        body(),
        OPEN,
        "1000",
        "1000",
        headroom="0",
    ),
    Row(C.MAX_DRAWDOWN, state_of(*READY, observed("99500")), body(), OPEN, "500", "500", headroom="0"),
    Row(C.ORDER_RATE, after_orders(3, order_rate_per_min=3), body(), OPEN, "3", "4", headroom="0"),
    Row(C.MAX_DAILY_TRADES, after_orders(3, max_daily_trades=3), body(), OPEN, "3", "4", headroom="0"),
    Row(
        C.MAX_ORDER_NOTIONAL, ready(max_order_notional_usd=D("999.99")), body(), OPEN, "999.99", "1000", "9", "999.99"
    ),
    Row(
        C.MAX_POSITION_NOTIONAL,
        ready(max_position_notional_usd=D("999.99")),
        body(),
        OPEN,
        "999.99",
        "1000",
        "9",
        "999.99",
    ),
    Row(
        C.MAX_GROSS_EXPOSURE, ready(max_gross_exposure_usd=D("999.99")), body(), OPEN, "999.99", "1000", "9", "999.99"
    ),
    Row(C.MAX_NET_EXPOSURE, ready(max_net_exposure_usd=D("999.99")), body(), OPEN, "999.99", "1000", "9", "999.99"),
    *rows_mandates.ROWS,
    *rows_conditions.ROWS,
    *rows_loops.ROWS,
    *rows_market.ROWS,
    *rows_regimes.ROWS,
    *rows_trips.ROWS,
    *rows_health.ROWS,
    *rows_layers.ROWS,
    *rows_portfolio.ROWS,
]


@pytest.mark.parametrize("row", ROWS, ids=[f"{row.code}-{place}" for place, row in enumerate(ROWS)])
def test_one_step_above_or_without_its_fact_a_control_denies_with_its_numbers(row: Row) -> None:
    decision = answer(row.state, row.content, row.seen, row.agent)
    assert decision.outcome is Outcome.DENIED
    reason = decision.reason
    assert reason is not None
    numbers = row.limit, row.attempted, row.max_acceptable_qty, row.headroom
    expected = [None if number is None else D(number) for number in numbers]
    found = [reason.limit, reason.attempted, reason.max_acceptable_qty, reason.headroom]
    assert (reason.code, found) == (row.code, expected)
    assert codec.encode(codec.decode_event(codec.encode(decision))) == codec.encode(decision)


def test_every_denial_code_has_a_row() -> None:
    assert {row.code for row in ROWS} == set(C)


def test_controls_stand_in_the_order_in_which_reasons_win() -> None:
    codes = list(C)
    places = [codes.index(entry.codes[-1]) for entry in CONTROLS]
    assert places == sorted(places)


def test_the_first_reason_in_precedence_wins_and_all_controls_are_on_record() -> None:
    decision = answer(state_of(limits_set(symbol_allowlist=()), kill()), body(qty="1000"), evidence())
    assert decision.reason is not None
    assert decision.reason.code is C.KILL_SWITCH
    assert len(checks_of(decision)) == len(controls_under(LimitSet()))
    assert sum(not check.passed for check in checks_of(decision)) > 5


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(state_of(*READY, bought("10"), kill()), id="killed"),
        pytest.param(state_of(*READY, bought("10"), observed("90000")), id="daily loss"),
        pytest.param(state_of(limits_set(symbol_allowlist=()), observed(), bought("10")), id="not allowed"),
        pytest.param(state_of(limits_set(order_rate_per_min=0), observed(), bought("10")), id="rate"),
        pytest.param(state_of(limits_set(max_order_notional_usd=D(0)), observed(), bought("10")), id="order size"),
        pytest.param(state_of(limits_set(), bought("10")), id="no account"),
    ],
)
@pytest.mark.parametrize("seen", [OPEN, evidence()], ids=["quote", "no quote"])
def test_an_order_that_strictly_reduces_always_passes(state: AccountState, seen: Evidence) -> None:
    decision = answer(state, body(side="sell", order_type="market", limit_price=None), seen)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    assert decision.reservation is not None
    assert decision.reservation.reduces


def test_two_reducing_orders_together_cannot_turn_a_position_around() -> None:
    first = answer(LONG, body(side="sell", qty="6"))
    second = answer(state_of(*READY, bought("10"), first), body(side="sell", qty="6"))
    assert first.outcome is Outcome.APPROVED
    assert second.reason is not None
    assert (second.reason.code, second.reason.max_acceptable_qty) == (C.CROSSES_ZERO, D(4))


def test_a_short_sale_counts_at_the_worse_of_its_limit_and_the_marked_up_ask() -> None:
    decision = answer(ready(), body(side="sell", limit_price="100.00"))
    assert decision.reservation is not None
    assert decision.reservation.price_usd == D("103.00")
    cover = answer(state_of(*READY, bought("10", side=Side.SELL)), body(side="buy"))
    assert cover.reservation is not None
    assert cover.reservation.reduces


@pytest.mark.parametrize("field", ["max_order_notional_usd", "max_position_notional_usd", "max_daily_trades"])
def test_a_limit_of_zero_allows_nothing(field: str) -> None:
    zero = 0 if field == "max_daily_trades" else D(0)
    assert answer(ready(**{field: zero}), body(qty="0.000000001")).outcome is Outcome.DENIED


def test_deciding_twice_gives_the_same_bytes() -> None:
    for row in ROWS:
        assert codec.encode(answer(row.state, row.content, row.seen)) == codec.encode(
            answer(row.state, row.content, row.seen)
        )


def test_a_cancel_is_approved_for_ones_own_working_order_only() -> None:
    approved = answer(ready(), body())
    state = state_of(*READY, approved)
    cancel = f'{{"type":"intent.cancel.v1","intent_id":"i","order_id":"{approved.order_id}"}}'.encode()
    unknown = b'{"type":"intent.cancel.v1","intent_id":"i","order_id":"lg-nobody"}'
    assert answer(state, cancel).outcome is Outcome.APPROVED
    assert answer(state, cancel, agent="_operator").outcome is Outcome.APPROVED
    others, nobodys = answer(state, cancel, agent="eve").reason, answer(state, unknown).reason
    assert others is not None
    assert nobodys is not None
    assert (others.code, nobodys.code) == (C.NOT_YOUR_ORDER, C.ORDER_NOT_FOUND)


def test_a_cancel_passes_the_kill_switch_and_is_never_too_late() -> None:
    approved = answer(ready(), body())
    state = state_of(*READY, approved, kill())
    cancel = f'{{"type":"intent.cancel.v1","intent_id":"i","order_id":"{approved.order_id}"}}'.encode()
    late = evidence(None, received_at=NOW - 900_000 * MS)
    assert answer(state, cancel, late).outcome is Outcome.APPROVED
