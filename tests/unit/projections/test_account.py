"""What the account's fold makes of controls, days and adopted shares."""

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.broker import PositionAdopted
from contracts.controls import KillReleased
from contracts.enums import KillMode
from contracts.ids import Symbol
from contracts.orders import OrderCanceled
from projections.state_codec import decode_state, encode_state
from tests.risk_world import AAPL, NOW, answer, body, bought, kill, limits_set, observed, state_of

RELEASED = KillReleased(epoch=0, at=NOW, by="op", reason="over")


@pytest.mark.parametrize("first", list(KillMode))
@pytest.mark.parametrize("second", list(KillMode))
def test_a_kill_switch_only_widens_until_it_is_released(first: KillMode, second: KillMode) -> None:
    modes = list(KillMode)
    state = state_of(kill(first), kill(second))
    assert state.kill is not None
    assert state.kill.mode is max(first, second, key=modes.index)
    assert state_of(kill(first), RELEASED).kill is None


def test_a_new_exchange_day_forgets_counts_and_ended_orders_but_not_working_ones() -> None:
    start = (limits_set(), observed())
    ended = answer(state_of(*start), body())
    working = answer(state_of(*start), body("i", qty="1"))
    gone = OrderCanceled(epoch=1, at=NOW, order_id=str(ended.order_id))  # type: ignore[arg-type]
    other = replace(working, order_id="lg-other")
    tomorrow = replace(observed(at=NOW + timedelta(days=1)), trading_day=NOW.date() + timedelta(days=1))
    state = state_of(*start, ended, gone, other, tomorrow)
    assert list(state.orders) == ["lg-other"]
    assert (state.day.submits, state.open_orders) == (0, 1)


def test_adopted_shares_count_in_exposure() -> None:
    found = PositionAdopted(epoch=1, at=NOW, symbol=Symbol("AAPL"), qty=Decimal(10), price=Decimal(100), detail="?")
    assert state_of(found).exposure.totals.gross_usd == Decimal(1000)


def test_a_fill_marks_the_position_and_an_observation_marks_it_again() -> None:
    state = state_of(limits_set(), observed(), bought("10", "100"))
    assert state.exposure.of(AAPL).mark_price == Decimal(100)


def test_a_state_reads_back_from_its_bytes() -> None:
    start = (limits_set(), observed(), bought("3"))
    state = state_of(*start, answer(state_of(*start), body()), kill())
    assert decode_state(encode_state(state)) == state
    assert encode_state(decode_state(encode_state(state))) == encode_state(state)
