"""What the in-memory broker says of symbols and days: everything is allowed, and the market never closes."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, time, timedelta

from contracts.broker import Asset, Session
from contracts.ids import Symbol


def all_allowed(symbols: Iterable[Symbol]) -> tuple[Asset, ...]:
    """Allow everything with each symbol."""
    return tuple(
        Asset(symbol=one, tradable=True, shortable=True, easy_to_borrow=True, fractionable=True, marginable=True)
        for one in symbols
    )


def days_on_end(first: date, last: date) -> tuple[Session, ...]:
    """List days from first to last that begin where the one before ends."""
    days = [first + timedelta(days=number) for number in range((last - first).days + 1)]
    starts = {day: datetime.combine(day, time(0), UTC) for day in days}
    return tuple(
        Session(trading_day=day, open_at=start, close_at=start + timedelta(days=1)) for day, start in starts.items()
    )
