"""When a broker trades, of what its calendar and its clock say."""

from datetime import UTC, datetime, timedelta

from contracts.broker import Session
from services.oms.brokers.port import BrokerClock
from services.oms.sessions import as_traded

MONDAY = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)
DAY, HOUR = timedelta(days=1), timedelta(hours=1)


def session(day: int) -> Session:
    opens = MONDAY + day * DAY
    return Session(trading_day=opens.date(), open_at=opens, close_at=opens + 6.5 * HOUR)


CALENDAR = session(-3), session(0), session(1)


def clock(at: datetime, *, is_open: bool, next_open: datetime, next_close: datetime) -> BrokerClock:
    return BrokerClock(at=at, is_open=is_open, next_open=next_open, next_close=next_close)


def test_where_clock_and_calendar_agree_the_calendar_stands() -> None:
    noon = clock(MONDAY + HOUR, is_open=True, next_open=MONDAY + DAY, next_close=MONDAY + 6.5 * HOUR)
    night = clock(MONDAY - HOUR, is_open=False, next_open=MONDAY, next_close=MONDAY + 6.5 * HOUR)
    assert as_traded(CALENDAR, noon) == as_traded(CALENDAR, night) == CALENDAR


def test_a_broker_that_is_open_outside_every_session_trades_around_the_clock() -> None:
    weekend = clock(MONDAY - DAY, is_open=True, next_open=MONDAY, next_close=MONDAY + 6.5 * HOUR)
    traded = as_traded(CALENDAR, weekend)
    assert [(one.open_at, one.close_at) for one in traded] == [
        (MONDAY - 3 * DAY, MONDAY),
        (MONDAY, MONDAY + DAY),
    ]


def test_a_broker_that_does_not_close_when_its_calendar_says_trades_around_the_clock() -> None:
    noon = clock(MONDAY + HOUR, is_open=True, next_open=MONDAY + DAY, next_close=MONDAY + DAY + 6.5 * HOUR)
    assert as_traded(CALENDAR, noon)[1].close_at == MONDAY + DAY


def test_a_broker_that_is_closed_in_the_middle_of_a_session_opens_when_its_clock_says() -> None:
    halted = clock(MONDAY + HOUR, is_open=False, next_open=MONDAY + 2 * HOUR, next_close=MONDAY + 6.5 * HOUR)
    shut = clock(MONDAY + HOUR, is_open=False, next_open=MONDAY + DAY, next_close=MONDAY + DAY + 6.5 * HOUR)
    assert as_traded(CALENDAR, halted)[1].open_at == MONDAY + 2 * HOUR
    assert as_traded(CALENDAR, shut) == (CALENDAR[0], CALENDAR[2])
