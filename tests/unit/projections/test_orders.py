"""The life of an order: the whole table, and what fills and refusals do to it."""

from decimal import Decimal
from typing import Any, get_args

import pytest

from contracts.enums import EndCause, OrderStatus, OrderType, Side
from contracts.ids import OPERATOR, AgentId, FillId, IntentId, OrderId, Symbol
from contracts.orders import (
    AnyOrderEvent,
    OrderAcknowledged,
    OrderAdopted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderReported,
    OrderTerms,
    OrderUnknown,
    OrderWorking,
)
from contracts.reasons import RejectionCode
from projections.orders import PENDING, TERMINAL, TRANSITIONS, OrderState, evolve, next_status
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
    if not isinstance(event, (OrderReplaced, OrderCancelRejected)):
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
