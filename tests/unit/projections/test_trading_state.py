"""What an account may do, told by one rule to everybody who asks."""

import pytest
from msgspec.structs import replace

from contracts.broker import BreakFound
from contracts.controls import KillReleased
from contracts.enums import BreakKind, TradingState
from projections.state_view import Place, view_of
from projections.trading_state import trading_state_of
from tests.risk_world import NOW, PAPER, kill, limits_set, observed, state_of

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


@pytest.mark.parametrize(("events", "expected", "causes"), ROWS)
def test_the_trading_state_names_its_causes(events: object, expected: TradingState, causes: tuple[str, ...]) -> None:
    state = state_of(*events)  # pyright: ignore[reportGeneralTypeIssues] - a row's events
    assert trading_state_of(state) == (expected, causes)
    view = view_of(state, Place(account=PAPER, seq=1, at=NOW))
    assert (view.trading_state, view.halts) == (expected, causes)
