"""Buying power and cash that the broker may not count yet: nothing is forgotten before two reports have shown it."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.enums import OrderStatus, Side
from contracts.orders import OrderAcknowledged, OrderCanceled, OrderFilled, OrderRejected
from contracts.reasons import RejectionCode
from contracts.values import ZERO
from projections.account import AccountState, evolve
from projections.spending import unseen_usd
from tests.risk_world import NOW, answer, body, bought, evidence, intent, limits_set, observed, quote, state_of

D = Decimal
WIDE: dict[str, Any] = {"order_rate_per_min": 1000, "max_daily_trades": 1000}
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["buy", "sell", "ack", "fill", "cancel", "reject", "report"]),
        st.integers(1, 5),
        st.integers(0, 5),
    ),
    max_size=40,
)


def approve(state: AccountState, name: str, **fields: Any) -> tuple[AccountState, str]:
    decision = answer(state, body("i", **fields))
    decision = replace(decision, intent_id=name, order_id=f"lg-{name}")
    return evolve(state, decision, 1), f"lg-{name}"


def stamp(order_id: str) -> dict[str, Any]:
    return {"epoch": 1, "at": NOW, "order_id": order_id}


def filled(order_id: str, state: AccountState, qty: Decimal, fill_id: str) -> OrderFilled:
    terms = state.orders[order_id].terms
    facts = {"symbol": terms.symbol, "side": terms.side, "qty": qty, "price": D(100), "cum_qty": qty}
    return OrderFilled(**stamp(order_id), fill_id=fill_id, filled_at=NOW, **facts)


def moved(state: AccountState, step: tuple[str, int, int], number: int) -> AccountState:
    kind, qty, which = step
    open_ids = sorted(order.order_id for order in state.orders.values() if not order.is_terminal)
    if kind in {"buy", "sell"}:
        decision = answer(state, body("i", side=kind, qty=str(qty)))
        return evolve(state, replace(decision, order_id=decision.order_id and f"lg-{number}"), number)
    if kind == "report":
        return evolve(state, observed(), number)
    if not open_ids:
        return state
    order_id = open_ids[which % len(open_ids)]
    match kind:
        case "ack":
            event: Any = OrderAcknowledged(**stamp(order_id), broker_order_id=f"b{order_id}", broker_status="new")
        case "fill":
            event = filled(order_id, state, D(qty), f"f{number}")
        case "cancel":
            event = OrderCanceled(**stamp(order_id))
        case _:
            event = OrderRejected(**stamp(order_id), code=RejectionCode.FORBIDDEN, broker_code="1", message="no")
    return evolve(state, event, number)


@given(STEPS)
def test_running_figures_equal_a_sum_over_all_orders(steps: list[tuple[str, int, int]]) -> None:
    state, spent_on_buys, generations = state_of(limits_set(**WIDE), observed()), ZERO, (ZERO, ZERO)
    for number, step in enumerate(steps, 1):
        state, before = moved(state, step, number), state
        if step[0] == "report":
            generations, spent_on_buys = (spent_on_buys, generations[0]), ZERO
        for order in state.orders.values():
            was = before.orders.get(order.order_id)
            if order.terms.side is Side.BUY and was is not None:
                spent_on_buys += order.filled_notional_usd - was.filled_notional_usd
        unseen = sum((unseen_usd(order) for order in state.orders.values()), ZERO)
        working = sum((one.buy_notional_usd for one in state.exposure.symbols.values()), ZERO)
        assert (state.spent.unseen_usd, state.spent.buys_usd) == (unseen, working)
        assert (state.spent.bought_usd, state.spent.bought_before_usd) == (spent_on_buys, generations[0])
        assert state.spent.seen_usd >= 0


def test_an_order_counts_until_the_second_report_after_the_broker_confirmed_it() -> None:
    state, order_id = approve(state_of(limits_set(), observed()), "a", qty="3")
    for _ in range(4):
        state = evolve(state, observed(), 2)  # however often: the broker has not said that it has the order
        assert state.spent.power_usd == 300
    state = evolve(state, OrderAcknowledged(**stamp(order_id), broker_order_id="b", broker_status="new"), 3)
    left = []
    for seq in (4, 5):
        left.append(state.spent.power_usd)
        state = evolve(state, observed(), seq)
    assert (*left, state.spent.power_usd) == (300, 300, 0)


def test_what_the_broker_refused_counts_no_more_and_what_it_filled_still_does() -> None:
    state, order_id = approve(state_of(limits_set(), observed()), "a", qty="3")
    refused = OrderRejected(**stamp(order_id), code=RejectionCode.FORBIDDEN, broker_code="1", message="no")
    assert evolve(state, refused, 2).spent.power_usd == 0
    assert evolve(state, filled(order_id, state, D(3), "f"), 2).spent.power_usd == 300


def test_new_terms_count_for_what_they_add_until_the_broker_has_answered() -> None:
    state, order_id = approve(state_of(limits_set(), observed()), "a", qty="3")
    state = evolve(state, OrderAcknowledged(**stamp(order_id), broker_order_id="b", broker_status="new"), 2)
    state = evolve(evolve(state, observed(), 3), observed(), 4)
    orders = state.orders.set(order_id, replace(state.orders[order_id], status=OrderStatus.WORKING))
    state = replace(state, orders=orders)
    more = answer(state, intent("replace", order_id=order_id, qty="10"), evidence(quote()))
    assert evolve(state, more, 5).spent.unseen_usd == 700


def test_orders_that_reduce_take_no_buying_power_and_sales_bring_no_cash_before_the_broker_says() -> None:
    state = state_of(limits_set(), observed(), bought("10"))
    bought_usd = state.spent.bought_usd
    state, order_id = approve(state, "a", side="sell", qty="5")
    state = evolve(state, filled(order_id, state, D(5), "f"), 2)
    assert (state.spent.power_usd, state.spent.cash_usd) == (0, bought_usd)
