"""How many orders lately: a sliding minute in whole seconds, at most 61 numbers however fast orders come."""

from datetime import datetime

from contracts.base import Value

WINDOW_S = 60


class Pace(Value, frozen=True, kw_only=True):
    """Pairs of (second since the epoch, orders in it), oldest first, and their sum."""

    total: int = 0
    seconds: tuple[tuple[int, int], ...] = ()


NO_PACE = Pace()


def _second(at: datetime) -> int:
    return int(at.timestamp())


def _expired(pace: Pace, now: int) -> tuple[int, int]:
    """Give how many pairs, and how many orders, the minute before a second has left behind.

    A second that is partly inside counts whole: the count may be high for a moment, never low.
    """
    pairs = orders = 0
    for second, count in pace.seconds:
        if second >= now - WINDOW_S:
            break
        pairs += 1
        orders += count
    return pairs, orders


def with_order(pace: Pace, at: datetime, more: int = 1) -> Pace:
    """Count one order, or more that come at once, and forget what the window has left behind."""
    now = _second(at)
    pairs, orders = _expired(pace, now)
    total, kept = pace.total - orders + more, pace.seconds[pairs:]
    if kept and kept[-1][0] >= now:
        last_second, count = kept[-1]
        return Pace(total=total, seconds=(*kept[:-1], (last_second, count + more)))
    return Pace(total=total, seconds=(*kept, (now, more)))


def orders_in_window(pace: Pace, at: datetime) -> int:
    """Count the orders of the minute before a moment."""
    return pace.total - _expired(pace, _second(at))[1]


def retry_after_ms(pace: Pace, at: datetime, most: int | None = None) -> int:
    """Say how long until no more than `most` are left in the window; without it, until its oldest second goes.

    More than one second may have to go, where some of what counts is never held up.
    """
    now = _second(at)
    pairs, gone = _expired(pace, now)
    left = pace.total - gone
    for second, count in pace.seconds[pairs:]:
        left -= count
        if most is None or left <= most:
            return (second + WINDOW_S + 1 - now) * 1000
    return 0
