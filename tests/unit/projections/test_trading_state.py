"""What an account may do, told by one rule to everybody who asks."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.broker import BreakFound
from contracts.controls import KillReleased, LayerSet
from contracts.enums import BreakKind, Side, TradingState
from contracts.limits import LimitOverride
from contracts.scopes import agent_scope, strategy_scope, symbol_scope
from projections import account
from projections.state_view import Place, view_of
from projections.trading_state import not_active, scope_state, scope_states, trading_state_of
from tests.risk_world import NOW, PAPER, kill, limits_set, observed, state_of
from tests.unit.risk.rows_trips import Desk, reconciled, watched

READY = (limits_set(), observed())
RELEASED = KillReleased(epoch=0, at=NOW, by="op", reason="over")
T = TradingState


def broken(kind: BreakKind) -> BreakFound:
    return BreakFound(epoch=1, at=NOW, kind=kind, key="k", ours="1", theirs="2", since=NOW)


ROWS = [
    pytest.param(READY, T.ACTIVE, (), id="nothing wrong"),
    pytest.param((*READY, kill(), RELEASED), T.ACTIVE, (), id="kill released"),
    pytest.param((*READY, kill()), T.HALTED, ("kill_switch",), id="kill"),
    pytest.param((observed(),), T.HALTED, ("no_limits",), id="no limits"),
    pytest.param(
        (limits_set(), replace(observed(), trading_blocked=True)), T.HALTED, ("blocked_by_broker",), id="blocked"
    ),
    pytest.param((*READY, broken(BreakKind.ORPHAN)), T.HALTED, ("break orphan:k",), id="orphan"),
    pytest.param((*READY, broken(BreakKind.CASH)), T.REDUCE_ONLY, ("break cash:k",), id="other break"),
    pytest.param((limits_set(),), T.REDUCE_ONLY, ("account_unknown",), id="account unknown"),
    pytest.param((limits_set(), observed("NaN")), T.REDUCE_ONLY, ("account_unknown",), id="equity is no number"),
    pytest.param((*READY, observed("99000")), T.REDUCE_ONLY, ("daily_loss", "drawdown"), id="losses"),
]


def test_a_scope_is_in_the_worst_state_of_its_own_and_the_accounts_causes() -> None:
    desk = Desk("noisy", max_reject_streak=1, reject_window_ms=1000).reject()
    state = account.evolve(desk.state, replace(kill(), scope=symbol_scope("TSLA")), 9)
    states = {told.scope: told for told in scope_states(state)}
    assert {scope: told.state for scope, told in states.items()} == {
        "account": T.ACTIVE,
        "agent.noisy": T.REDUCE_ONLY,
        "symbol.TSLA": T.HALTED,
    }
    (cause,) = states[agent_scope("noisy")].causes
    assert (cause.name, cause.scope, cause.since) == ("trip reject_streak", "agent.noisy", NOW)
    assert not_active(state, NOW) == {
        "agent.noisy": ("reduce_only", "trip reject_streak"),
        "symbol.TSLA": ("halted", "kill_switch"),
    }
    killed = {told.scope: told for told in scope_states(account.evolve(state, kill(), 10))}
    assert {told.state for told in killed.values()} == {T.HALTED}
    assert [cause.scope for cause in killed[agent_scope("noisy")].causes] == ["agent.noisy", "account"]


@pytest.mark.parametrize(("limit", "expected"), [("2", T.REDUCE_ONLY), ("2.01", T.ACTIVE)])
def test_what_an_owner_lost_in_its_own_book_is_held_against_its_own_limits(limit: str, expected: T) -> None:
    desk = Desk("ada")
    for _ in range(2):
        desk.fill("100.00", meta={"strategy": "momo"})
        desk.fill("99.00", side=Side.SELL, order_type="market", limit_price=None, meta={"strategy": "momo"})
    own = LimitOverride(max_daily_loss_usd=Decimal(limit))
    for scope in (agent_scope("ada"), strategy_scope("momo")):
        layer = LayerSet(epoch=0, at=NOW, scope=scope, version=1, limits=own, by="test", reason="test")
        state = account.evolve(desk.state, layer, 9)
        told = scope_state(state, scope)
        assert (told.state, [cause.name for cause in told.causes]) == (
            expected,
            ["daily_loss"] if expected is T.REDUCE_ONLY else [],
        )


@pytest.mark.parametrize(
    ("told", "seconds", "causes"),
    [
        pytest.param((reconciled(), watched()), 1, (), id="fresh"),
        pytest.param((watched(),), 1, ("reconciliation_stale",), id="never compared"),
        pytest.param((reconciled(), watched()), 3, ("reconciliation_stale", "audit_stale"), id="old"),
        pytest.param((reconciled(), watched(blind=True)), 1, ("audit_blind",), id="blind"),
        pytest.param((reconciled(),), 1, ("audit_stale",), id="never watched"),
    ],
)
def test_safety_that_does_not_work_leaves_only_exits(told: object, seconds: int, causes: tuple[str, ...]) -> None:
    limits = limits_set(reconciliation_age_max_ms=2000, audit_age_max_ms=2000)
    state = state_of(limits, observed(), *told)  # pyright: ignore[reportGeneralTypeIssues] - a row's events
    expected = T.REDUCE_ONLY if causes else T.ACTIVE
    assert trading_state_of(state, NOW + seconds * timedelta(seconds=1)) == (expected, causes)


def test_an_old_account_leaves_only_exits_once_there_is_a_time_to_judge_it_by() -> None:
    state = state_of(*READY)
    assert trading_state_of(state) == (T.ACTIVE, ())
    assert trading_state_of(state, NOW + timedelta(minutes=2)) == (T.REDUCE_ONLY, ("account_stale",))


@pytest.mark.parametrize(("events", "expected", "causes"), ROWS)
def test_the_trading_state_names_its_causes(events: object, expected: TradingState, causes: tuple[str, ...]) -> None:
    state = state_of(*events)  # pyright: ignore[reportGeneralTypeIssues] - a row's events
    assert trading_state_of(state) == (expected, causes)
    view = view_of(state, Place(account=PAPER, seq=1, at=NOW))
    assert (view.trading_state, view.halts) == (expected, causes)
