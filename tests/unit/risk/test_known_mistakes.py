"""Mistakes that were measured in other systems of this kind, each with the right answer."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from contracts import codec
from contracts.enums import KillMode, Outcome, TradingState
from contracts.ids import OrderId
from contracts.reasons import DenialCode as C
from projections import account
from projections.trading_state import trading_state_of
from services.gateway.same_intent import is_same
from services.risk.decider import decide
from services.risk.market import NOTHING_SEEN, MarketWatch
from tests.risk_world import (
    AAPL,
    NOW,
    STAMP,
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
    stated,
)
from tests.unit.risk.rows_trips import Desk

D = Decimal
READY = (limits_set(), observed())
MARKET = {"order_type": "market", "limit_price": None}


def code(state: Any, content: bytes, seen: Any = None, agent: str = "demo") -> C | None:
    reason = answer(state, content, seen, agent).reason
    return None if reason is None else reason.code


def test_a_market_buy_of_a_million_shares_without_a_quote_does_not_pass() -> None:
    assert code(state_of(*READY), body(qty="1000000", **MARKET), evidence()) is C.NO_QUOTE


@pytest.mark.parametrize("qty", ["-10", "0", "-0.000000001"])
def test_a_quantity_of_nothing_or_less_does_not_pass(qty: str) -> None:
    assert code(state_of(*READY), body(qty=qty)) is C.INVALID_QTY


def test_a_limit_far_above_an_old_quote_does_not_pass() -> None:
    old = evidence(quote(at=NOW - timedelta(minutes=5)))
    assert code(state_of(*READY), body(qty="1", limit_price="400.00"), old) is C.STALE_QUOTE


def test_a_limit_far_above_a_fresh_quote_counts_at_its_own_price() -> None:
    assert code(state_of(*READY), body(qty="13", limit_price="400.00")) is C.MAX_ORDER_NOTIONAL


def test_of_eight_working_orders_of_4000_two_fit_under_10000() -> None:
    state, outcomes = state_of(*READY), []
    for number in range(8):
        decision = decide(state, stated(body(f"i{number}", qty="40"), f"i{number}"), evidence(quote()), STAMP)
        state = account.evolve(state, decision, number)
        outcomes.append(decision.outcome)
    assert outcomes.count(Outcome.APPROVED) == 2


def test_the_same_key_with_another_body_is_another_intent_and_never_the_first_ones_answer() -> None:
    first = codec.decode_intent(body("key", qty="10"))
    assert is_same(first, body("key", qty="10.0"))
    assert not is_same(first, body("key", qty="11"))
    assert not is_same(first, body("key", side="sell"))


def test_five_rejections_between_five_acceptances_halt_nobody() -> None:
    desk = Desk("noisy", max_reject_streak=5, reject_window_ms=60_000, order_rate_per_min=20)
    for _ in range(5):
        desk.reject().accept()
    assert trading_state_of(desk.state) == (TradingState.ACTIVE, ())
    for agent in ("noisy", "quiet"):
        assert answer(desk.state, body(qty="1"), agent=agent).outcome is Outcome.APPROVED


def test_five_rejections_in_a_row_stop_their_agent_and_leave_the_account_trading() -> None:
    desk = Desk("noisy", max_reject_streak=5, reject_window_ms=60_000)
    for _ in range(5):
        desk.reject()
    assert trading_state_of(desk.state) == (TradingState.ACTIVE, ())
    assert code(desk.state, body(qty="1"), agent="noisy") is C.TRIPPED
    assert code(desk.state, body(qty="1"), agent="quiet") is None


@pytest.mark.parametrize("rails", [{}, {"trip_hysteresis_pct": D(20)}])
def test_a_drawdown_is_a_state_that_everybody_sees_and_not_only_denied_orders(rails: Any) -> None:
    state = state_of(limits_set(**rails), observed("100600"), observed("100100"))
    told, causes = trading_state_of(state)
    assert (told, causes[0]) == (TradingState.REDUCE_ONLY, "drawdown")
    assert code(state, body(qty="1")) is C.MAX_DRAWDOWN
    assert code(account.evolve(state, bought("10"), 9), body(side="sell", **MARKET)) is None


def test_denials_between_approvals_halt_nobody() -> None:
    state = state_of(*READY)
    for number in range(5):
        for content in (body("i", qty="1", meta={"reason": str(number)}), body("i", qty="-1")):
            state = account.evolve(state, answer(state, content, agent="noisy"), number)
    assert state.kill is None
    for agent in ("noisy", "quiet"):
        assert answer(state, body(qty="1"), agent=agent).outcome is Outcome.APPROVED


@pytest.mark.parametrize("content", [body(side="sell", **MARKET), intent("close", symbol="AAPL")])
@pytest.mark.parametrize("more", [observed("90000"), kill(KillMode.FLATTEN), kill(KillMode.CANCEL_ALL)])
def test_after_a_loss_or_a_kill_what_closes_still_passes(content: bytes, more: Any) -> None:
    assert code(state_of(*READY, bought("10"), more), content) is None


@pytest.mark.parametrize("content", [body(side="sell", qty="200", **MARKET), intent("close", symbol="AAPL")])
def test_a_long_worth_more_than_an_order_may_be_can_be_closed(content: bytes) -> None:
    decision = answer(state_of(*READY, bought("200")), content)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    assert decision.terms is not None
    assert decision.terms.qty == 200


def test_a_replace_is_decided_on_the_market_of_its_orders_symbol() -> None:
    approved = answer(state_of(*READY), body())
    state = state_of(*READY, approved)
    watch = MarketWatch()
    watch._quotes["quote.AAPL"] = (  # pyright: ignore[reportPrivateUsage] - as it comes off the wire
        b'{"type":"quote.v1","symbol":"AAPL","bid_price":"1","ask_price":"2","bid_size":"1","ask_size":"1",'
        b'"at":"2026-11-23T15:00:00Z","seq":1,"source":"test"}'
    )
    order_id = OrderId(str(approved.order_id))
    seen = watch.evidence_for(intent("replace", order_id=order_id, qty="1"), state).quote
    assert seen is not None
    assert seen.symbol == AAPL
    assert watch.evidence_for(intent("replace", order_id="lg-other"), state) == NOTHING_SEEN
    assert watch.evidence_for(intent("replace", order_id=5), state) == NOTHING_SEEN


def test_statistics_and_halts_of_the_symbol_are_evidence() -> None:
    watch, content = MarketWatch(), body()
    stats = b'{"type":"stats.v1","symbol":"AAPL","last_price":"100","last_at":"2026-11-23T14:59:00Z",'
    stats += b'"at":"2026-11-23T15:00:00Z","source":"test"}'
    halt = b'{"type":"status.v1","symbol":"AAPL","code":"H","message":"","reason_code":"T1","reason":"News",'
    halt += b'"at":"2026-11-23T15:00:00Z","source":"test"}'
    watch._keep(watch._stats, b"stats.AAPL", stats)  # pyright: ignore[reportPrivateUsage] - as it comes off the wire
    watch._keep(watch._statuses, b"status.AAPL", halt)  # pyright: ignore[reportPrivateUsage]
    seen = watch.evidence_for(content, state_of(*READY))
    assert seen.stats is not None
    assert seen.status is not None
    assert (seen.stats.last_price, seen.status.code, seen.quote) == (100, "H", None)
    watch._keep(watch._stats, b"stats.AAPL", halt)  # pyright: ignore[reportPrivateUsage]
    assert watch.evidence_for(content, state_of(*READY)).stats is None
