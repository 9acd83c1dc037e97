"""Replacements, exits that cancel one another, and executions that the venue takes back."""

from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from contracts.broker import BreakFound, BreakHealed, CashMoved
from contracts.enums import Action, BreakKind, LegRole, OrderClass, OrderStatus, OrderType, Outcome, Side
from contracts.ids import FillId, OrderId, leg_id_for
from contracts.orders import (
    OrderBusted,
    OrderCanceled,
    OrderCompleted,
    OrderCorrected,
    OrderFilled,
    OrderLegAdded,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderTerms,
    OrderWorking,
)
from projections import account
from projections.account import AccountState
from projections.orders import evolve
from tests.risk_world import AAPL, DEMO, NOW, answer, body, bought, limits_set, observed, state_of

D, S = Decimal, OrderStatus
READY = (limits_set(), observed())
APPROVED = answer(state_of(*READY), body())
ORDER = OrderId(str(APPROVED.order_id))


def on(order_id: OrderId = ORDER) -> dict[str, Any]:
    return {"epoch": 1, "at": NOW, "order_id": order_id}


def fill(qty: str, price: str = "100", fill_id: str = "f1", order_id: OrderId = ORDER, **more: Any) -> OrderFilled:
    side = more.pop("side", Side.BUY)
    numbers = {"qty": D(qty), "price": D(price), "cum_qty": D(qty)}
    return OrderFilled(
        **on(order_id), fill_id=FillId(fill_id), symbol=AAPL, side=side, filled_at=NOW, **numbers, **more
    )


def replacing(qty: str, limit_price: str) -> Any:
    terms = replace(APPROVED.terms, qty=D(qty), limit_price=D(limit_price))  # pyright: ignore[reportArgumentType] - approved
    reservation = replace(APPROVED.reservation, qty=D(qty), price_usd=D(limit_price))  # pyright: ignore[reportArgumentType] - approved
    return replace(APPROVED, action=Action.REPLACE, terms=terms, reservation=reservation)


def buys(state: AccountState) -> tuple[Decimal, Decimal]:
    one = state.exposure.of(AAPL)
    return one.buy_qty, one.buy_notional_usd


def sells(state: AccountState) -> tuple[Decimal, Decimal]:
    one = state.exposure.of(AAPL)
    return one.sell_qty, one.sell_notional_usd


def order_of(state: AccountState, order_id: OrderId = ORDER) -> Any:
    return state.orders[order_id]


def test_while_a_replace_is_open_the_worse_of_both_terms_counts() -> None:
    wider = state_of(*READY, APPROVED, replacing("30", "90"))
    assert buys(wider) == (D(30), D(3000))
    narrower = state_of(*READY, APPROVED, replacing("4", "90"))
    assert buys(narrower) == (D(10), D(1000))


def test_a_replace_that_comes_true_leaves_the_new_terms_only() -> None:
    decision = replacing("4", "90")
    replaced = OrderReplaced(**on(), broker_order_id="b2", terms=decision.terms)
    state = state_of(*READY, APPROVED, OrderWorking(**on(), broker_status="new"), decision, replaced)
    assert buys(state) == (D(4), D(360))
    assert (order_of(state).replacement, order_of(state).broker_order_id) == (None, "b2")


def test_a_replace_that_is_refused_leaves_the_old_terms_only() -> None:
    asked = OrderReplaceRequested(**on(), requested_by=DEMO, decision_seq=4)
    refused = OrderReplaceRejected(**on(), detail="no")
    state = state_of(*READY, APPROVED, OrderWorking(**on(), broker_status="new"), replacing("30", "90"), asked)
    assert order_of(state).status is S.PENDING_REPLACE
    state = account.evolve(state, refused, 9)
    assert buys(state) == (D(10), D(1000))
    assert order_of(state).status is S.WORKING


