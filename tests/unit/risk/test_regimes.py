"""Strategies are gated by the regime of what they trade: what is told, and how layers meet."""

from datetime import timedelta

import pytest
from msgspec.structs import replace

from contracts.enums import Outcome, Regime
from contracts.limits import LimitOverride, LimitSet
from contracts.rails import RAILS
from contracts.reasons import DenialCode as C
from contracts.reasons import Reason
from contracts.scopes import Scope
from projections import account
from projections.layers import bound_by, bounds_over
from projections.mandates import widened_limits
from projections.standing import Whose
from services.risk.checks import controls_under
from services.risk.checks.regimes import check_regime
from tests.risk_world import NOW, answer, body, intent, limits_set, observed, state_of
from tests.unit.risk.row import ready
from tests.unit.risk.rows_layers import MOMO, STRATEGY, layer
from tests.unit.risk.rows_regimes import CHOP, TREND, UNTRADEABLE, gated, seen_in
from tests.unit.risk.test_controls import APPROVED, ORDER, READY, WORKING


def reason_of(state: account.AccountState, content: bytes, regime: Regime, *reasons: str) -> Reason:
    found = answer(state, content, seen_in(regime, *reasons)).reason
    assert found is not None
    return found


def test_a_denial_tells_the_regime_its_age_its_reasons_and_what_is_allowed() -> None:
    found = reason_of(ready(regimes_allowed=(TREND, CHOP)), body(), UNTRADEABLE, "halted H/T1", "spread_bps 80 > 50")
    assert found.message.startswith(
        "AAPL is in UNTRADEABLE since 1500 ms (halted H/T1, spread_bps 80 > 50), allowed: TREND, CHOP; "
    )
    assert (found.retryable, found.retry_after_ms, found.scope) == (True, 5000, None)


def test_a_denial_repeats_only_so_much_of_long_reasons() -> None:
    found = reason_of(ready(regimes_allowed=(TREND,)), body(), UNTRADEABLE, *["a long reason"] * 1000)
    assert len(found.message) < 400


def test_a_denial_names_the_strategy_whose_layer_it_is() -> None:
    assert reason_of(gated(regimes_allowed=(CHOP,)), MOMO, TREND).scope == "strategy.momo"


@pytest.mark.parametrize(
    ("strategy", "regimes"),
    [
        ("mean_reversion", (Regime.CHOP,)),
        ("market_making", (Regime.CHOP,)),
        ("momentum_scalp", (Regime.TREND, Regime.VOL_EXPANSION)),
        ("breakout", (Regime.VOL_EXPANSION,)),
        ("trend_follow", (Regime.TREND,)),
        ("all_weather", (Regime.TREND, Regime.CHOP, Regime.VOL_EXPANSION)),
    ],
)
def test_a_strategy_trades_in_its_own_regimes_alone(strategy: str, regimes: tuple[Regime, ...]) -> None:
    recommended = limits_set(regimes_allowed=RAILS["regimes_allowed"].value)
    state = state_of(recommended, observed(), layer(Scope(f"strategy.{strategy}"), regimes_allowed=regimes))
    content = body(meta={"strategy": strategy})
    passing = {now for now in Regime if answer(state, content, seen_in(now)).outcome is Outcome.APPROVED}
    assert passing == set(regimes)


def test_regimes_of_all_layers_meet_and_may_leave_none() -> None:
    state = gated(layer("firm", regimes_allowed=(CHOP, TREND)), account=(TREND, UNTRADEABLE), regimes_allowed=(CHOP,))
    whose, limits = Whose("demo", "momo", "AAPL"), state.limits or LimitSet()
    assert bounds_over(state.standing, limits, Whose("demo", None, "AAPL")).limits.regimes_allowed == (TREND,)
    assert bounds_over(state.standing, limits, whose).limits.regimes_allowed == ()
    bound = bound_by(state.standing, limits, whose)["regimes_allowed"]
    assert (bound.value, bound.scope) == ((), STRATEGY)


def test_an_empty_list_of_regimes_is_a_limit_and_no_list_is_none() -> None:
    assert check_regime in controls_under(LimitSet(regimes_allowed=()))
    assert check_regime not in controls_under(LimitSet())


def test_a_change_that_adds_risk_is_gated_and_one_that_takes_it_away_is_not() -> None:
    state = state_of(*READY, APPROVED, WORKING, limits_set(2, regimes_allowed=(TREND,)))
    assert reason_of(state, intent("replace", order_id=ORDER, qty="11"), CHOP).code is C.REGIME
    smaller = answer(state, intent("replace", order_id=ORDER, qty="9"), seen_in(CHOP))
    assert smaller.outcome is Outcome.APPROVED, smaller.reason


def test_a_regime_from_a_clock_that_runs_ahead_gates_too() -> None:
    ahead = replace(seen_in(CHOP), decided_at=NOW - timedelta(seconds=4))
    found = answer(ready(regimes_allowed=(TREND,)), body(), ahead).reason
    assert found is not None
    assert found.code is C.REGIME


def test_another_list_of_regimes_widens_unless_it_is_a_part_of_the_old_one() -> None:
    narrow, wide = LimitOverride(regimes_allowed=(CHOP,)), LimitOverride(regimes_allowed=(CHOP, TREND))
    assert widened_limits(wide, narrow) == widened_limits(LimitOverride(), narrow) == ()
    assert widened_limits(narrow, wide) == widened_limits(narrow, LimitOverride()) == ("regimes_allowed",)
