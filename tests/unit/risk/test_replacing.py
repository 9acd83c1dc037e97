"""A replace is decided on what the order would become, at the worse of both terms, and turns nothing around."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.decisions import Decision, checks_of
from contracts.enums import Action, OrderStatus, Outcome, Side
from contracts.ids import FillId, OrderId
from contracts.limits import LimitSet
from contracts.orders import (
    OrderCanceled,
    OrderCancelRequested,
    OrderFilled,
    OrderReplaceRejected,
    OrderWorking,
)
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from services.risk.checks import controls_under
from tests.risk_world import (
    AAPL,
    DEMO,
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

D = Decimal
READY = (limits_set(max_order_notional_usd=D(2_000)), observed())
BUY = answer(state_of(*READY), body())
ORDER = OrderId(str(BUY.order_id))
ON: dict[str, Any] = {"epoch": 1, "at": NOW, "order_id": ORDER}
WORKING = OrderWorking(**ON, broker_status="new")
WORKS = state_of(*READY, BUY, WORKING)


def change(state: AccountState, seen: Any = None, agent: str = DEMO, **fields: Any) -> Decision:
    return answer(state, intent("replace", order_id=ORDER, **fields), seen, agent=agent)


def code(decision: Decision) -> C:
    assert decision.reason is not None, decision.outcome
    return decision.reason.code


def sold(qty: str, limit: str = "100.00", *before: Any) -> tuple[Any, ...]:
    """A position of 10, and an exit of it that works."""
    events = (*READY, bought("10"), *before)
    exit_order = answer(state_of(*events), body(side="sell", qty=qty, limit_price=limit))
    return (*events, exit_order, WORKING)


def filled(qty: str) -> OrderFilled:
    return OrderFilled(
        **ON,
        fill_id=FillId("f"),
        symbol=AAPL,
        side=Side.BUY,
        qty=D(qty),
        price=D(100),
        cum_qty=D(qty),
        filled_at=NOW,
    )


def test_a_replace_is_approved_with_the_merged_terms_and_a_reservation_for_them() -> None:
    decision = change(WORKS, qty="12", limit_price="99.50", time_in_force="gtc")
    assert (decision.outcome, decision.action, decision.order_id) == (Outcome.APPROVED, Action.REPLACE, ORDER)
    assert decision.terms == replace(WORKS.orders[ORDER].terms, qty=D(12), limit_price=D("99.5"), time_in_force="gtc")
    reservation = decision.reservation
    assert reservation is not None
    assert (reservation.qty, reservation.price_usd, reservation.notional_usd) == (D(12), D("99.5"), D(1194))
    assert not reservation.reduces
    assert decision.valid_until is not None
    assert len(checks_of(decision)) == len(controls_under(LimitSet()))


def test_what_is_left_out_stays_as_it_is() -> None:
    assert change(WORKS, qty="5").terms == replace(WORKS.orders[ORDER].terms, qty=D(5))


def test_limits_are_held_against_the_larger_quantity_at_the_higher_price() -> None:
    state = state_of(limits_set(max_position_notional_usd=D(1_150)), observed(), BUY, WORKING)
    assert change(state, qty="11").outcome is Outcome.APPROVED
    assert change(state, qty="12", limit_price="90.00").reason is not None  # 1,080 alone; 1,200 until it is confirmed
    reason = change(state, qty="12").reason
    assert reason is not None
    assert (reason.code, reason.attempted, reason.max_acceptable_qty) == (C.MAX_POSITION_NOTIONAL, D(1_200), D(11))
    after = account.evolve(state, change(state, qty="11"), 9)
    assert after.exposure.of(AAPL).buy_notional_usd == D(1_100)


def test_the_quantity_that_is_offered_counts_what_is_filled_already() -> None:
    state = state_of(limits_set(max_position_notional_usd=D(1_150)), observed(), BUY, WORKING, filled("4"))
    reason = change(state, qty="20").reason
    assert reason is not None
    assert (reason.code, reason.max_acceptable_qty) == (C.MAX_POSITION_NOTIONAL, D(11))
    assert change(state, qty="11").outcome is Outcome.APPROVED


@pytest.mark.parametrize("changes", [{"qty": "9"}, {"limit_price": "99.00"}, {"qty": "5", "limit_price": "1.00"}])
@pytest.mark.parametrize("more", [kill(), observed("90000"), limits_set(2, order_rate_per_min=0)])
def test_a_replace_that_only_lowers_passes_like_an_exit(changes: dict[str, str], more: Any) -> None:
    decision = change(state_of(*READY, BUY, WORKING, more), evidence(), **changes)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    assert decision.reservation is not None
    assert decision.reservation.reduces


@pytest.mark.parametrize("changes", [{"qty": "11"}, {"limit_price": "100.01"}, {"qty": "5", "limit_price": "101.00"}])
def test_a_replace_that_raises_anything_is_new_risk(changes: dict[str, str]) -> None:
    assert code(change(state_of(*READY, BUY, WORKING, kill()), **changes)) is C.KILL_SWITCH


NEARER: list[tuple[dict[str, Any], dict[str, str]]] = [
    ({"order_type": "stop", "limit_price": None, "stop_price": "110.00"}, {"stop_price": "100.01"}),
    ({"side": "sell", "limit_price": "110.00"}, {"limit_price": "90.00"}),
    ({"side": "sell", "order_type": "stop", "limit_price": None, "stop_price": "90.00"}, {"stop_price": "99.00"}),
    ({"order_type": "trailing_stop", "limit_price": None, "trail_price": "9.00"}, {"trail": "0.01"}),
    ({"order_type": "trailing_stop", "limit_price": None, "trail_percent": "9"}, {"trail": "0.1"}),
    ({}, {"time_in_force": "gtc"}),
]


@pytest.mark.parametrize(("terms", "changes"), NEARER)
def test_an_entry_that_would_trade_sooner_or_wait_longer_is_new_risk(terms: Any, changes: Any) -> None:
    entry = answer(state_of(*READY), body(**terms))
    assert code(change(state_of(*READY, entry, WORKING, kill()), **changes)) is C.KILL_SWITCH


def test_a_short_sale_is_not_brought_below_the_bid_by_a_replace() -> None:
    limits = limits_set(limit_collar_bps=D(50))
    short = answer(state_of(limits, observed()), body(side="sell", limit_price="110.00"))
    assert code(change(state_of(limits, observed(), short, WORKING), limit_price="90.00")) is C.PRICE_COLLAR


def test_replaces_count_in_the_order_rate_but_not_among_the_days_orders() -> None:
    state = state_of(limits_set(order_rate_per_min=2, max_daily_trades=1), observed(), BUY, WORKING)
    first = change(state, qty="11")
    assert (first.headroom.orders_this_minute, first.headroom.daily_trades) == (2, 0)
    state = account.evolve(account.evolve(state, first, 9), OrderReplaceRejected(**ON, detail="no"), 10)
    assert code(change(state, qty="11")) is C.ORDER_RATE


def test_an_exit_may_grow_to_what_is_held_and_no_further() -> None:
    killed = state_of(*sold("4"), kill())
    assert change(killed, qty="10", limit_price="120.00").outcome is Outcome.APPROVED
    reason = change(state_of(*sold("4")), qty="11").reason
    assert reason is not None
    assert (reason.code, reason.max_acceptable_qty) == (C.CROSSES_ZERO, D(10))


def test_an_exit_whose_position_is_gone_may_only_be_made_smaller() -> None:
    gone = replace(bought("10", side=Side.SELL), fill_id=FillId("other"), order_id=OrderId("other"))
    state = state_of(*sold("4"), gone)
    assert change(state, qty="3").outcome is Outcome.APPROVED
    assert code(change(state, qty="5")) is C.CROSSES_ZERO
    assert code(change(state, limit_price="105.00")) is C.CROSSES_ZERO


@pytest.mark.parametrize(
    ("events", "status"),
    [
        ((), OrderStatus.PENDING_SUBMIT),
        ((WORKING, OrderCancelRequested(**ON, requested_by=DEMO)), OrderStatus.PENDING_CANCEL),
        ((WORKING, OrderCanceled(**ON)), OrderStatus.CANCELED),
    ],
)
def test_an_order_that_does_not_stand_at_the_broker_cannot_be_replaced(events: Any, status: OrderStatus) -> None:
    state = state_of(*READY, BUY, *events)
    assert state.orders[ORDER].status is status
    assert code(change(state, qty="5")) is C.ORDER_NOT_WORKING


def test_one_replace_at_a_time() -> None:
    state = account.evolve(WORKS, change(WORKS, qty="11"), 9)
    reason = change(state, qty="12").reason
    assert reason is not None
    assert (reason.code, reason.retryable) == (C.REPLACE_PENDING, True)
    again = account.evolve(state, OrderReplaceRejected(**ON, detail="no"), 10)
    assert change(again, qty="12").outcome is Outcome.APPROVED


def test_an_order_is_replaced_by_its_agent_or_the_operator() -> None:
    assert code(change(WORKS, qty="5", agent="eve")) is C.NOT_YOUR_ORDER
    assert change(WORKS, qty="5", agent="_operator").outcome is Outcome.APPROVED


def test_nothing_that_changes_is_nothing_to_do() -> None:
    assert code(change(WORKS)) is C.NOTHING_CHANGES
    assert code(change(WORKS, qty="10", limit_price="100")) is C.NOTHING_CHANGES


def test_a_quantity_must_leave_something_to_fill() -> None:
    state = state_of(*READY, BUY, WORKING, filled("4"))
    reason = change(state, qty="4").reason
    assert reason is not None
    assert (reason.code, reason.limit) == (C.INVALID_QTY, D(4))
    assert change(state, qty="5").outcome is Outcome.APPROVED


def working(**fields: Any) -> AccountState:
    """The account with one working order of other terms."""
    approved = answer(state_of(*READY), body(**fields))
    assert approved.outcome is Outcome.APPROVED, approved.reason
    return state_of(*READY, approved, WORKING)


TRAILING = {"order_type": "trailing_stop", "limit_price": None}
BRACKET = {"order_class": "bracket", "take_profit": {"limit_price": "110"}, "stop_loss": {"stop_price": "90"}}


@pytest.mark.parametrize(
    ("terms", "changes", "expected"),
    [
        ({}, {"stop_price": "90"}, C.INVALID_COMBINATION),
        ({}, {"trail": "1"}, C.INVALID_COMBINATION),
        ({"order_type": "market", "limit_price": None}, {"limit_price": "90"}, C.INVALID_COMBINATION),
        ({}, {"limit_price": "100.001"}, C.INVALID_PRICE),
        ({}, {"qty": "-1"}, C.INVALID_QTY),
        ({}, {"qty": "9.5"}, C.INVALID_COMBINATION),
        ({"qty": "9.5"}, {"qty": "9"}, C.INVALID_COMBINATION),
        ({"qty": "9.5"}, {"time_in_force": "gtc"}, C.INVALID_COMBINATION),
        (
            {"qty": None, "notional_usd": "500", "order_type": "market", "limit_price": None},
            {"qty": "2"},
            C.UNSUPPORTED,
        ),
        ({**TRAILING, "trail_price": "1"}, {"trail": "1.001"}, C.INVALID_PRICE),
        ({**TRAILING, "trail_percent": "1"}, {"trail": "100"}, C.INVALID_PRICE),
        ({**TRAILING, "trail_percent": "1"}, {"time_in_force": "ioc"}, C.INVALID_COMBINATION),
        (BRACKET, {"qty": "5"}, C.INVALID_COMBINATION),
        (BRACKET, {"limit_price": "89.00"}, C.INVALID_COMBINATION),
    ],
)
def test_alpacas_rules_on_replacing_are_checked_first(terms: Any, changes: Any, expected: C) -> None:
    assert code(change(working(**terms), **changes)) is expected


@pytest.mark.parametrize(
    ("terms", "changes"),
    [
        ({"qty": "9.5"}, {"limit_price": "99.00"}),
        ({**TRAILING, "trail_price": "2"}, {"trail": "1"}),
        ({**TRAILING, "trail_percent": "2"}, {"trail": "1.5"}),
        ({"order_type": "stop", "limit_price": None, "stop_price": "110"}, {"stop_price": "105"}),
        (BRACKET, {"limit_price": "99.00"}),
    ],
)
def test_what_alpaca_lets_change_changes(terms: Any, changes: Any) -> None:
    decision = change(working(**terms), evidence(quote()), **changes)
    assert decision.outcome is Outcome.APPROVED, decision.reason
