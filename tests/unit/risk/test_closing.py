"""Closing a position and canceling everything: what cuts risk is never in the way of itself."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts import codec
from contracts.decisions import Decision, checks_of
from contracts.enums import Action, OrderType, Outcome, Side, TimeInForce
from contracts.ids import OPERATOR, AgentId, FillId, OrderId, Symbol
from contracts.orders import OrderCanceled
from contracts.reasons import DenialCode as C
from projections import account
from projections.account import AccountState
from services.risk import canceling
from tests.risk_world import (
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
    state_of,
)

D = Decimal
READY = (limits_set(), observed())
LONG, SHORT = (*READY, bought("10")), (*READY, bought("10", side=Side.SELL))


def close(state: AccountState, **fields: Any) -> Decision:
    return answer(state, intent("close", symbol="AAPL", **fields), evidence())


def code(decision: Decision) -> C:
    assert decision.reason is not None, decision.outcome
    return decision.reason.code


@pytest.mark.parametrize(
    ("held", "fields", "side", "qty"),
    [
        (LONG, {}, Side.SELL, "10"),
        (LONG, {"qty": "2.5"}, Side.SELL, "2.5"),
        (LONG, {"percent": "100"}, Side.SELL, "10"),
        (LONG, {"percent": "33.333333333"}, Side.SELL, "3.333333333"),
        (SHORT, {}, Side.BUY, "10"),
        (SHORT, {"percent": "25"}, Side.BUY, "2"),
    ],
)
def test_a_close_is_a_market_day_order_that_reduces(held: Any, fields: Any, side: Side, qty: str) -> None:
    decision = close(state_of(*held, kill()), **fields)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    terms, reservation = decision.terms, decision.reservation
    assert terms is not None
    assert reservation is not None
    assert (decision.action, terms.side, terms.qty, reservation.reduces) == (Action.SUBMIT, side, D(qty), True)
    assert (terms.order_type, terms.time_in_force) == (OrderType.MARKET, TimeInForce.DAY)


def test_a_close_takes_what_working_exits_leave() -> None:
    exit_order = answer(state_of(*LONG), body(side="sell", qty="4", limit_price="120.00"))
    state = state_of(*LONG, exit_order)
    all_of_it, half, too_much = close(state), close(state, percent="50"), close(state, qty="7")
    assert all_of_it.terms is not None
    assert half.terms is not None
    assert (all_of_it.terms.qty, half.terms.qty) == (D(6), D(3))
    assert too_much.reason is not None
    assert (too_much.reason.code, too_much.reason.max_acceptable_qty) == (C.CROSSES_ZERO, D(6))


def test_a_close_says_when_working_exits_hold_everything() -> None:
    exit_order = answer(state_of(*LONG), body(side="sell", limit_price="120.00"))
    reason = close(state_of(*LONG, exit_order)).reason
    assert reason is not None
    assert (reason.code, reason.max_acceptable_qty) == (C.CROSSES_ZERO, D(0))
    assert "cancel them first" in reason.message


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"qty": "1", "percent": "1"}, C.INVALID_QTY),
        ({"qty": "0"}, C.INVALID_QTY),
        ({"percent": "100.1"}, C.INVALID_QTY),
        ({"percent": "-5"}, C.INVALID_QTY),
        ({"percent": "0.0000000001"}, C.INVALID_QTY),
    ],
)
def test_a_close_states_a_quantity_that_makes_sense_or_none(fields: Any, expected: C) -> None:
    assert code(close(state_of(*LONG), **fields)) is expected


def test_a_percentage_that_comes_to_no_share_says_so() -> None:
    assert code(close(state_of(*SHORT), percent="9")) is C.INVALID_QTY
    assert code(close(state_of(*READY, bought("0.000000001")), percent="50")) is C.INVALID_QTY


def test_what_is_not_held_cannot_be_closed() -> None:
    assert code(close(state_of(*READY))) is C.NO_POSITION


def opened() -> AccountState:
    """Two orders of demo in two symbols, one of eve, and one that has ended."""
    state = state_of(*READY)
    for number, (symbol, agent) in enumerate([("AAPL", DEMO), ("SPY", DEMO), ("AAPL", "eve"), ("AAPL", DEMO)]):
        approved = replace(answer(state, body(qty="1")), agent=AgentId(agent), order_id=OrderId(f"lg-{9 - number}"))
        assert approved.terms is not None
        approved = replace(approved, terms=replace(approved.terms, symbol=Symbol(symbol)))
        state = account.evolve(state, approved, number + 5)
    return account.evolve(state, OrderCanceled(epoch=1, at=NOW, order_id=OrderId("lg-6")), 20)


@pytest.mark.parametrize(
    ("agent", "fields", "named"),
    [
        (DEMO, {}, ("lg-8", "lg-9")),
        (DEMO, {"symbol": "SPY"}, ("lg-8",)),
        ("eve", {}, ("lg-7",)),
        ("nobody", {}, ()),
        ("_operator", {}, ("lg-7", "lg-8", "lg-9")),
        ("_operator", {"symbol": "AAPL"}, ("lg-7", "lg-9")),
    ],
)
def test_a_cancel_of_all_names_the_open_orders_of_whoever_asks(agent: str, fields: Any, named: Any) -> None:
    late = evidence(None, received_at=NOW.replace(year=2020))
    decision = answer(opened(), intent("cancel_all", **fields), late, agent=agent)
    assert (decision.outcome, decision.action, decision.order_ids) == (Outcome.APPROVED, Action.CANCEL_ALL, named)
    assert codec.decode_event(codec.encode(decision)) == decision


def test_a_cancel_of_all_in_a_symbol_that_is_none_is_denied() -> None:
    assert code(answer(opened(), intent("cancel_all", symbol="aapl"))) is C.INVALID_SYMBOL


def test_a_cancel_of_very_many_orders_says_that_more_are_open(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(canceling, "ORDERS_MAX", 2)
    decision = answer(opened(), intent("cancel_all"), agent="_operator")
    assert (len(decision.order_ids), checks_of(decision)[0].name) == (2, "cancel_all")


@pytest.mark.parametrize("first", ["bob", OPERATOR])
@pytest.mark.parametrize(("opens", "leaves"), [(Side.BUY, Side.SELL), (Side.SELL, Side.BUY)])
def test_common_shares_are_closed_by_one_and_not_by_two(first: str, opens: Side, leaves: Side) -> None:
    mine = answer(state_of(*READY), body(side=opens))
    assert mine.order_id is not None
    fill = replace(bought("10", side=opens), order_id=mine.order_id, fill_id=FillId("mine"))
    state = state_of(*READY, mine, fill, bought("10", side=opens))
    exits = answer(state, body(side=leaves), agent=first)
    assert exits.outcome is Outcome.APPROVED, exits.reason
    state = account.evolve(state, exits, 9)
    assert code(answer(state, body(side=leaves), agent="carol")) is C.CROSSES_ZERO
    own = answer(account.evolve(state, kill(), 10), body(side=leaves))
    assert own.reservation is not None
    assert own.reservation.reduces
