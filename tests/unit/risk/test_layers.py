"""Limits in layers: the tightest wins, own books bind their owner alone, and a denial names the layer."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.broker import AccountObserved, ObservedPosition
from contracts.controls import LayerSet
from contracts.decisions import Decision, checks_of
from contracts.enums import Outcome, Side
from contracts.ids import AgentId, OrderId
from contracts.limits import LimitOverride, LimitSet
from contracts.orders import OrderCanceled, OrderFilled, OrderWorking
from contracts.reasons import DenialCode as C
from contracts.scopes import Scope
from projections import account
from projections.account import AccountState
from projections.exposure import worst
from projections.layers import account_limits, bound_by, bounds_over, field_fault
from projections.standing import Whose
from tests.risk_world import AAPL, DEMO, NOW, answer, body, evidence, intent, limits_set, observed, quote, state_of
from tests.unit.risk.rows_layers import AGENT, MOMO, STRATEGY, SYMBOL, after_orders, granted, layer, under

D = Decimal
WHOSE = Whose("demo", "momo", "AAPL")


def denied(state: AccountState, content: bytes = MOMO, agent: str = DEMO) -> tuple[C, str | None]:
    reason = answer(state, content, agent=agent).reason
    assert reason is not None
    return reason.code, reason.scope


def passes(state: AccountState, content: bytes = MOMO, agent: str = DEMO) -> bool:
    return answer(state, content, agent=agent).outcome is Outcome.APPROVED


def test_without_layers_the_limits_are_the_accounts_very_own():
    state = under()
    assert state.limits is not None
    assert bounds_over(state.standing, state.limits, WHOSE).limits is state.limits
    assert account_limits(state.standing, state.limits) is state.limits


@pytest.mark.parametrize("scope", ["firm", "account", SYMBOL, AGENT, STRATEGY])
def test_the_tightest_layer_bounds_one_order_and_the_denial_names_it(scope: str):
    others = [layer(one, max_order_notional_usd=D(1500)) for one in ("firm", SYMBOL, AGENT, STRATEGY) if one != scope]
    state = under(*others, layer(scope, max_order_notional_usd=D(999)))
    expected = None if scope == "account" else scope
    assert denied(state) == (C.MAX_ORDER_NOTIONAL, expected)


def test_a_layer_never_loosens():
    state = under(*(layer(one, max_order_notional_usd=D(9_000)) for one in ("firm", AGENT, STRATEGY)))
    assert denied(state, body(qty="51", meta={"strategy": "momo"})) == (C.MAX_ORDER_NOTIONAL, None)


def test_lists_meet_and_bans_add_up():
    state = under(
        layer("firm", symbol_allowlist=("AAPL", "MSFT"), symbol_denylist=("GME",)),
        layer(AGENT, symbol_allowlist=("MSFT", "TSLA"), symbol_denylist=("AMC",), shorts_allowed=False),
        layer(STRATEGY, shorts_allowed=True),
    )
    limits = bounds_over(state.standing, state.limits or LimitSet(), WHOSE).limits
    assert limits.symbol_allowlist == ("MSFT",)
    assert limits.symbol_denylist == ("GME", "AMC")
    assert limits.shorts_allowed is False
    assert denied(state) == (C.SYMBOL_NOT_ALLOWED, AGENT)


def test_a_layer_binds_those_in_its_scope_alone():
    state = under(layer("agent.eve", max_order_notional_usd=D(1)), layer("symbol.MSFT", max_order_notional_usd=D(1)))
    assert passes(state)
    assert denied(state, agent="eve") == (C.MAX_ORDER_NOTIONAL, "agent.eve")


@pytest.mark.parametrize("first", ["alice", "bob"])
def test_a_denial_shows_the_limit_as_its_own_layer_has_it_whoever_was_decided_on_first(first: str):
    state = under(layer("agent.alice", max_order_notional_usd=D(500)))
    state = account.evolve(state, layer("agent.bob", max_order_notional_usd=D("500.00")), 9)
    for agent in sorted(("alice", "bob"), key=lambda one: one != first):
        reason = answer(state, body(), agent=agent).reason
        assert reason is not None
        assert str(reason.limit) == {"alice": "500", "bob": "500.00"}[agent]


def test_a_layer_that_was_taken_away_binds_nothing():
    gone = LayerSet(epoch=0, at=NOW, scope=AGENT, version=2, limits=None, by="ada", reason="over")
    assert passes(under(layer(AGENT, max_order_notional_usd=D(1)), gone))


@pytest.mark.parametrize(
    ("limits", "code"),
    [
        ({"max_position_notional_usd": D(999)}, C.MAX_POSITION_NOTIONAL),
        ({"max_gross_exposure_usd": D(999)}, C.MAX_GROSS_EXPOSURE),
        ({"max_net_exposure_usd": D(999)}, C.MAX_NET_EXPOSURE),
        ({"max_turnover_usd": D(999)}, C.MAX_TURNOVER),
        ({"max_daily_trades": 0}, C.MAX_DAILY_TRADES),
        ({"max_open_orders": 0}, C.MAX_OPEN_ORDERS),
        ({"order_rate_per_min": 0}, C.ORDER_RATE),
        ({"max_daily_loss_usd": D(0)}, C.MAX_DAILY_LOSS),
        ({"max_drawdown_usd": D(0)}, C.MAX_DRAWDOWN),
    ],
)
@pytest.mark.parametrize("scope", [AGENT, STRATEGY])
def test_an_own_book_bounds_its_owner_and_nobody_else(scope: str, limits: dict[str, Any], code: C):
    state = under(layer(scope, **limits))
    assert denied(state) == (code, scope)
    other = body(meta={"strategy": "other"})
    assert passes(state, other if scope == STRATEGY else MOMO, "eve" if scope == AGENT else DEMO)


@pytest.mark.parametrize(
    ("limits", "orders"),
    [
        ({"max_position_notional_usd": D(1200)}, 2),
        ({"max_gross_exposure_usd": D(1200)}, 2),
        ({"max_net_exposure_usd": D(1200)}, 2),
        ({"max_turnover_usd": D(1200)}, 2),
        ({"max_daily_trades": 3}, 2),
        ({"max_open_orders": 3}, 2),
        ({"order_rate_per_min": 3}, 2),
        ({"max_daily_loss_usd": D("0.01")}, 2),
    ],
)
def test_at_its_limit_an_own_book_takes_the_order(limits: dict[str, Any], orders: int):
    decision = answer(after_orders(orders, layer(AGENT, **limits)), MOMO)
    assert decision.outcome is Outcome.APPROVED, decision.reason
    assert [check.name for check in checks_of(decision) if check.name.startswith("agent.")]


def test_other_agents_orders_count_in_no_own_book():
    assert passes(after_orders(5, layer(AGENT, max_daily_trades=1, max_gross_exposure_usd=D(1000)), agent="eve"))


def test_a_mandate_and_a_layer_bound_an_agent_together_and_the_tighter_wins():
    state = under(
        granted(limits=LimitOverride(max_gross_exposure_usd=D(999), max_order_notional_usd=D(2000))),
        layer(AGENT, max_gross_exposure_usd=D(1500)),
    )
    assert denied(state) == (C.MAX_GROSS_EXPOSURE, AGENT)
    bound = bound_by(state.standing, state.limits or LimitSet(), WHOSE)["max_order_notional_usd"]
    assert (bound.value, bound.scope, bound.is_mandate) == (2000, AGENT, True)


def test_the_operator_has_no_book_of_its_own():
    assert passes(under(layer("agent._operator", max_daily_trades=0)), body(), "_operator")


def filled(order: Decision, qty: str, price: str) -> OrderFilled:
    return OrderFilled(
        epoch=1,
        at=NOW,
        order_id=OrderId(str(order.order_id)),
        fill_id="f",  # pyright: ignore[reportArgumentType]
        symbol=AAPL,
        side=Side.BUY,
        qty=D(qty),
        price=D(price),
        cum_qty=D(qty),
        filled_at=NOW,
    )


def marked(price: str) -> AccountObserved:
    held = ObservedPosition(symbol=AAPL, qty=D(10), avg_entry_price=D(100), current_price=D(price))
    return replace(observed(), positions=(held,))


def losing(*events: Any) -> AccountState:
    """Demo bought ten at 100, and they are at 99 now: ten dollars are lost."""
    approved = answer(under(*events), MOMO)
    return under(*events, approved, filled(approved, "10", "100"), marked("99"))


@pytest.mark.parametrize(
    ("field", "code"), [("max_daily_loss_usd", C.MAX_DAILY_LOSS), ("max_drawdown_usd", C.MAX_DRAWDOWN)]
)
@pytest.mark.parametrize("scope", [AGENT, STRATEGY])
def test_an_owner_who_lost_the_limit_takes_no_new_risk_and_still_gets_out(scope: str, field: str, code: C):
    state = losing(layer(scope, **{field: D(10)}))
    assert denied(state) == (code, scope)
    assert passes(state, body(side="sell", limit_price="99.00", meta={"strategy": "momo"}))
    assert passes(losing(layer(scope, **{field: D("10.01")})))


def test_a_replaced_order_counts_once_in_its_owners_book_and_no_new_one_of_the_day():
    own = layer(
        AGENT, max_gross_exposure_usd=D(1500), max_daily_trades=1, max_open_orders=1, max_turnover_usd=D(1500)
    )
    approved = answer(under(own), MOMO)
    order_id = OrderId(str(approved.order_id))
    working = OrderWorking(epoch=1, at=NOW, order_id=order_id, broker_status="new")
    state = under(own, approved, working)
    assert passes(state, intent("replace", order_id=order_id, qty="15"))
    assert denied(state, intent("replace", order_id=order_id, qty="16")) == (C.MAX_TURNOVER, AGENT)
    reason = answer(state, intent("replace", order_id=order_id, qty="16")).reason
    assert reason is not None
    assert (reason.attempted, reason.max_acceptable_qty) == (1600, 15)


def test_new_terms_count_in_the_owners_rate():
    rate = layer(AGENT, order_rate_per_min=2)
    approved = answer(under(rate), MOMO)
    order_id = OrderId(str(approved.order_id))
    working = OrderWorking(epoch=1, at=NOW, order_id=order_id, broker_status="new")
    state = under(rate, approved, working)
    changed = answer(state, intent("replace", order_id=order_id, limit_price="99.00"))
    assert changed.outcome is Outcome.APPROVED
    assert denied(account.evolve(state, changed, 9)) == (C.ORDER_RATE, AGENT)


def test_an_owners_rate_does_not_begin_anew_with_the_day():
    state = after_orders(2, layer(AGENT, order_rate_per_min=2))
    for order_id in state.orders:
        state = account.evolve(state, OrderCanceled(epoch=1, at=NOW, order_id=order_id), 50)
    assert denied(state, body()) == (C.ORDER_RATE, AGENT)
    morning = replace(observed(), trading_day=NOW.date() + timedelta(days=1))
    assert denied(account.evolve(state, morning, 60), body()) == (C.ORDER_RATE, AGENT)


def test_firm_and_account_layers_tighten_the_accounts_own_figures():
    state = under(layer("firm", max_gross_exposure_usd=D(999)))
    assert denied(state) == (C.MAX_GROSS_EXPOSURE, "firm")
    assert answer(state, MOMO).headroom.gross_exposure_usd == 999


def test_a_symbols_layer_bounds_the_position_in_it():
    state = under(layer(SYMBOL, max_position_notional_usd=D(999)))
    assert denied(state) == (C.MAX_POSITION_NOTIONAL, SYMBOL)
    assert field_fault(SYMBOL, LimitOverride(max_daily_trades=1)) is not None
    assert field_fault(SYMBOL, LimitOverride(max_position_notional_usd=D(1))) is None
    assert field_fault(AGENT, LimitOverride(max_daily_trades=1)) is None


AMOUNTS = st.one_of(st.none(), st.integers(0, 3_000).map(Decimal))
OVERRIDES = st.builds(
    LimitOverride,
    max_order_notional_usd=AMOUNTS,
    max_position_notional_usd=AMOUNTS,
    max_gross_exposure_usd=AMOUNTS,
    max_net_exposure_usd=AMOUNTS,
    max_turnover_usd=AMOUNTS,
    max_daily_trades=st.one_of(st.none(), st.integers(0, 6)),
)
SCOPES = st.sampled_from(["firm", "account", AGENT, "agent.eve", STRATEGY, "strategy.calm", SYMBOL])
ORDERS = st.lists(
    st.tuples(
        st.sampled_from(["demo", "eve"]),
        st.sampled_from(["momo", "calm"]),
        st.sampled_from(["buy", "sell"]),
        st.integers(1, 15),
    ),
    min_size=1,
    max_size=8,
)


@given(layers=st.dictionaries(SCOPES, OVERRIDES, max_size=4), orders=ORDERS)
def test_no_approved_order_takes_any_layer_over_its_limit(layers: dict[str, LimitOverride], orders: list[Any]):
    told = [layer(scope, **{n: getattr(one, n) for n in one.__struct_fields__}) for scope, one in layers.items()]
    state = state_of(limits_set(), observed(), *told)
    for number, (agent, strategy, side, qty) in enumerate(orders):
        content = body(qty=str(qty), side=side, meta={"strategy": strategy, "reason": str(number)})
        decision = answer(state, content, evidence(quote()), agent)
        decision = replace(decision, order_id=OrderId(f"lg-{number}")) if decision.order_id else decision
        state = account.evolve(state, replace(decision, agent=AgentId(agent)), 10 + number)
        if decision.outcome is Outcome.APPROVED:
            hold(state, layers, Whose(agent, strategy, "AAPL"), decision)


def hold(state: AccountState, layers: dict[str, LimitOverride], whose: Whose, decision: Decision) -> None:
    """Hold every layer over an order against what it bounds, in the plainest way."""
    assert decision.reservation is not None
    if decision.reservation.reduces:
        return
    books = {
        "firm": state,
        "account": state,
        f"agent.{whose.agent}": state.agents.book(whose.agent),
        f"strategy.{whose.strategy}": state.strategies.book(str(whose.strategy)),
    }
    for scope, limits in layers.items():
        if scope not in books and scope != SYMBOL:
            continue
        assert decision.reservation.notional_usd <= at_most(limits.max_order_notional_usd)
        if scope == SYMBOL:
            assert symbol_usd(state, decision) <= at_most(limits.max_position_notional_usd)
            continue
        book = books[Scope(scope)]
        assert symbol_usd(book, decision) <= at_most(limits.max_position_notional_usd)
        assert book.exposure.totals.gross_usd <= at_most(limits.max_gross_exposure_usd)
        counts = state.day if book is state else book
        assert counts.submits <= at_most(limits.max_daily_trades)
        if book is not state:
            assert counts.turnover_usd <= at_most(limits.max_turnover_usd)


def symbol_usd(book: Any, decision: Decision) -> Decimal:
    assert decision.terms is not None
    return worst(book.exposure.of(AAPL)).side_usd(decision.terms.side)


def at_most(limit: Decimal | int | None) -> Decimal:
    return D("1e9") if limit is None else D(limit)
