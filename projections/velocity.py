"""How fast equity falls: its highest of each minute for an hour, and the openings of five exchange days. All USD.

The minutes are those of the observations' own times, so no midnight starts anything over: a loss that is spread over
two days is as large as one in a single day.
"""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from contracts.base import Value
from contracts.broker import AccountObserved

MINUTES_KEPT = 60
DAYS_KEPT = 5
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MINUTE = timedelta(minutes=1)


class Velocity(Value, frozen=True, kw_only=True):
    """Pairs of (minute since the epoch, highest equity in it) and of (exchange day, equity at its opening)."""

    highs: tuple[tuple[int, Decimal], ...] = ()
    openings: tuple[tuple[date, Decimal], ...] = ()


NO_VELOCITY = Velocity()


def with_observation(velocity: Velocity, seen: AccountObserved) -> Velocity:
    """Take the account's equity in; figures that are no numbers say nothing."""
    if not (seen.equity_usd.is_finite() and seen.last_equity_usd.is_finite()):
        return velocity
    return Velocity(highs=_highs(velocity.highs, seen), openings=_openings(velocity.openings, seen))


def _highs(highs: tuple[tuple[int, Decimal], ...], seen: AccountObserved) -> tuple[tuple[int, Decimal], ...]:
    minute = (seen.at - _EPOCH) // _MINUTE
    kept = tuple(one for one in highs if one[0] >= minute - MINUTES_KEPT)[-(MINUTES_KEPT + 1) :]
    if kept and kept[-1][0] >= minute:  # a clock that ran back counts where it had been
        return (*kept[:-1], (kept[-1][0], max(kept[-1][1], seen.equity_usd)))
    return (*kept[-MINUTES_KEPT:], (minute, seen.equity_usd))


def _openings(known: tuple[tuple[date, Decimal], ...], seen: AccountObserved) -> tuple[tuple[date, Decimal], ...]:
    """Keep where each day began: at the close before it, as the broker shows it."""
    if known and known[-1][0] >= seen.trading_day:
        return known
    return (*known[1 - DAYS_KEPT :], (seen.trading_day, seen.last_equity_usd))


def fall_usd(velocity: Velocity, equity_usd: Decimal, minutes: int) -> Decimal | None:
    """Give how far equity stands below its highest of so many minutes; None when it was never seen."""
    if not velocity.highs:
        return None
    edge = velocity.highs[-1][0] - minutes
    return max(high for minute, high in velocity.highs if minute >= edge) - equity_usd


def week_fall_usd(velocity: Velocity, equity_usd: Decimal) -> Decimal | None:
    """Give how far equity stands below the highest opening of the last five exchange days; None when never seen."""
    if not velocity.openings:
        return None
    return max(opening for _, opening in velocity.openings) - equity_usd
