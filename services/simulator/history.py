"""Bars, quotes and trades of the past: the tape is a function of time, so history needs no storage."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

import msgspec

from services.simulator.core.errors import BrokerError
from services.simulator.core.quotes import Quote
from services.simulator.core.sessions import NEW_YORK, Session, last_close, new_york_day, session, sessions
from services.simulator.market import MINUTE, Market, quote_of, whole_minute
from services.simulator.tape.forms import Bar, merged

TIMEFRAME = re.compile(r"(\d+)(Min|T|Hour|H|Day|D|Week|W|Month|M)")
UNITS = {"T": "Min", "H": "Hour", "D": "Day", "W": "Week", "M": "Month"}
LONGEST = {"Min": 59, "Hour": 23, "Day": 1, "Week": 1, "Month": 12}
LONGEST_CLOSURE_DAYS = 10
YEARS_BACK = 3


class Timeframe(msgspec.Struct, frozen=True):
    """How much time one bar covers."""

    count: int
    unit: str


class Span(msgspec.Struct, frozen=True):
    """A stretch of history that was asked for: start and end, both included, and its direction."""

    start: datetime
    end: datetime
    backwards: bool = False


class TimedBar(msgspec.Struct, frozen=True):
    """A bar and when it began."""

    time: datetime
    bar: Bar


def timeframe(text: str) -> Timeframe:
    """Read `1Min`, `5Min`, `1Hour`, `1Day`, `1Week`, `1Month` or their short forms."""
    found = TIMEFRAME.fullmatch(text)
    if found is None:
        raise BrokerError(400, None, f"invalid timeframe: {text}")
    unit = UNITS.get(found[2], found[2])
    if not 1 <= int(found[1]) <= LONGEST[unit]:
        raise BrokerError(400, None, f"invalid timeframe: {text}")
    return Timeframe(int(found[1]), unit)


class History:
    """Answers questions about the past of one market."""

    def __init__(self, market: Market) -> None:
        """Line recorded daily bars up with the trading days before the tape was first started."""
        self._market = market
        self._days: dict[tuple[str, date], tuple[int, Bar]] = {}
        self._recorded: dict[tuple[str, date], Bar] = {}
        anchors = {new_york_day(reel.anchor) for reel in market.reels.values()}
        for first in anchors:
            before = [s.day for s in sessions(first - timedelta(days=YEARS_BACK * 366), first - timedelta(1))]
            for symbol, reel in market.reels.items():
                pairs = zip(reversed(before), reversed(reel.track.daily), strict=False)
                self._recorded.update({(symbol, day): recorded.bar for day, recorded in pairs})

    def minute(self, symbol: str, start: datetime) -> Bar | None:
        """Return the bar of one minute, or None when the market was closed."""
        touched = self._market.touched.get((symbol, start))
        if touched is not None:
            return touched
        if not self._market.hours.is_tradable(start, extended=True):
            return None
        return self._market.reels[symbol].minute_bar(start)

    def latest_minute(self, symbol: str, now: datetime) -> TimedBar:
        """Return the newest complete minute bar."""
        start = whole_minute(now) - MINUTE
        bar = self.minute(symbol, start)
        if bar is None:  # closed: the last minute of the last extended hours
            start = last_close(start) - MINUTE
            bar = self._market.reels[symbol].minute_bar(start)
        return TimedBar(start, bar)

    def day(self, symbol: str, found: Session, now: datetime) -> Bar | None:
        """Return the bar of a trading day's regular hours, of its complete minutes when it is not over."""
        key = (symbol, found.day)
        if key in self._recorded:
            return self._recorded[key]
        done, whole = self._days.get(key, (0, None))
        complete = (min(found.close, whole_minute(now)) - found.open) // MINUTE
        for number in range(done, complete):
            bar = self.minute(symbol, found.open + number * MINUTE)
            whole = merged([part for part in (whole, bar) if part is not None])
        if whole is not None and complete > done:
            self._days[key] = (complete, whole)
        return whole

    def last_days(self, symbol: str, now: datetime) -> list[TimedBar]:
        """Return the two newest daily bars, the older one first."""
        found: list[TimedBar] = []
        for day in reversed(self._sessions_until(now)):
            bar = self.day(symbol, day, now) if day.open <= now else None
            if bar is not None:
                found.insert(0, TimedBar(midnight(day.day), bar))
            if len(found) == 2:  # noqa: PLR2004  # the day and the day before
                break
        return found

    def bars(self, symbol: str, frame: Timeframe, span: Span, now: datetime) -> Iterator[TimedBar]:
        """Yield the bars that begin inside a span; only complete minutes up to now count."""
        until = min(span.end, now)
        if frame.unit in {"Min", "Hour"}:
            yield from self._intraday(symbol, frame, Span(span.start, until, span.backwards), now)
            return
        groups: dict[date, list[Session]] = {}
        for found in sessions(new_york_day(span.start), new_york_day(until)):
            groups.setdefault(_group(found.day, frame), []).append(found)
        for first in sorted(groups, reverse=span.backwards):
            days = [self.day(symbol, found, now) for found in groups[first]]
            traded = [bar for bar in days if bar is not None]
            if traded and midnight(first) >= span.start - timedelta(days=1):
                yield TimedBar(midnight(first), merged(traded))

    def quotes(self, symbol: str, span: Span, now: datetime) -> Iterator[Quote]:
        """Yield the tape's quotes inside a span, each of which is also a trade at its last price."""
        reel = self._market.reels[symbol]
        until = min(span.end, now)
        minutes = range(reel.reel_minute(span.start), reel.reel_minute(until) + 1)
        for minute in reversed(minutes) if span.backwards else minutes:
            ticks = reel.ticks_at(minute)
            for tick in reversed(ticks) if span.backwards else ticks:
                at = reel.time_of(minute, tick)
                if span.start <= at <= until and self._market.hours.is_tradable(at, extended=True):
                    yield quote_of(symbol, tick, at)

    def _sessions_until(self, moment: datetime) -> list[Session]:
        day = new_york_day(moment)
        return list(sessions(day - timedelta(days=LONGEST_CLOSURE_DAYS), day))

    def _intraday(self, symbol: str, frame: Timeframe, span: Span, now: datetime) -> Iterator[TimedBar]:
        size = timedelta(**{"minutes" if frame.unit == "Min" else "hours": frame.count})
        first = _bucket(span.start, size)
        if first < span.start:
            first += size
        for number in _numbers((span.end - first) // size + 1, backwards=span.backwards):
            start = first + number * size
            bars = [
                self.minute(symbol, start + n * MINUTE)
                for n in range(size // MINUTE)
                if start + (n + 1) * MINUTE <= now
            ]
            traded = [bar for bar in bars if bar is not None]
            if traded:
                yield TimedBar(start, merged(traded))


def midnight(day: date) -> datetime:
    """Return when a New York day begins, in UTC: the time stamp of its daily bar."""
    return datetime.combine(day, time(0), NEW_YORK).astimezone(UTC)


def _bucket(moment: datetime, size: timedelta) -> datetime:
    start = midnight(new_york_day(moment))
    return start + (moment - start) // size * size


def _numbers(count: int, *, backwards: bool) -> range:
    return range(count - 1, -1, -1) if backwards else range(count)


def _group(day: date, frame: Timeframe) -> date:
    if frame.unit == "Week":
        return day - timedelta(days=day.weekday())
    if frame.unit == "Month":
        return date(day.year, (day.month - 1) // frame.count * frame.count + 1, 1)
    return day


def previous_close(history: History, symbol: str, now: datetime) -> Bar | None:
    """Return the last complete trading day before today, whose close is the day's reference price."""
    today = new_york_day(now)
    for found in reversed(history.last_days(symbol, now)):
        if new_york_day(found.time) < today:
            return found.bar
    found_today = session(today)
    return None if found_today is None else history.day(symbol, found_today, now)
