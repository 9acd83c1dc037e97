"""A gate of safety health that lapsed opens again when its facts have been good for the recovery time, and no sooner.

What is held against each fact are the limits in force when the next one comes, so the journal alone decides.
"""

from datetime import timedelta
from typing import Any

import pytest
from immutables import Map

from contracts.enums import TradingState
from contracts.limits import LimitSet
from contracts.scopes import ACCOUNT
from projections import health
from projections.account import AccountState
from projections.health import HealthGate, ailments, excess_ms
from projections.state_codec import decode_state, encode_state
from projections.trading_state import scope_state, trading_state_of
from tests.risk_world import NOW, answer, body, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.rows_health import clock
from tests.unit.risk.rows_trips import reconciled, watched

S = timedelta(seconds=1)
LIMITS: dict[str, Any] = {
    "reconciliation_age_max_ms": 60_000,
    "audit_age_max_ms": 60_000,
    "clock_skew_max_ms": 1000,
    "health_recovery_ms": 10_000,
}


def after(*facts: Any, **limits: Any) -> AccountState:
    return state_of(limits_set(**(LIMITS | limits)), observed(), *facts)


def told_at(state: AccountState, seconds: int) -> list[str]:
    limits = state.limits or LimitSet()
    return [one.name for one in ailments(state.guard.health, limits, NOW + seconds * S)]


WELL = (reconciled(), watched(), clock())


def test_a_lapse_during_the_recovery_begins_it_anew() -> None:
    blind, sees = watched(NOW + 1 * S, blind=True), watched(NOW + 2 * S)
    again, at_last = watched(NOW + 8 * S, blind=True), watched(NOW + 9 * S)
    state = after(*WELL, blind, sees, again, at_last)
    assert (told_at(state, 12), told_at(state, 18), told_at(state, 19)) == (
        ["audit_recovers"],
        ["audit_recovers"],
        [],
    )


def test_good_facts_during_the_recovery_do_not_lengthen_it() -> None:
    state = after(
        *WELL, clock(5_000, NOW + 1 * S), clock(0, NOW + 2 * S), clock(0, NOW + 7 * S), clock(0, NOW + 11 * S)
    )
    assert (told_at(state, 11), told_at(state, 12)) == (["clock_recovers"], [])


def test_the_gates_lapse_and_recover_each_by_itself() -> None:
    state = after(*WELL, clock(5_000, NOW + 1 * S), reconciled(NOW + 61 * S), watched(NOW + 59 * S))
    assert told_at(state, 62) == ["reconciliation_recovers", "clock_skew"]


def test_a_limit_that_was_raised_makes_good_what_was_bad_under_the_old_one() -> None:
    raised = limits_set(2, **(LIMITS | {"clock_skew_max_ms": 9_000}))
    state = after(*WELL, clock(5_000, NOW + 1 * S), raised)
    assert told_at(state, 2) == []
    assert (
        told_at(state_of(limits_set(**LIMITS), *WELL, clock(5_000, NOW + 1 * S), raised, clock(0, NOW + 2 * S)), 3)
        == []
    )


def test_a_gate_without_its_rail_neither_lapses_nor_recovers() -> None:
    facts = (*WELL, watched(NOW + 1 * S, blind=True), watched(NOW + 2 * S))
    assert told_at(after(*facts, audit_age_max_ms=None), 3) == []
    later_set = state_of(limits_set(1, **(LIMITS | {"audit_age_max_ms": None})), *facts, limits_set(2, **LIMITS))
    assert told_at(later_set, 3) == []


def test_facts_before_any_limits_count_as_told_and_not_as_a_lapse() -> None:
    assert health.evolve(health.evolve(health.NOTHING_TOLD, clock(), None), clock(9_999), None).back == Map()


@pytest.mark.parametrize(("skew_ms", "uncertainty_ms", "expected"), [(30, 40, 0), (-90, 40, 50), (90, 40, 50)])
def test_what_the_round_trip_may_hide_does_not_count_as_skew(
    skew_ms: int, uncertainty_ms: int, expected: int
) -> None:
    assert excess_ms(clock(skew_ms, uncertainty_ms=uncertainty_ms)) == expected


def test_what_stops_new_risk_is_named_with_since_when_and_why() -> None:
    state = after(*WELL, clock(-5_000, NOW + 1 * S))
    assert trading_state_of(state, NOW + 2 * S) == (TradingState.REDUCE_ONLY, ("clock_skew",))
    (cause,) = scope_state(state, ACCOUNT, NOW + 2 * S).causes
    assert cause.since == NOW + 1 * S
    assert cause.detail == "the broker's clock is 5000 ms behind ours (give or take 20 ms), 1000 ms are allowed"
    recovering = after(*WELL, clock(-5_000, NOW + 1 * S), clock(0, NOW + 2 * S))
    (cause,) = scope_state(recovering, ACCOUNT, NOW + 3 * S).causes
    assert (cause.name, cause.since) == ("clock_recovers", NOW + 2 * S)
    assert cause.detail == "good again; trading goes on at 2026-11-23T15:00:12.000+00:00"
    assert trading_state_of(recovering, NOW + 12 * S) == (TradingState.ACTIVE, ())


def test_a_denial_while_a_gate_recovers_says_when_to_ask_again() -> None:
    state = after(*WELL, clock(-5_000, NOW - 3 * S), clock(0, NOW - 2 * S))
    reason = answer(state, body(), evidence(quote())).reason
    assert reason is not None
    assert (reason.retryable, reason.retry_after_ms, reason.needs_human) == (True, 8_001, False)
    assert reason.message.startswith(
        "clock is good again since 2026-11-23T14:59:58.000+00:00, after a lapse: "
        "if it stays so, trading goes on at 2026-11-23T15:00:08.000+00:00"
    )


def test_a_snapshot_keeps_what_recovers() -> None:
    state = after(*WELL, clock(5_000, NOW + 1 * S), clock(0, NOW + 2 * S))
    assert state.guard.health.back == Map({HealthGate.CLOCK: NOW + 2 * S})
    assert decode_state(encode_state(state)) == state
