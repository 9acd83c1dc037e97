"""What decisions come to one after the other, and beside the controls: sizes, cancels, headroom."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.enums import Action, Outcome, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderCanceled
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from services.risk.decider import decide
from tests.risk_world import NOW, STAMP, answer, body, bought, evidence, limits_set, observed, quote, state_of, stated

D = Decimal
READY = (limits_set(), observed())
LONG = state_of(*READY, bought("10"))
OPEN = evidence(quote())


def ready(**limits: Any) -> AccountState:
    return state_of(limits_set(**limits), observed())


def after_intents(count: int, state: AccountState, **fields: Any) -> list[Outcome]:
    """State the same order under new ids, one after the other, and give the outcomes."""
    outcomes: list[Outcome] = []
    for number in range(count):
        intent_id = f"i{number}"
        decision = decide(state, stated(body(intent_id, **fields), intent_id), OPEN, STAMP)
        state = account.evolve(state, decision, number)
        outcomes.append(decision.outcome)
    return outcomes


def test_of_eight_working_buys_of_4000_a_limit_of_10000_lets_exactly_two_pass() -> None:
    state = ready(max_position_notional_usd=D(10_000))
    outcomes = after_intents(8, state, qty="40")
    assert outcomes == [Outcome.APPROVED] * 2 + [Outcome.DENIED] * 6


@pytest.mark.parametrize("side", ["buy", "sell"])
@pytest.mark.parametrize(
    "limits",
    [
        {"max_position_notional_usd": D(3_000)},
        {"max_gross_exposure_usd": D(3_000)},
        {"max_net_exposure_usd": D(3_000)},
        {"max_order_notional_usd": D(1_029)},
        {"max_daily_trades": 2},
        {"order_rate_per_min": 2},
    ],
    ids=lambda limits: next(iter(limits)),
)
def test_no_number_of_orders_gets_past_a_limit(side: str, limits: dict[str, Any]) -> None:
    approved = after_intents(20, ready(**limits), side=side).count(Outcome.APPROVED)
    expected = {"max_order_notional_usd": 10 if side == "buy" else 0, "max_daily_trades": 2, "order_rate_per_min": 2}
    assert approved == expected.get(next(iter(limits)), 3 if side == "buy" else 2)


def test_the_quantity_that_is_offered_passes_every_control_that_counts_size() -> None:
    state = ready(max_order_notional_usd=D(900), max_position_notional_usd=D(700), max_net_exposure_usd=D(555))
    reason = answer(state, body()).reason
    assert reason is not None
    assert (reason.code, reason.max_acceptable_qty) == (C.MAX_ORDER_NOTIONAL, D(5))
    assert answer(state, body(qty="5")).outcome is Outcome.APPROVED
    assert answer(state, body(qty="6")).outcome is Outcome.DENIED


def test_a_clock_that_falls_back_to_yesterday_gets_no_new_trades() -> None:
    state = ready(max_daily_trades=1)
    state = account.evolve(state, answer(state, body()), 9)
    yesterday = replace(OPEN, trading_day=NOW.date() - timedelta(days=1))
    reason = answer(state, body(), yesterday).reason
    assert reason is not None
    assert reason.code is C.MAX_DAILY_TRADES


def test_a_cover_that_still_works_no_longer_shields_the_other_symbols() -> None:
    start = (limits_set(max_net_exposure_usd=D(1_000), order_rate_per_min=99), observed())
    short = replace(bought("10", side=Side.SELL), symbol=Symbol("SPY"))
    spy_seen = evidence(replace(quote(), symbol=Symbol("SPY")))
    cover = answer(state_of(*start, short), body(symbol="SPY"), spy_seen)
    assert answer(state_of(*start, short), body(qty="20")).outcome is Outcome.APPROVED
    reason = answer(state_of(*start, short, cover), body(qty="20")).reason
    assert reason is not None
    assert (reason.code, reason.headroom) == (C.MAX_NET_EXPOSURE, D(1_000))


def test_a_cancel_of_an_ended_order_says_so() -> None:
    approved = answer(ready(), body())
    order_id = OrderId(str(approved.order_id))
    state = state_of(*READY, approved, OrderCanceled(epoch=1, at=NOW, order_id=order_id))
    content = f'{{"type":"intent.cancel.v1","intent_id":"i","order_id":"{order_id}"}}'.encode()
    reason = answer(state, content).reason
    assert reason is not None
    assert (reason.code, answer(state, content).action) == (C.ORDER_NOT_WORKING, Action.CANCEL)


def test_headroom_after_an_approval_is_what_the_order_leaves() -> None:
    left = answer(state_of(*READY, bought("10")), body()).headroom
    assert left.position_usd == D(10_000) - D("999.95") - D(1_000)
    assert left.gross_exposure_usd == D(50_000) - D("999.95") - D(1_000)
    assert left.net_exposure_usd == D(25_000) - D("999.95") - D(1_000)
    assert (left.daily_loss_usd, left.drawdown_usd) == (D(1_000), D(500))
    assert (left.daily_trades, left.orders_this_minute) == (99, 1)


def test_figures_that_nobody_knows_leave_no_headroom_to_show() -> None:
    left = answer(state_of(limits_set(), observed("NaN")), body()).headroom
    assert (left.daily_loss_usd, left.drawdown_usd) == (None, None)


@pytest.mark.parametrize("side", ["buy", "sell"])
def test_a_market_order_of_a_million_without_a_quote_is_denied(side: str) -> None:
    content = body(side=side, qty="1000000", order_type="market", limit_price=None)
    reason = answer(ready(max_order_notional_usd=D(10**12)), content, evidence()).reason
    assert reason is not None
    assert reason.code is C.NO_QUOTE


def test_a_reducing_order_counts_at_the_mark_even_when_its_limit_says_less() -> None:
    reservation = answer(LONG, body(side="sell", limit_price="0.01")).reservation
    assert reservation is not None
    assert (reservation.reduces, reservation.price_usd) == (True, D(100))
