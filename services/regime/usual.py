"""What is usual for one symbol, worked out of its bars: pure, exact, and none where there are too few bars."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from msgspec.structs import replace

from contracts.base import Value
from contracts.ids import Symbol
from contracts.market import Bar, SymbolStats
from contracts.values import ZERO

ATR_DAYS = 14
VOLUME_DAYS = 20
_SHOWN = Decimal("0.0001")
_WHOLE = Decimal(1)


class Usual(Value, frozen=True, kw_only=True):
    """What is known of one symbol; USD per share and shares a day."""

    symbol: Symbol
    last_price: Decimal | None = None
    last_at: datetime | None = None
    prior_close: Decimal | None = None
    atr_usd: Decimal | None = None
    daily_volume: Decimal | None = None


def with_days(usual: Usual, days: Sequence[Bar]) -> Usual:
    """Take a symbol's daily bars before today, oldest first; without any, what is known stands."""
    if not days:
        return usual
    known = replace(
        usual, prior_close=days[-1].close, atr_usd=average_true_range(days), daily_volume=mean_volume(days)
    )
    return with_last(known, days[-1])


def with_last(usual: Usual, bar: Bar) -> Usual:
    """Take the close of a bar for the last price, unless a newer one is known."""
    if usual.last_at is not None and bar.at < usual.last_at:
        return usual
    return replace(usual, last_price=bar.close, last_at=bar.at)


def average_true_range(days: Sequence[Bar]) -> Decimal | None:
    """Give the average true range of daily bars in USD per share, smoothed as Wilder does; none with too few bars.

    The true range of a day is the largest of high − low, |high − previous close| and |low − previous close|. The
    average begins as the mean of the first 14 and goes on as (13 × average + range) ÷ 14. Source: J. Welles Wilder,
    "New Concepts in Technical Trading Systems", 1978.
    """
    ranges = [_true_range(today, before.close) for before, today in pairwise(days)]
    if len(ranges) < ATR_DAYS:
        return None
    average = sum(ranges[:ATR_DAYS], ZERO) / ATR_DAYS
    for one in ranges[ATR_DAYS:]:
        average = (average * (ATR_DAYS - 1) + one) / ATR_DAYS
    return average.quantize(_SHOWN)


def _true_range(day: Bar, close_before: Decimal) -> Decimal:
    return max(day.high - day.low, abs(day.high - close_before), abs(day.low - close_before))


def mean_volume(days: Sequence[Bar]) -> Decimal | None:
    """Give the mean volume of the last 20 days in shares, none with fewer days."""
    if len(days) < VOLUME_DAYS:
        return None
    return (sum((bar.volume for bar in days[-VOLUME_DAYS:]), ZERO) / VOLUME_DAYS).quantize(_WHOLE)


def stats(usual: Usual, now: datetime, source: str) -> SymbolStats | None:
    """Give what is published of a symbol, none while no price is known."""
    if usual.last_price is None or usual.last_at is None:
        return None
    return SymbolStats(
        symbol=usual.symbol,
        last_price=usual.last_price,
        last_at=usual.last_at,
        prior_close=usual.prior_close,
        atr_usd=usual.atr_usd,
        daily_volume=usual.daily_volume,
        at=now,
        source=source,
    )
