"""Positions, exposure and pace: small folds with exact answers."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.enums import Side
from contracts.ids import Symbol
from projections.exposure import NO_EXPOSURE, Exposure, SymbolExposure, Totals, moved, with_symbol, worst
from projections.pace import NO_PACE, orders_in_window, retry_after_ms, with_order
from projections.positions import Position, adopted, after_fill
from tests.risk_world import NOW

D = Decimal
AAPL = Symbol("AAPL")
MONEY = st.decimals(D("0.01"), D(1000), places=2)
QTY = st.decimals(D(-100), D(100), places=3).filter(bool)


@pytest.mark.parametrize(
    ("fills", "qty", "avg", "realized"),
    [
        ([("10", "10")], "10", "10", "0"),
        ([("50", "10"), ("50", "12")], "100", "11", "0"),
        ([("10", "10"), ("-4", "12")], "6", "10", "8"),
        ([("10", "10"), ("-25", "12")], "-15", "12", "20"),
        ([("-10", "12"), ("4", "10")], "-6", "12", "8"),
        ([("-10", "12"), ("30", "10")], "20", "10", "20"),
        ([("10", "10"), ("-10", "9")], "0", "0", "-10"),
        ([("1.5", "10")], "1.5", "10", "0"),
    ],
)
def test_fills_make_positions_by_average_cost(
    fills: list[tuple[str, str]], qty: str, avg: str, realized: str
) -> None:
    position = Position(symbol=AAPL)
    for change, price in fills:
        position = after_fill(position, D(change), D(price))
    assert (position.qty, position.avg_price, position.realized_usd) == (D(qty), D(avg), D(realized))


@given(st.lists(st.tuples(QTY, MONEY), max_size=20))
def test_cash_plus_value_equals_realised_plus_unrealised(fills: list[tuple[Decimal, Decimal]]) -> None:
    position, mark = Position(symbol=AAPL), D(50)
    for change, price in fills:
        position = after_fill(position, change, price)
    by_cash = position.cash_usd + position.qty * mark
    by_cost = position.realized_usd + position.qty * (mark - position.avg_price)
    assert abs(by_cash - by_cost) < D("1e-15")


def test_adopted_shares_move_no_cash() -> None:
    position = adopted(Position(symbol=AAPL), D(10), D(100))
    assert (position.qty, position.avg_price, position.cash_usd, position.realized_usd) == (D(10), D(100), D(0), D(0))


def exposure(position: str, buys: str = "0", sells: str = "0", price: str = "10") -> SymbolExposure:
    return SymbolExposure(
        position_qty=D(position),
        mark_price=D(price),
        buy_qty=D(buys),
        buy_notional_usd=D(buys) * D(price),
        sell_qty=D(sells),
        sell_notional_usd=D(sells) * D(price),
    )


@pytest.mark.parametrize(
    ("one", "long", "short", "net_long", "net_short"),
    [
        (NO_EXPOSURE, "0", "0", "0", "0"),
        (exposure("0", buys="5"), "50", "0", "50", "0"),
        (exposure("10"), "100", "0", "100", "-100"),
        (exposure("10", buys="5", sells="10"), "150", "0", "150", "0"),
        (exposure("10", sells="11"), "100", "110", "100", "10"),
        (exposure("-10"), "0", "100", "-100", "100"),
        (exposure("-10", buys="10", sells="5"), "0", "150", "0", "150"),
        (exposure("-10", buys="11"), "110", "100", "10", "100"),
    ],
)
def test_the_worst_case_counts_what_opens_and_not_what_closes(
    one: SymbolExposure, long: str, short: str, net_long: str, net_short: str
) -> None:
    case = worst(one)
    found = case.long_usd, case.short_usd, case.net_long_usd, case.net_short_usd
    assert found == (D(long), D(short), D(net_long), D(net_short))


@given(st.lists(st.tuples(st.sampled_from(["A", "B", "C"]), QTY, MONEY, MONEY), max_size=25))
def test_totals_moved_by_differences_equal_a_sum_from_scratch(
    changes: list[tuple[str, Decimal, Decimal, Decimal]],
) -> None:
    whole = Exposure()
    for name, qty, price, working in changes:
        one = SymbolExposure(position_qty=qty, mark_price=price, buy_qty=working, buy_notional_usd=working * price)
        whole = with_symbol(whole, Symbol(name), one)
    total = Totals()
    for one in whole.symbols.values():
        total = moved(total, worst(NO_EXPOSURE), worst(one))
    assert whole.totals == total


@given(st.lists(st.integers(0, 4000), min_size=1, max_size=60))
def test_the_sliding_minute_never_counts_too_few(gaps_ms: list[int]) -> None:
    now, pace, times = NOW, NO_PACE, []
    for gap_ms in gaps_ms:
        now += timedelta(milliseconds=gap_ms)
        pace = with_order(pace, now)
        times.append(now)
    exact = sum(at > now - timedelta(seconds=60) for at in times)
    a_second_more = sum(at > now - timedelta(seconds=61) for at in times)
    assert exact <= orders_in_window(pace, now) <= a_second_more
    assert len(pace.seconds) <= 62


def test_retry_after_names_the_moment_at_which_the_oldest_order_no_longer_counts() -> None:
    pace = with_order(NO_PACE, NOW)
    later = NOW + timedelta(seconds=20)
    wait = timedelta(milliseconds=retry_after_ms(pace, later))
    assert orders_in_window(pace, later + wait) == 0
    assert orders_in_window(pace, later + wait - timedelta(seconds=1)) == 1


def test_a_side_is_the_one_an_order_makes_larger() -> None:
    case = worst(exposure("10", buys="5"))
    assert (case.side_usd(Side.BUY), case.side_usd(Side.SELL)) == (D(150), D(0))