def test_terms_that_nobody_approved_count_at_the_worst_price_ever_seen() -> None:
    terms = replace(APPROVED.terms, limit_price=D(50))  # pyright: ignore[reportArgumentType] - approved
    state = state_of(*READY, APPROVED, OrderReplaced(**on(), broker_order_id="b2", terms=terms))
    assert buys(state) == (D(10), D(1000))


def test_a_chain_of_replacements_knows_which_of_the_brokers_orders_filled() -> None:
    state = state_of(*READY, APPROVED)
    order = replace(order_of(state), broker_order_id="b1")
    order = evolve(order, fill("3", "99", "f1"), 5)
    order = evolve(order, OrderReplaced(**on(), broker_order_id="b2", terms=order.terms, carried_qty=D(3)), 6)
    order = evolve(order, fill("2", "98", "f2", broker_order_id="b2"), 7)
    order = evolve(order, fill("1", "97", "f3", broker_order_id="b1"), 8)
    assert (order.part("b1").filled_qty, order.part("b1").filled_usd) == (D(4), D(394))
    assert (order.part("b2").filled_qty, order.part("b2").carried_qty, order.part("b2").carried_usd) == (2, 3, 297)
    assert (order.filled_qty, order.working_qty, order.part("b9").filled_qty) == (D(6), D(4), D(0))


def leg(role: LegRole, price: str) -> OrderLegAdded:
    terms = OrderTerms(
        symbol=AAPL, side=Side.SELL, order_type=OrderType.LIMIT, qty=D(10), limit_price=D(price), stop_price=D(price)
    )
    return OrderLegAdded(
        **on(leg_id_for(ORDER, role)),
        agent=DEMO,
        parent_id=ORDER,
        role=role,
        client_order_id="c",
        broker_order_id=f"b-{role}",
        broker_status="held",
        terms=terms,
    )


TAKE, STOP = leg(LegRole.TAKE_PROFIT, "120"), leg(LegRole.STOP_LOSS, "90")
BRACKET = (*READY, APPROVED, TAKE, STOP)
WORKING_EXITS = [OrderWorking(**on(each.order_id), broker_status="new") for each in (TAKE, STOP)]


def test_exits_that_are_held_back_count_nothing() -> None:
    assert sells(state_of(*BRACKET)) == (D(0), D(0))


def test_of_exits_that_cancel_one_another_only_the_larger_counts() -> None:
    state = state_of(*BRACKET, fill("10"), *WORKING_EXITS)
    assert sells(state) == (D(10), D(1200))
    assert state.exposure.of(AAPL).reducible_qty(Side.SELL) == 0
    state = account.evolve(state, OrderCanceled(**on(TAKE.order_id)), 20)
    assert sells(state) == (D(10), D(1000))  # the stop counts at the entry's worst price
    state = account.evolve(state, OrderCanceled(**on(STOP.order_id)), 21)
    assert sells(state) == (D(0), D(0))
    assert state.open_orders == 0


def test_an_exit_belongs_to_its_entrys_agent_and_intent_and_reduces() -> None:
    exit_order = order_of(state_of(*BRACKET), STOP.order_id)
    assert (exit_order.agent, exit_order.intent_id, exit_order.reduces) == (DEMO, APPROVED.intent_id, True)
    assert (exit_order.status, exit_order.role) == (S.HELD, LegRole.STOP_LOSS)


def test_both_exits_of_an_oco_count_as_one() -> None:
    held = state_of(*READY, bought("10"))
    sell = answer(held, body(side="sell", limit_price="120.00"))
    assert sell.terms is not None
    terms = replace(sell.terms, order_class=OrderClass.OCO)
    parent = OrderId(str(sell.order_id))
    stop = replace(STOP, order_id=leg_id_for(parent, LegRole.STOP_LOSS), parent_id=parent)
    working = OrderWorking(**on(stop.order_id), broker_status="new")
    state = state_of(*READY, bought("10"), replace(sell, terms=terms), stop, working)
    assert sells(state)[0] == D(10)


