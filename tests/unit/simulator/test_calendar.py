"""The exchange's days and hours."""

from datetime import UTC, date, datetime

import pytest

from services.simulator.core.sessions import (
    MarketHours,
    holidays,
    is_trading_day,
    next_close,
    next_open,
    session,
    settlement_day,
)


def test_the_holidays_of_2026_are_the_exchanges_own() -> None:
    assert sorted(holidays(2026)) == [
        date(2026, 1, 1),
        date(2026, 1, 19),
        date(2026, 2, 16),
        date(2026, 4, 3),
        date(2026, 5, 25),
        date(2026, 6, 19),
        date(2026, 7, 3),
        date(2026, 9, 7),
        date(2026, 11, 26),
        date(2026, 12, 25),
    ]


@pytest.mark.parametrize(
    ("day", "trades"),
    [
        (date(2021, 12, 31), True),  # New Year 2022 was a Saturday and is not moved back
        (date(2023, 1, 2), False),
        (date(2021, 6, 18), True),  # Juneteenth closes the exchange since 2022
        (date(2024, 3, 29), False),
        (date(2025, 1, 9), False),
        (date(2026, 11, 21), False),
    ],
)
def test_odd_days(day: date, *, trades: bool) -> None:
    assert is_trading_day(day) is trades


@pytest.mark.parametrize("day", [date(2026, 11, 27), date(2026, 12, 24), date(2024, 7, 3)])
def test_early_closes_end_at_one_in_the_afternoon(day: date) -> None:
    found = session(day)
    assert found is not None
    assert (found.close - found.open).total_seconds() == 3.5 * 3600


def test_summer_time_moves_the_opening_in_utc() -> None:
    winter, summer = session(date(2026, 11, 23)), session(date(2026, 7, 6))
    assert winter is not None
    assert summer is not None
    assert (winter.open.hour, summer.open.hour) == (14, 13)


def test_next_open_and_close_skip_the_weekend() -> None:
    friday_evening = datetime(2026, 11, 20, 23, 0, tzinfo=UTC)
    assert next_open(friday_evening) == datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
    assert next_close(friday_evening) == datetime(2026, 11, 23, 21, 0, tzinfo=UTC)


def test_extended_hours_trade_only_what_asks_for_them() -> None:
    hours = MarketHours(always=False)
    early = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert not hours.is_open(early)
    assert hours.is_tradable(early, extended=True)
    assert not hours.is_tradable(early, extended=False)


def test_settlement_is_the_next_trading_day() -> None:
    assert settlement_day(date(2026, 11, 25)) == date(2026, 11, 27)
