"""What the account's fold makes of controls, days and adopted shares."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace

from contracts.broker import AccountObserved, BrokerLinkChanged, ObservedPosition, PositionAdopted
from contracts.controls import KillReleased
from contracts.enums import KillMode, OrderStatus, OrderType, Side
from contracts.ids import EXTERNAL, FillId, OrderId, Symbol
from contracts.orders import OrderAdopted, OrderCanceled, OrderTerms, OrderUnknown, OrderWorking
from projections import account
from projections.account import AccountState
from projections.exposure import NO_EXPOSURE
from projections.state_codec import decode_state, encode_state
from tests.risk_world import (
    AAPL,
    NOW,
    answer,
    body,
    bought,
    evidence,
    kill,
    limits_set,
    observed,
    quote,
    state_of,
)
from tests.wire.samples import EVENTS

D = Decimal
TOMORROW = NOW.date() + timedelta(days=1)

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


def seen_at(price: str | None) -> AccountObserved:
    shown = ObservedPosition(
        symbol=AAPL, qty=D(10), avg_entry_price=D(100), current_price=None if price is None else D(price)
    )
    return replace(observed(), positions=(shown,))


@pytest.mark.parametrize(
    ("price", "mark"),
    [("110", "110"), (None, "100"), ("0", "100"), ("-5", "100"), ("NaN", "100"), ("Infinity", "100")],
)
def test_only_a_real_price_marks_a_position(price: str | None, mark: str) -> None:
    assert state_of(bought("10"), seen_at(price)).exposure.of(AAPL).mark_price == D(mark)


def test_a_price_is_not_kept_for_a_symbol_without_a_position() -> None:
    assert state_of(seen_at("110")).exposure.of(AAPL) == NO_EXPOSURE


def test_shares_adopted_without_a_cost_keep_the_last_mark() -> None:
    found = PositionAdopted(epoch=1, at=NOW, symbol=AAPL, qty=D(5), price=D(0), detail="?")
    assert state_of(bought("10"), found).exposure.totals.gross_usd == D(1500)


@pytest.mark.parametrize("equity", ["NaN", "sNaN", "Infinity", "-Infinity"])
def test_an_equity_that_is_no_number_moves_no_peak_and_stops_no_fold(equity: str) -> None:
    state = state_of(observed("1000"), observed(equity), observed("900"))
    assert state.day.peak_equity_usd == D(1000)


@pytest.mark.parametrize(
    ("seen", "peak"),
    [(["1000"], "1000"), (["1000", "1200", "900"], "1200"), (["0", "-5"], "0"), (["-5", "-7", "-6"], "-5")],
)
def test_the_peak_is_the_highest_equity_of_the_day(seen: list[str], peak: str) -> None:
    assert state_of(*map(observed, seen)).day.peak_equity_usd == D(peak)


def test_the_peak_begins_anew_with_the_day() -> None:
    state = state_of(observed("1000"), replace(observed("900"), trading_day=TOMORROW))
    assert state.day.peak_equity_usd == D(900)


def test_an_earlier_day_does_not_take_the_later_ones_counts_away() -> None:
    start = (limits_set(), observed())
    state = state_of(*start, answer(state_of(*start), body()), replace(observed(), trading_day=date.min))
    assert state.day.submits == 1
    assert [state.day.submits_on(day) for day in (date.min, NOW.date(), TOMORROW)] == [1, 1, 0]
    assert account.EMPTY.day.submits_on(TOMORROW) == 0


def test_an_order_that_reduces_counts_in_no_pace_and_its_quote_marks_nothing() -> None:
    start = (limits_set(), observed(), bought("10"))
    absurd = evidence(quote("0.01", "0.02", at=NOW - timedelta(days=1)))
    leaving = answer(state_of(*start), body(side="sell"), absurd)
    state = state_of(*start, leaving)
    assert leaving.reservation is not None
    assert leaving.reservation.reduces
    assert (state.day.submits, state.pace.total, state.exposure.totals.gross_usd) == (0, 0, D(1000))


def adoption(order_type: OrderType, price: str | None = None, order_id: str = "hand") -> OrderAdopted:
    limit_price = None if price is None else D(price)
    terms = OrderTerms(symbol=AAPL, side=Side.BUY, order_type=order_type, qty=D(10), limit_price=limit_price)
    return OrderAdopted(
        epoch=1,
        at=NOW,
        order_id=OrderId(order_id),
        agent=EXTERNAL,
        client_order_id="by hand",
        broker_order_id="b",
        broker_status="new",
        terms=terms,
    )


def test_an_adopted_order_counts_at_its_limit_or_at_the_last_mark() -> None:
    held = bought("10", "100")
    by_limit = state_of(held, adoption(OrderType.LIMIT, "90"))
    assert by_limit.exposure.totals.gross_usd == D(1900)
    assert state_of(held, adoption(OrderType.MARKET)).exposure.totals.gross_usd == D(2000)
    assert (by_limit.open_orders, by_limit.orders[OrderId("hand")].agent) == (1, EXTERNAL)


def test_an_order_adopted_twice_counts_once() -> None:
    once = adoption(OrderType.LIMIT, "90")
    assert state_of(once, once).exposure.totals.gross_usd == D(900)
    assert state_of(once, once).open_orders == 1


def test_an_order_in_doubt_is_counted_by_symbol_until_the_broker_speaks() -> None:
    start = (limits_set(), observed())
    order_id = OrderId(str(answer(state_of(*start), body()).order_id))
    sent = state_of(*start, answer(state_of(*start), body()))
    doubt = account.evolve(sent, OrderUnknown(epoch=1, at=NOW, order_id=order_id, detail="timeout"), 9)
    assert doubt.unknown_orders[AAPL] == 1
    assert (
        account.evolve(doubt, OrderUnknown(epoch=1, at=NOW, order_id=order_id, detail="?"), 10).unknown_orders[AAPL]
        == 1
    )
    clear = account.evolve(doubt, OrderWorking(epoch=1, at=NOW, order_id=order_id, broker_status="new"), 10)
    assert (clear.unknown_orders[AAPL], clear.orders[order_id].status) == (0, OrderStatus.WORKING)
    assert clear.exposure == sent.exposure


def test_the_same_fill_told_twice_moves_the_position_once() -> None:
    start = (limits_set(), observed())
    approved = answer(state_of(*start), body())
    filled = replace(bought("4"), order_id=OrderId(str(approved.order_id)), fill_id=FillId("f"))
    state = state_of(*start, approved, filled, filled)
    assert state.positions[AAPL].qty == D(4)
    assert state.exposure.of(AAPL).buy_qty == D(6)
    assert state.exposure.totals.gross_usd == D(1000)


def test_a_fill_after_the_end_still_moves_the_position() -> None:
    start = (limits_set(), observed())
    approved = answer(state_of(*start), body())
    order_id = OrderId(str(approved.order_id))
    gone = OrderCanceled(epoch=1, at=NOW, order_id=order_id)
    state = state_of(*start, approved, gone, replace(bought("4"), order_id=order_id))
    assert (state.positions[AAPL].qty, state.exposure.of(AAPL).buy_qty, state.open_orders) == (D(4), D(0), 0)


def test_the_broker_link_is_what_was_last_said_of_it() -> None:
    words = [BrokerLinkChanged(epoch=1, at=NOW, up=up, detail="") for up in (True, False, True)]
    assert [state_of(*words[:count]).broker_up for count in range(4)] == [False, True, False, True]


@pytest.mark.parametrize("place", range(len(EVENTS)))
def test_every_event_ever_written_can_be_folded_into_any_state(place: int) -> None:
    start = (limits_set(), observed(), bought("10"), kill())
    for state in (account.EMPTY, state_of(*start), state_of(*EVENTS), state_of(*start, *reversed(EVENTS))):
        after = account.evolve(state, EVENTS[place], 99)
        assert decode_state(encode_state(after)) == after


def shuffled_positions(symbols: list[str]) -> AccountState:
    state = account.EMPTY
    for name in symbols:  # all at one sequence, which the state shows
        state = account.evolve(state, replace(bought("1"), symbol=Symbol(name), order_id=OrderId(name)), 1)
    return state


def test_the_order_in_which_maps_were_filled_does_not_show_in_the_bytes() -> None:
    names = [f"S{number}" for number in range(40)]
    assert encode_state(shuffled_positions(names)) == encode_state(shuffled_positions(names[::-1]))


def test_a_state_that_holds_something_new_is_not_written_down_half() -> None:
    with pytest.raises(NotImplementedError):
        encode_state(replace(account.EMPTY, pace=object()))
