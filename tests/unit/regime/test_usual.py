"""What is usual for a symbol: figures worked out by hand."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from contracts.ids import Symbol
from contracts.market import Bar
from services.regime.usual import (
    Usual,
    average_true_range,
    mean_volume,
    stats,
    with_days,
    with_last,
)

AAPL = Symbol("AAPL")
FIRST = datetime(2026, 10, 1, 4, tzinfo=UTC)
D = Decimal
NOTHING = Usual(symbol=AAPL)


def bar(day: int, low: str, high: str, close: str, volume: str = "1000", timeframe: str = "1Day") -> Bar:
    return Bar(
        symbol=AAPL,
        timeframe=timeframe,
        open=D(low),
        high=D(high),
        low=D(low),
        close=D(close),
        volume=D(volume),
        at=FIRST + timedelta(days=day),
        source="test",
    )


def calm(days: int) -> list[Bar]:
    """Days that range from 99 to 101 and close at 100: a true range of 2 each."""
    return [bar(day, "99", "101", "100") for day in range(days)]


def test_the_true_range_of_calm_days_is_what_they_range() -> None:
    assert average_true_range(calm(15)) == 2


def test_a_gap_counts_from_the_close_before_it() -> None:
    # 14 ranges of 2, then one of 111 - 100 = 11 (high above the close before): (2 * 13 + 11) / 14 = 37 / 14
    assert average_true_range([*calm(15), bar(15, "109", "111", "110")]) == D("2.6429")
    # downwards from 110 to a low of 99: 11 again, (37 / 14 * 13 + 11) / 14 = 635 / 196
    assert average_true_range([*calm(15), bar(15, "109", "111", "110"), bar(16, "99", "101", "100")]) == D("3.2398")


def test_the_average_begins_as_the_mean_of_the_first_fourteen_ranges() -> None:
    wide = [bar(day, "98", "102", "100") for day in range(8, 15)]  # seven ranges of 2 and seven of 4
    assert average_true_range([*calm(8), *wide]) == 3


def test_with_too_few_days_nothing_is_usual() -> None:
    assert average_true_range(calm(14)) is None
    assert average_true_range([]) is None
    assert mean_volume(calm(19)) is None


def test_the_volume_is_the_mean_of_the_last_twenty_days() -> None:
    early = [bar(0, "99", "101", "100", "999999")]
    later = [bar(day, "99", "101", "100", str(day * 100)) for day in range(1, 21)]
    assert mean_volume([*early, *later]) == 1050  # (100 + 200 + … + 2000) / 20


def test_days_give_the_prior_close_and_a_first_last_price() -> None:
    known = with_days(NOTHING, calm(21))
    assert (known.prior_close, known.last_price, known.atr_usd, known.daily_volume) == (100, 100, 2, 1000)
    assert with_days(known, []) == known


def test_the_newest_bar_gives_the_last_price_and_an_older_one_changes_nothing() -> None:
    newer = with_last(with_days(NOTHING, calm(21)), bar(30, "101", "103", "102", timeframe="1Min"))
    assert newer.last_price == 102
    assert with_last(newer, bar(29, "90", "91", "90", timeframe="1Min")) == newer
    assert with_days(newer, calm(22)).last_price == 102


def test_nothing_is_told_of_a_symbol_without_a_price() -> None:
    assert stats(NOTHING, FIRST, "test") is None
    told = stats(with_last(NOTHING, bar(0, "99", "101", "100")), FIRST, "test")
    assert told is not None
    assert (told.last_price, told.last_at, told.atr_usd, told.daily_volume) == (100, FIRST, None, None)
