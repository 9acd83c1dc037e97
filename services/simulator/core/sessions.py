"""The New York exchange's days and hours, from its own rules."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

NEW_YORK = ZoneInfo("America/New_York")
OPEN, CLOSE, EARLY_CLOSE = time(9, 30), time(16, 0), time(13, 0)
PRE_OPEN, POST_CLOSE, EARLY_POST_CLOSE = time(4, 0), time(20, 0), time(17, 0)
UNSCHEDULED_CLOSURES = frozenset({date(2018, 12, 5), date(2025, 1, 9)})
JUNETEENTH_SINCE = 2022
LONGEST_CLOSURE_DAYS = 10
MONDAY, THURSDAY, FRIDAY, SATURDAY, SUNDAY = 0, 3, 4, 5, 6
MARCH, APRIL = 3, 4


class Session(msgspec.Struct, frozen=True):
    """One trading day: its regular hours and the extended hours around them, as aware UTC times."""

    day: date
    open: datetime
    close: datetime
    pre_open: datetime
    post_close: datetime


def _easter(year: int) -> date:
    """Return Easter Sunday of the Gregorian calendar (Meeus, Jones and Butcher)."""
    century, rest = divmod(year, 100)
    moon = (19 * (year % 19) + century - century // 4 - (century - (century + 8) // 25 + 1) // 3 + 15) % 30
    week = (32 + 2 * (century % 4) + 2 * (rest // 4) - moon - rest % 4) % 7
    shift = moon + week - 7 * ((year % 19 + 11 * moon + 22 * week) // 451) + 114
    return date(year, shift // 31, shift % 31 + 1)


def _nth(year: int, month: int, weekday: int, nth: int) -> date:
    first = date(year, month, 1)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))


def _last_monday(year: int, month: int) -> date:
    following = date(year, month + 1, 1)
    return following - timedelta(days=following.weekday() or 7)


def _observed(day: date) -> date:
    return day + timedelta(days={SATURDAY: -1, SUNDAY: 1}.get(day.weekday(), 0))


@lru_cache(maxsize=64)
def holidays(year: int) -> frozenset[date]:
    """Return the full-day closures of one year as observed."""
    fixed = [date(year, 7, 4), date(year, 12, 25)]
    if year >= JUNETEENTH_SINCE:
        fixed.append(date(year, 6, 19))
    new_year = date(year, 1, 1)
    days = {_observed(day) for day in fixed}
    if new_year.weekday() != SATURDAY:  # a Saturday New Year is not moved into the old year
        days.add(_observed(new_year))
    days |= {_nth(year, 1, MONDAY, 3), _nth(year, 2, MONDAY, 3), _easter(year) - timedelta(days=2)}
    days |= {_last_monday(year, 5), _nth(year, 9, MONDAY, 1), _nth(year, 11, THURSDAY, 4)}
    return frozenset(days | {day for day in UNSCHEDULED_CLOSURES if day.year == year})


def is_trading_day(day: date) -> bool:
    """Say whether the exchange opens on this day."""
    return day.weekday() < SATURDAY and day not in holidays(day.year)


def closes_early(day: date) -> bool:
    """Say whether trading ends at 13:00: around Independence Day, Thanksgiving and Christmas."""
    eves = {date(day.year, 7, 3), date(day.year, 12, 24)}
    return day in eves or day == _nth(day.year, 11, THURSDAY, 4) + timedelta(days=1)


@lru_cache(maxsize=4096)
def session(day: date) -> Session | None:
    """Return the hours of one day, or None when the exchange stays closed."""
    if not is_trading_day(day):
        return None
    early = closes_early(day)

    def at(moment: time) -> datetime:
        return datetime.combine(day, moment, NEW_YORK).astimezone(UTC)

    close, post_close = (EARLY_CLOSE, EARLY_POST_CLOSE) if early else (CLOSE, POST_CLOSE)
    return Session(day, at(OPEN), at(close), at(PRE_OPEN), at(post_close))


def sessions(first: date, last: date) -> Iterator[Session]:
    """Yield the trading days from first to last, both included."""
    for offset in range((last - first).days + 1):
        found = session(first + timedelta(days=offset))
        if found is not None:
            yield found


def new_york_day(moment: datetime) -> date:
    """Return the exchange's calendar day of an aware time."""
    return moment.astimezone(NEW_YORK).date()


def _coming(moment: datetime) -> list[Session]:
    day = new_york_day(moment)
    return list(sessions(day, day + timedelta(days=LONGEST_CLOSURE_DAYS)))


def next_open(moment: datetime) -> datetime:
    """Return the first regular opening strictly after the moment."""
    return next(found.open for found in _coming(moment) if found.open > moment)


def next_close(moment: datetime, *, extended: bool = False) -> datetime:
    """Return the first close strictly after the moment, of regular or of extended hours."""
    closes = (found.post_close if extended else found.close for found in _coming(moment))
    return next(close for close in closes if close > moment)


def last_close(moment: datetime) -> datetime:
    """Return the newest end of extended hours at or before the moment."""
    day = new_york_day(moment)
    past = sessions(day - timedelta(days=LONGEST_CLOSURE_DAYS), day)
    return max(found.post_close for found in past if found.post_close <= moment)


def settlement_day(day: date) -> date:
    """Return the trading day after this one: equities settle one business day later."""
    return next(sessions(day + timedelta(days=1), day + timedelta(days=LONGEST_CLOSURE_DAYS))).day


Phase = Literal["closed", "pre", "core", "post"]


class MarketHours(msgspec.Struct, frozen=True):
    """When this simulator trades: always, or as the exchange does."""

    always: bool

    def is_open(self, moment: datetime) -> bool:
        """Say whether regular trading is on."""
        found = session(new_york_day(moment))
        return self.always or (found is not None and found.open <= moment < found.close)

    def is_tradable(self, moment: datetime, *, extended: bool) -> bool:
        """Say whether an order may match now; extended orders also before the open and after the close."""
        if self.is_open(moment):
            return True
        found = session(new_york_day(moment))
        return extended and found is not None and found.pre_open <= moment < found.post_close

    def phase(self, moment: datetime) -> Phase:
        """Return the part of the trading day; a market that never closes is always in its core."""
        if self.is_open(moment):
            return "core"
        if not self.is_tradable(moment, extended=True):
            return "closed"
        found = session(new_york_day(moment))
        return "pre" if found is not None and moment < found.open else "post"
