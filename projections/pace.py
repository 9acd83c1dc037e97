"""How many orders lately: a sliding minute in whole seconds, at most 61 numbers however fast orders come."""

from datetime import datetime

type Pace = tuple[tuple[int, int], ...]
"""Pairs of (second since the epoch, orders in it), oldest first."""

WINDOW_S = 60
NO_PACE: Pace = ()


def _second(at: datetime) -> int:
    return int(at.timestamp())


def with_order(pace: Pace, at: datetime) -> Pace:
    """Count one order, and forget what the window has left behind."""
    now = _second(at)
    kept = tuple(pair for pair in pace if pair[0] > now - WINDOW_S - 1)
    if kept and kept[-1][0] == now:
        return (*kept[:-1], (now, kept[-1][1] + 1))
    return (*kept, (now, 1))


def orders_in_window(pace: Pace, at: datetime) -> int:
    """Count the orders of the minute before a moment; a second that is partly inside counts whole."""
    earliest = _second(at) - WINDOW_S
    return sum(count for second, count in pace if second >= earliest)


def retry_after_ms(pace: Pace, at: datetime) -> int:
    """Say how long until the oldest counted second leaves the window."""
    now = _second(at)
    oldest = next((second for second, _ in pace if second >= now - WINDOW_S), now)
    return max((oldest + WINDOW_S + 1 - now) * 1000, 0)
