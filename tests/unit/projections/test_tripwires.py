"""Where trading stops by itself, and when it goes on: latches that never flap, memory that never grows."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.controls import TripReset
from contracts.enums import Outcome, Side
from contracts.reasons import DenialCode as C
from contracts.scopes import ACCOUNT, Scope, agent_scope, strategy_scope
from projections import account
from projections.account import AccountState
from projections.agent_wires import REPEATS_KEPT
from projections.counts import NONE_COUNTED, SLOTS, with_one
from projections.guard import Trip, TripEnd, TripName, trip_of
from projections.state_codec import decode_state, encode_state
from projections.track_record import FILLS_KEPT
from projections.velocity import DAYS_KEPT, MINUTES_KEPT
from tests.risk_world import NOW, answer, body, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.rows_trips import Desk, link_lost, seen_at, throttled

D = Decimal
S, MIN, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(days=1)
START = D(100_000)


def reset(scope: Scope, name: str) -> TripReset:
    return TripReset(epoch=0, at=NOW, scope=scope, trip=name, by="op", reason="looked")


def trip(state: AccountState, name: TripName, scope: Scope = ACCOUNT) -> Trip | None:
    return trip_of(state.guard, scope, name)


def code(state: AccountState, agent: str = "demo", at: Any = NOW, **fields: Any) -> C | None:
    reason = answer(state, body(qty="1", **fields), evidence(quote(at=at), at=at), agent).reason
    return None if reason is None else reason.code


LATCHED = {"max_drawdown_usd": D(10_000_000), "trip_hysteresis_pct": D(20)}


@given(st.lists(st.integers(-1500, 1500), min_size=1, max_size=40), st.integers(0, 100))
@settings(max_examples=80, deadline=None)
def test_a_loss_that_tripped_never_lets_go_before_it_is_back_by_the_hysteresis(
    losses: list[int], percent: int
) -> None:
    state = state_of(limits_set(**(LATCHED | {"trip_hysteresis_pct": D(percent)})))
    stands, back = False, 1000 * (100 - percent) / D(100)
    for number, loss in enumerate(losses):
        state = account.evolve(state, observed(str(START - loss), NOW + number * S), number + 1)
        stands = loss >= 1000 or (stands and loss >= back)
        assert (trip(state, TripName.DAILY_LOSS) is not None) is stands
    assert decode_state(encode_state(state)) == state


@given(st.lists(st.tuples(st.integers(0, 7200), st.integers(-900, 900)), min_size=1, max_size=60))
@settings(max_examples=60, deadline=None)
def test_a_window_of_losses_trips_exactly_when_equity_fell_that_far_within_it(steps: list[tuple[int, int]]) -> None:
    state, at, seen = state_of(limits_set(max_loss_1h_usd=D(500), **LATCHED)), NOW, list[tuple[int, Decimal]]()
    stands, equity = False, START
    for number, (wait_s, change) in enumerate(steps):
        at, equity = at + wait_s * S, equity + change
        day = replace(observed(str(equity), at), trading_day=at.date())
        state = account.evolve(state, day, number + 1)
        minute = int(at.timestamp()) // 60
        seen.append((minute, equity))
        fall = max(value for when, value in seen if when >= minute - 60) - equity
        stands = fall >= 500 or (stands and fall >= 400)
        assert (trip(state, TripName.LOSS_1H) is not None) is stands
    assert len(state.guard.velocity.highs) <= MINUTES_KEPT + 1
    assert len(state.guard.velocity.openings) <= DAYS_KEPT


def test_midnight_starts_no_window_over() -> None:
    limits = limits_set(max_loss_week_usd=D(1200), max_loss_1h_usd=D(800), **LATCHED)
    evening = seen_at("99500", 0, last_equity="100000")
    morning = replace(seen_at("99000", 30, last_equity="99500"), trading_day=(NOW + DAY).date())
    state = state_of(limits, evening, morning)
    assert not state.guard.trips
    worse = replace(morning, equity_usd=D(98_700), at=morning.at + MIN)
    trips = account.evolve(state, worse, 9).guard.trips[ACCOUNT]
    assert {one.name: one.measured for one in trips} == {TripName.LOSS_1H: 800, TripName.LOSS_WEEK: 1300}


def test_the_days_own_trips_end_with_the_day_and_others_do_not() -> None:
    limits = limits_set(max_loss_week_usd=D(1000), **LATCHED)
    state = state_of(limits, observed("98900"))
    assert {one.name for one in state.guard.trips[ACCOUNT]} == {TripName.DAILY_LOSS, TripName.LOSS_WEEK}
    state = account.evolve(state, seen_at("98900", 0, 1, last_equity="98900"), 9)
    assert {one.name for one in state.guard.trips[ACCOUNT]} == {TripName.LOSS_WEEK}


def test_between_its_limit_and_the_hysteresis_a_loss_is_told_as_a_trip_and_above_it_with_todays_figures() -> None:
    limits = limits_set(**LATCHED)
    assert code(state_of(limits, observed("98900"))) is C.MAX_DAILY_LOSS
    back = state_of(limits, observed("98900"), observed("99100"))
    assert code(back) is C.TRIPPED
    assert code(account.evolve(back, observed("99201"), 9)) is None


def test_a_person_who_resets_a_loss_is_believed_until_it_is_next_seen_at_its_limit() -> None:
    state = state_of(limits_set(**LATCHED), observed("98900"), observed("99100"), reset(ACCOUNT, "daily_loss"))
    assert code(state) is None
    assert code(account.evolve(state, observed("99001"), 9)) is None
    assert code(account.evolve(state, observed("99000"), 9)) is C.MAX_DAILY_LOSS
    assert trip(account.evolve(state, observed("99000"), 9), TripName.DAILY_LOSS) is not None


def test_no_value_trip_ends_before_its_cooldown() -> None:
    state = state_of(limits_set(max_loss_5m_usd=D(100), trip_cooldown_ms=600_000), observed(), observed("99900"))
    assert trip(account.evolve(state, observed("100000", NOW + 9 * MIN), 9), TripName.LOSS_5M) is not None
    assert trip(account.evolve(state, observed("100000", NOW + 10 * MIN), 9), TripName.LOSS_5M) is None


def test_a_storm_ends_after_its_cooldown_and_without_one_by_a_person() -> None:
    storm = [throttled(NOW + n * S) for n in range(3)]
    cooled = state_of(limits_set(max_throttles_per_min=3, trip_cooldown_ms=5_000), observed(), *storm)
    reason = answer(cooled, body(), evidence(quote(at=NOW + 3 * S), at=NOW + 3 * S)).reason
    assert reason is not None
    assert (reason.code, reason.retryable, reason.retry_after_ms, reason.needs_human) == (
        C.TRIPPED,
        True,
        4_001,
        False,
    )
    assert code(cooled, at=NOW + 6.9 * S) is C.TRIPPED
    assert code(cooled, at=NOW + 7 * S) is None
    for_ever = state_of(limits_set(max_throttles_per_min=3), observed(), *storm)
    reason = answer(for_ever, body(), evidence(quote(at=NOW + 50 * S), at=NOW + 50 * S)).reason
    assert reason is not None
    assert (reason.needs_human, reason.retryable, reason.scope) == (True, False, ACCOUNT)
    assert "lockgate trips reset account throttles" in reason.message
    assert code(account.evolve(for_ever, reset(ACCOUNT, "throttles"), 9)) is None


def test_what_happens_seldom_enough_trips_nothing() -> None:
    limits = limits_set(max_throttles_per_min=3, max_reconnects_per_hour=3)
    seldom = [throttled(NOW + n * 31 * S) for n in range(9)] + [link_lost(NOW + n * 31 * MIN) for n in range(9)]
    assert not state_of(limits, observed(), *seldom).guard.trips


def test_a_noisy_agent_is_stopped_and_nobody_else() -> None:
    desk = Desk("noisy", max_reject_streak=3, reject_window_ms=60_000, trip_cooldown_ms=60_000)
    for number in range(3):
        desk.reject(NOW + number * S)
    assert code(desk.state, "noisy") is C.TRIPPED
    assert code(desk.state, "quiet") is None
    assert code(desk.state, "_operator") is None


def test_an_accepted_order_ends_the_streak_and_rejections_far_apart_are_none() -> None:
    rails = {"max_reject_streak": 3, "reject_window_ms": 60_000}
    assert not Desk(**rails).reject().reject().accept().reject().reject().state.guard.trips
    assert not Desk(**rails).reject().reject().reject(NOW + 62 * S).state.guard.trips


def test_a_streak_of_losses_counts_each_order_once_and_a_gain_ends_it() -> None:
    desk = Desk(max_loss_streak=2)
    desk.fill(qty="4")
    closing = desk.approve(qty="4", side=Side.SELL, order_type="market", limit_price=None)
    for _ in range(4):
        desk.fill_part(closing, "1", "99.00")
    assert not desk.state.guard.trips
    assert desk.state.guard.records[desk.agent].losses == 1
    desk.fill("98.00").fill("99.00", side=Side.SELL, order_type="market", limit_price=None)
    assert desk.state.guard.records[desk.agent].losses == 0
    assert code(desk.lose().lose().state) is C.TRIPPED


def test_what_is_done_again_and_again_stops_its_strategy_until_a_person_has_looked() -> None:
    desk = Desk(max_repeats=3, repeat_window_ms=60_000, trip_cooldown_ms=1)
    for _ in range(3):
        desk.fill(meta={"strategy": "momo"})
    later = NOW + 3600 * S
    state = account.evolve(desk.state, observed(at=later), 99)
    stopped = trip(state, TripName.REPEATS, strategy_scope("momo"))
    assert stopped is not None
    assert stopped.ends is TripEnd.PERSON
    assert code(state, at=later, meta={"strategy": "momo"}) is C.TRIPPED
    assert code(state, at=later, meta={"strategy": "other"}) is None
    again = account.evolve(state, reset(strategy_scope("momo"), "repeats"), 100)
    assert code(again, at=later, meta={"strategy": "momo"}) is None


def test_what_differs_in_side_or_reduces_or_fills_in_parts_is_no_repetition() -> None:
    desk = Desk(max_repeats=3, repeat_window_ms=60_000)
    desk.fill(qty="3").fill()
    for _ in range(3):
        desk.fill(side=Side.SELL, order_type="market", limit_price=None)
    parts = desk.approve(at=NOW + 2 * MIN, qty="4")
    for _ in range(4):
        desk.fill_part(parts, "1", "100.00", NOW + 2 * MIN)
    assert not desk.state.guard.trips


def test_slippage_is_measured_against_the_mid_of_the_decision_in_the_newest_fills() -> None:
    desk = Desk(max_slippage_bps=D(50), max_daily_trades=1000, order_rate_per_min=1000)
    for _ in range(40):
        desk.fill("99.995", limit_price="101.00").fill("99.90", side=Side.SELL, order_type="market", limit_price=None)
    record = desk.state.guard.records[desk.agent]
    assert record.slips_bps == (D(0),) * FILLS_KEPT  # what reduces is not judged: no control looked at its quote
    assert not desk.state.guard.trips


def test_limits_without_a_rail_let_its_trips_go() -> None:
    tripped = Desk(max_reject_streak=1, reject_window_ms=1000).reject().state
    assert code(tripped) is C.TRIPPED
    assert code(account.evolve(tripped, limits_set(2), 9)) is None


def test_a_reset_of_what_does_not_stand_changes_nothing() -> None:
    state = state_of(limits_set(), observed())
    assert account.evolve(state, reset(agent_scope("demo"), "reject_streak"), 9) == state


@given(st.lists(st.integers(0, 3_000), min_size=1, max_size=300), st.integers(1, 100_000))
@settings(max_examples=60, deadline=None)
def test_a_sliding_count_is_never_low_and_keeps_few_slots(waits_ms: list[int], window_ms: int) -> None:
    counts, now_ms, times = NONE_COUNTED, 0, list[int]()
    for wait_ms in waits_ms:
        now_ms += wait_ms
        times.append(now_ms)
        counts = with_one(counts, NOW + timedelta(milliseconds=now_ms), window_ms)
        slot_ms = -(-window_ms // SLOTS)
        exact = sum(time > now_ms - window_ms for time in times)
        most = sum(time > now_ms - window_ms - 2 * slot_ms for time in times)
        assert exact <= counts.total <= most
        assert len(counts.slots) <= SLOTS + 1


def test_whatever_agents_call_their_strategies_the_memory_of_repetition_stays_bounded() -> None:
    rails = {"max_repeats": 3, "repeat_window_ms": 60_000, "max_daily_trades": 9999, "order_rate_per_min": 9999}
    desk = Desk(max_gross_exposure_usd=D(10**9), max_position_notional_usd=D(10**9), **rails)
    desk.state = account.evolve(
        desk.state,
        limits_set(
            2,
            max_net_exposure_usd=D(10**9),
            max_gross_exposure_usd=D(10**9),
            max_position_notional_usd=D(10**9),
            **rails,
        ),
        3,
    )
    for number in range(REPEATS_KEPT + 20):
        desk.fill(at=NOW + number * timedelta(milliseconds=10), meta={"strategy": f"s{number}"})
    assert len(desk.state.guard.repeats) <= REPEATS_KEPT


@pytest.mark.parametrize("name", ["", "two\nlines"])
def test_a_strategy_that_cannot_be_named_is_its_agents_to_answer_for(name: str) -> None:
    desk = Desk(max_repeats=1, repeat_window_ms=1000).fill(meta={"strategy": name})
    assert trip(desk.state, TripName.REPEATS, agent_scope(desk.agent)) is not None


def test_an_exit_passes_every_trip() -> None:
    desk = Desk(max_reject_streak=1, reject_window_ms=1000, max_throttles_per_min=1, max_loss_5m_usd=D(1))
    desk.fill(qty="5").reject().take(throttled()).take(observed("99000"))
    assert sum(len(trips) for trips in desk.state.guard.trips.values()) == 3
    leave = answer(desk.state, body(qty="5", side="sell", order_type="market", limit_price=None))
    assert leave.outcome is Outcome.APPROVED, leave.reason
