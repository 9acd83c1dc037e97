"""The life of an order: the whole table, and what fills and refusals do to it."""

from decimal import Decimal
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.enums import EndCause, LegRole, OrderStatus, OrderType, Side
from contracts.ids import OPERATOR, AgentId, FillId, IntentId, OrderId, Symbol
from contracts.orders import (
    AnyOrderEvent,
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
from contracts.reasons import RejectionCode
from projections.order_state import PENDING, TERMINAL, OrderState
from projections.orders import TRANSITIONS, evolve, next_status
from tests.risk_world import NOW

D, S = Decimal, OrderStatus
TERMS = OrderTerms(symbol=Symbol("AAPL"), side=Side.BUY, order_type=OrderType.LIMIT, qty=D(100), limit_price=D(10))
STAMP: dict[str, Any] = {"epoch": 1, "at": NOW, "order_id": OrderId("o")}
EVENTS: list[AnyOrderEvent] = [
    OrderAcknowledged(**STAMP, broker_order_id="b", broker_status="new"),
    OrderWorking(**STAMP, broker_status="new"),
    OrderUnknown(**STAMP, detail="timeout"),
    OrderCancelRequested(**STAMP, requested_by=OPERATOR),
    OrderCancelRejected(**STAMP, detail="late"),
    OrderCanceled(**STAMP),
    OrderExpired(**STAMP, cause=EndCause.BROKER),
    OrderRejected(**STAMP, code=RejectionCode.FORBIDDEN, broker_code="4", message="no"),
    OrderReplaced(**STAMP, broker_order_id="b2", terms=TERMS),
    OrderReplaceRequested(**STAMP, requested_by=OPERATOR, decision_seq=3),
    OrderReplaceRejected(**STAMP, detail="no"),
    OrderHeld(**STAMP, broker_status="held"),
    OrderSuspended(**STAMP, broker_status="suspended"),
    OrderDoneForDay(**STAMP, broker_status="done_for_day"),
    OrderCompleted(**STAMP, cum_qty=D(99)),
    OrderBusted(**STAMP, fill_id=FillId("never counted"), qty=D(0), price=D(10)),
    OrderCorrected(
        **STAMP,
        fill_id=FillId("f1"),
        old_qty=D(0),
        old_price=D(10),
        new_fill_id=FillId("f2"),
        qty=D(0),
        price=D(10),
    ),
    OrderLegAdded(
        **STAMP,
        agent=AgentId("demo"),
        parent_id=OrderId("p"),
        role=LegRole.STOP_LOSS,
        client_order_id="c",
        broker_order_id="b",
        broker_status="held",
        terms=TERMS,
    ),
    OrderReported(**STAMP, broker_event="calculated", broker_status="calculated"),
    OrderAdopted(
        **STAMP,
        agent=AgentId("_external"),
        client_order_id="c",
        broker_order_id="b",
        broker_status="new",
        terms=TERMS,
    ),
]


def fill(qty: str, price: str = "10", fill_id: str = "f1") -> OrderFilled:
    return OrderFilled(
        **STAMP,
        fill_id=FillId(fill_id),
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        qty=D(qty),
        price=D(price),
        cum_qty=D(qty),
        filled_at=NOW,
    )


def order(status: OrderStatus = S.PENDING_SUBMIT, resting: OrderStatus | None = None) -> OrderState:
    return OrderState(
        order_id=OrderId("o"),
        agent=AgentId("demo"),
        intent_id=IntentId("i"),
        terms=TERMS,
        worst_price=D(10),
        reduces=False,
        status=status,
        resting=resting or status,
        decision_seq=1,
        valid_until=None,
    )


def test_every_kind_of_event_is_tried() -> None:
    assert {type(event) for event in EVENTS} | {OrderFilled} == set(get_args(AnyOrderEvent.__value__))


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
@pytest.mark.parametrize("status", list(S))
def test_each_pair_moves_as_the_table_says_and_the_fold_never_refuses(status: S, event: AnyOrderEvent) -> None:
    before = order(status)
    after = evolve(before, event, 7)
    assert after.last_seq == 7
    assert after.status is next_status(before, event)
    if not isinstance(event, (OrderReplaced, OrderCancelRejected, OrderReplaceRejected)):
        assert after.status is TRANSITIONS.get(type(event), {}).get(status, status)


@pytest.mark.parametrize(
    "event", [e for e in EVENTS if not isinstance(e, OrderReplaced)], ids=lambda e: type(e).__name__
)
@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_order_never_lives_again(status: S, event: AnyOrderEvent) -> None:
    assert evolve(order(status), event, 7).status is status


@pytest.mark.parametrize("status", list(S))
def test_a_fill_counts_in_every_status(status: S) -> None:
    after = evolve(order(status), fill("40"), 7)
    assert after.filled_qty == D(40)
    expected = status if status in TERMINAL | PENDING else S.PARTIALLY_FILLED
    assert after.status is expected


@pytest.mark.parametrize("status", list(S))
def test_a_whole_fill_fills_the_order_whatever_came_before(status: S) -> None:
    assert evolve(order(status), fill("100"), 7).status is S.FILLED


def test_the_same_fill_twice_counts_once() -> None:
    once = evolve(order(S.WORKING), fill("40"), 7)
    twice = evolve(once, fill("40"), 8)
    assert (twice.filled_qty, twice.last_seq) == (D(40), 8)


def test_three_partials_and_a_cancel_leave_what_was_filled() -> None:
    state = order(S.WORKING)
    for number, qty in enumerate(("10", "20", "30")):
        state = evolve(state, fill(qty, fill_id=f"f{number}"), number)
    state = evolve(state, OrderCanceled(**STAMP), 9)
    assert (state.status, state.filled_qty, state.working_qty) == (S.CANCELED, D(60), D(0))


def test_the_average_price_is_weighted_by_quantity() -> None:
    state = evolve(order(S.WORKING), fill("50", "10", "a"), 1)
    assert evolve(state, fill("50", "12", "b"), 2).avg_price == D(11)


def test_a_fractional_fill_keeps_its_fraction() -> None:
    assert evolve(order(S.WORKING), fill("1.5"), 1).filled_qty == D("1.5")


def test_more_shares_than_ordered_are_recorded_and_work_no_more() -> None:
    state = evolve(order(S.WORKING), fill("130"), 1)
    assert (state.status, state.filled_qty, state.working_qty) == (S.FILLED, D(130), D(0))


@pytest.mark.parametrize("status", [S.WORKING, S.PARTIALLY_FILLED, S.ACKED, S.HELD])
def test_a_refused_cancel_gives_the_status_back(status: S) -> None:
    asked = evolve(order(status), OrderCancelRequested(**STAMP, requested_by=OPERATOR), 1)
    assert asked.status is S.PENDING_CANCEL
    assert evolve(asked, OrderCancelRejected(**STAMP, detail="late"), 2).status is status


def test_a_fill_while_a_cancel_hangs_is_remembered_when_the_cancel_is_refused() -> None:
    asked = evolve(order(S.WORKING), OrderCancelRequested(**STAMP, requested_by=OPERATOR), 1)
    filled = evolve(asked, fill("40"), 2)
    assert filled.status is S.PENDING_CANCEL
    assert evolve(filled, OrderCancelRejected(**STAMP, detail="late"), 3).status is S.PARTIALLY_FILLED


def replaced(qty: str, limit_price: str | None = "10") -> OrderReplaced:
    terms = replace(TERMS, qty=D(qty), limit_price=D(limit_price) if limit_price else None)
    return OrderReplaced(**STAMP, broker_order_id="b2", terms=terms)


@pytest.mark.parametrize("status", sorted(TERMINAL - {S.FILLED}))
def test_a_replacement_told_late_brings_no_ended_order_back(status: S) -> None:
    assert evolve(order(status), replaced("200"), 7).status is status


@pytest.mark.parametrize(
    ("filled", "qty", "status", "working"),
    [
        ("0", "50", S.WORKING, "50"),
        ("40", "50", S.PARTIALLY_FILLED, "10"),
        ("40", "40", S.FILLED, "0"),
        ("40", "30", S.FILLED, "0"),
        ("100", "150", S.PARTIALLY_FILLED, "50"),
    ],
)
def test_a_replaced_order_works_for_what_its_new_terms_leave(filled: str, qty: str, status: S, working: str) -> None:
    before = order(S.WORKING)
    if filled != "0":
        before = evolve(before, fill(filled), 1)
    after = evolve(before, replaced(qty), 2)
    assert (after.status, after.working_qty) == (status, D(working))


def test_a_dearer_replacement_raises_the_worst_price_and_a_cheaper_one_does_not_lower_it() -> None:
    assert evolve(order(S.WORKING), replaced("100", "12"), 1).worst_price == D(12)
    assert evolve(order(S.WORKING), replaced("100", "8"), 1).worst_price == D(10)
    assert evolve(order(S.WORKING), replaced("100", None), 1).worst_price == D(10)


@pytest.mark.parametrize(
    ("meanwhile", "status"),
    [
        (OrderAcknowledged(**STAMP, broker_order_id="b", broker_status="new"), S.ACKED),
        (OrderWorking(**STAMP, broker_status="new"), S.WORKING),
        (OrderUnknown(**STAMP, detail="timeout"), S.UNKNOWN),
        (OrderReported(**STAMP, broker_event="x", broker_status="y"), S.PENDING_SUBMIT),
    ],
)
def test_what_is_heard_while_a_cancel_hangs_counts_when_the_cancel_is_refused(
    meanwhile: AnyOrderEvent, status: S
) -> None:
    asked = evolve(order(), OrderCancelRequested(**STAMP, requested_by=OPERATOR), 1)
    heard = evolve(asked, meanwhile, 2)
    assert heard.status is S.PENDING_CANCEL
    assert evolve(heard, OrderCancelRejected(**STAMP, detail="late"), 3).status is status


def test_asking_to_cancel_twice_forgets_nothing() -> None:
    state = order(S.WORKING)
    for seq in (1, 2):
        state = evolve(state, OrderCancelRequested(**STAMP, requested_by=OPERATOR), seq)
    assert evolve(state, OrderCancelRejected(**STAMP, detail="late"), 3).status is S.WORKING


@pytest.mark.parametrize("status", sorted(TERMINAL))
def test_an_ended_order_works_no_more_and_a_late_fill_shrinks_nothing_below_zero(status: S) -> None:
    late = evolve(order(status), fill("40"), 7)
    assert late.working_qty == D(0)
    assert late.is_terminal
    assert evolve(late, fill("40"), 8).filled_qty == D(40)


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(1, 60)), max_size=12))
def test_the_filled_quantity_is_the_sum_of_distinct_fills_whatever_happens_between(
    steps: list[tuple[int, int]],
) -> None:
    state, fills = order(), {}
    for seq, (pick, qty) in enumerate(steps):
        event = fill(str(qty), fill_id=f"f{qty % 5}") if pick >= len(EVENTS) else EVENTS[pick]
        if isinstance(event, OrderFilled):
            fills.setdefault(event.fill_id, event.qty)
        state = evolve(state, event, seq)
        assert state.working_qty >= 0
        assert state.resting not in PENDING
    assert state.filled_qty == sum(fills.values())
    assert set(state.fills) == set(fills)
