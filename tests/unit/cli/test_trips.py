"""How a trip reads on the command line, and which one somebody means who resets it."""

from datetime import timedelta

import pytest

from contracts.scopes import ACCOUNT
from projections.guard import Trip
from projections.state_view import Place, view_of
from services.cli.outcome import UsageError
from services.cli.state import paragraphs
from services.cli.trips import chosen, closed_gates, line_of, line_of_gate
from tests.risk_world import NOW, PAPER, limits_set, observed, state_of
from tests.unit.risk.rows_health import clock
from tests.unit.risk.rows_trips import Desk, throttled

S = timedelta(seconds=1)


def standing(**limits: int) -> tuple[Trip, ...]:
    state = state_of(limits_set(max_throttles_per_min=2, **limits), observed(), throttled(), throttled(NOW + S))
    return state.guard.trips[ACCOUNT]


def test_a_trip_is_told_with_its_place_in_the_journal_and_what_ends_it() -> None:
    (trip,) = standing()
    assert line_of(trip) == (
        "account throttles: the broker turned requests away in 2 seconds of a minute, trading stops at 2 "
        "(since 2026-11-23T15:00:01+00:00, journal 4); a person must reset it"
    )
    (cooling,) = standing(trip_cooldown_ms=60_000)
    assert line_of(cooling).endswith("; it ends by itself, not before 2026-11-23T15:01:01+00:00")


def test_a_closed_gate_of_safety_health_is_told_with_why_and_since_when() -> None:
    state = state_of(limits_set(clock_skew_max_ms=1_000, audit_age_max_ms=1_000), observed(), clock(9_000))
    assert [line_of_gate(one) for one in closed_gates(state, NOW + S)] == [
        "account audit_stale: nothing is known yet; it opens by itself once it has been well for a while",
        (
            "account clock_skew: the broker's clock is 9000 ms ahead of ours (give or take 20 ms), "
            "1000 ms are allowed (since 2026-11-23T15:00:00+00:00); "
            "it opens by itself once it has been well for a while"
        ),
    ]
    assert closed_gates(state_of(observed()), NOW) == ()


def test_what_has_not_tripped_is_refused_with_what_has() -> None:
    assert chosen(standing(), "account", "throttles").seq == 4
    for scope, name in (("account", ""), ("account", "slippage"), ("agent.demo", "throttles")):
        with pytest.raises(UsageError, match="these have: account throttles"):
            chosen(standing(), scope, name)


def test_the_state_tells_which_agent_stopped_and_since_when() -> None:
    desk = Desk("noisy", max_reject_streak=1, reject_window_ms=1000).reject()
    told = [text for text, _ in paragraphs(view_of(desk.state, Place(account=PAPER, seq=4, at=NOW)))]
    assert "trading active" in told
    assert "  agent.noisy reduce_only (trip reject_streak)" in told
    assert any("since 2026-11-23 15:00:00 UTC the broker rejected 1 orders in a row" in line for line in told)