def test_an_order_may_be_complete_before_its_most_shares_are_filled() -> None:
    state = state_of(*READY, APPROVED, fill("9.5"), OrderCompleted(**on(), cum_qty=D("9.5")))
    assert (order_of(state).status, buys(state)) == (S.FILLED, (D(0), D(0)))
    late = account.evolve(state, OrderWorking(**on(), broker_status="new"), 9)
    assert order_of(late).status is S.FILLED


def bust(qty: str = "10", price: str = "100", fill_id: str = "f1") -> OrderBusted:
    return OrderBusted(**on(), fill_id=FillId(fill_id), qty=D(qty), price=D(price))


def test_a_busted_fill_no_longer_counts_in_order_position_and_cash() -> None:
    opening = CashMoved(epoch=1, at=NOW, activity_id="", kind="opening", amount_usd=D(100_000))
    filled = state_of(*READY, opening, APPROVED, fill("10"))
    assert filled.cash_usd == D(99_000)
    state = account.evolve(filled, bust(), 9)
    assert (order_of(state).filled_qty, state.positions[AAPL].qty, state.cash_usd) == (D(0), D(0), D(100_000))
    assert account.evolve(state, bust(), 10).positions == state.positions
    assert account.evolve(state, fill("10"), 11).positions == state.positions


def test_an_order_whose_fill_was_busted_works_again_when_the_broker_says_so() -> None:
    state = state_of(*READY, APPROVED, fill("10"), bust())
    assert order_of(state).status is S.FILLED
    state = account.evolve(state, OrderWorking(**on(), broker_status="new"), 9)
    assert (order_of(state).status, buys(state)) == (S.WORKING, (D(10), D(1000)))


def test_a_corrected_fill_counts_at_its_new_price_once() -> None:
    correction = OrderCorrected(
        **on(),
        fill_id=FillId("f1"),
        old_qty=D(10),
        old_price=D(100),
        new_fill_id=FillId("f2"),
        qty=D(10),
        price=D(99),
    )
    state = state_of(*READY, APPROVED, fill("10"), correction, correction)
    assert (state.positions[AAPL].qty, state.positions[AAPL].avg_price) == (D(10), D(99))
    assert order_of(state).avg_price == D(99)


@pytest.mark.parametrize("first", [("10", "100"), ("4", "95")])
@pytest.mark.parametrize("undone", [("6", "110", Side.BUY), ("3", "130", Side.SELL)])
def test_what_is_undone_leaves_a_position_as_if_it_had_never_been(first: Any, undone: Any) -> None:
    qty, price, side = undone
    before = state_of(*READY, bought(*first))
    signed = D(qty) if side is Side.BUY else -D(qty)
    filled = account.positions.after_fill(before.positions[AAPL], signed, D(price))
    assert account.positions.undone(filled, signed, D(price)) == before.positions[AAPL]


def test_a_break_stands_until_it_is_healed_and_cash_waits_for_its_opening() -> None:
    found = BreakFound(epoch=1, at=NOW, kind=BreakKind.POSITION, key="AAPL", ours="1", theirs="2", since=NOW)
    healed = BreakHealed(epoch=1, at=NOW, kind=BreakKind.POSITION, key="AAPL", detail="agrees")
    assert set(state_of(found).breaks) == {"position:AAPL"}
    assert not state_of(found, healed).breaks
    assert state_of(healed).breaks == state_of().breaks
    fee = CashMoved(epoch=1, at=NOW, activity_id="1", kind="FEE", amount_usd=D(-1))
    opening = CashMoved(epoch=1, at=NOW, activity_id="", kind="opening", amount_usd=D(100))
    assert state_of(fee).cash_usd is None
    assert state_of(opening, fee).cash_usd == D(99)


def test_while_a_break_stands_only_exits_pass() -> None:
    found = BreakFound(epoch=1, at=NOW, kind=BreakKind.POSITION, key="AAPL", ours="1", theirs="2", since=NOW)
    broken = state_of(*READY, bought("10"), found)
    assert answer(broken, body()).outcome is Outcome.DENIED
    assert answer(broken, body(side="sell")).outcome is Outcome.APPROVED
