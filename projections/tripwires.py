"""Where trading stops by itself: the account's losses, and a broker that throttles or whose link comes and goes.

Each trigger is armed only while its rail is set. A trip on a figure stands until the figure is back by the
hysteresis, so it never flaps; a reset by a person lasts until the figure is next seen at its limit. A trip on what
happened too often ends after the cool-down, or by a person where none is set.
"""

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from msgspec.structs import replace

from contracts.base import Event
from contracts.broker import AccountObserved, BrokerLinkChanged, Throttled
from contracts.controls import LimitsSet
from contracts.limits import LimitSet
from contracts.scopes import ACCOUNT, Scope
from contracts.values import ZERO, plain
from projections.account_state import AccountState, daily_loss_usd, drawdown_usd
from projections.counts import NONE_COUNTED, Counts, with_one
from projections.guard import Guard, Trip, TripEnd, TripName, keeping, settled, trip_of, tripped
from projections.velocity import fall_usd, week_fall_usd, with_observation

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
_MS = timedelta(milliseconds=1)
_PERCENT = Decimal(100)


class Cause(NamedTuple):
    """What trips: when and at which journal sequence, whose, and what in words."""

    at: datetime
    seq: int
    scope: Scope
    name: TripName
    detail: str


class _Figure(NamedTuple):
    """A loss that is held against a limit, both USD; no limit arms nothing, no value says nothing."""

    name: TripName
    value: Decimal | None
    limit: Decimal | None


def after_observation(state: AccountState, seen: AccountObserved, seq: int) -> AccountState:
    """Measure the account's losses anew, and let go of what has ended by itself."""
    guard = settled(state.guard, seen.at)
    guard = replace(guard, velocity=with_observation(guard.velocity, seen))
    state = replace(state, guard=guard)
    limits = state.bounds
    if limits is None or not seen.equity_usd.is_finite():
        return state
    for figure in _figures(state, limits, seen.equity_usd):
        guard = _judged(guard, figure, limits, seen.at, seq)
    return replace(state, guard=guard)


def _figures(state: AccountState, limits: LimitSet, equity_usd: Decimal) -> Iterator[_Figure]:
    latching = limits.trip_hysteresis_pct is not None  # without it the controls on the two values do alone
    pace = state.guard.velocity
    yield _Figure(TripName.DAILY_LOSS, daily_loss_usd(state), limits.max_daily_loss_usd if latching else None)
    yield _Figure(TripName.DRAWDOWN, drawdown_usd(state), limits.max_drawdown_usd if latching else None)
    yield _Figure(TripName.LOSS_5M, fall_usd(pace, equity_usd, 5), limits.max_loss_5m_usd)
    yield _Figure(TripName.LOSS_1H, fall_usd(pace, equity_usd, 60), limits.max_loss_1h_usd)
    yield _Figure(TripName.LOSS_WEEK, week_fall_usd(pace, equity_usd), limits.max_loss_week_usd)


def is_breached(state: AccountState, limits: LimitSet, name: TripName) -> bool:
    """Say whether the day's loss, or the fall from its peak, is at its limit now; of other figures no."""
    values = {
        TripName.DAILY_LOSS: (daily_loss_usd(state), limits.max_daily_loss_usd),
        TripName.DRAWDOWN: (drawdown_usd(state), limits.max_drawdown_usd),
    }
    value, limit = values.get(name, (None, ZERO))
    return value is not None and value >= limit


def _judged(guard: Guard, figure: _Figure, limits: LimitSet, at: datetime, seq: int) -> Guard:
    """Trip where a figure reached its limit; let go where it is back by the hysteresis, or nobody limits it now."""
    stands = trip_of(guard, ACCOUNT, figure.name)
    if figure.limit is not None and figure.value is not None and figure.value >= figure.limit:
        return guard if stands is not None else _latched(guard, figure, limits, at, seq)
    if stands is None or (figure.limit is not None and not _is_back(stands, figure, limits, at)):
        return guard
    return keeping(guard, lambda trip: trip is not stands)


def _latched(guard: Guard, figure: _Figure, limits: LimitSet, at: datetime, seq: int) -> Guard:
    value, limit = figure.value or ZERO, figure.limit or ZERO
    back = plain(_back(limit, limits))
    detail = f"{figure.name} came to {value} USD, trading stops at {limit} USD until it is below {back} USD"
    cooldown_ms = limits.trip_cooldown_ms
    trip = Trip(
        scope=ACCOUNT,
        name=figure.name,
        since=at,
        detail=detail,
        seq=seq,
        ends=TripEnd.RECOVERY,
        measured=value,
        limit=limit,
        until=None if cooldown_ms is None else at + cooldown_ms * _MS,
    )
    return tripped(guard, trip)


def _is_back(trip: Trip, figure: _Figure, limits: LimitSet, at: datetime) -> bool:
    if figure.value is None or figure.limit is None or (trip.until is not None and at < trip.until):
        return False
    return figure.value < _back(figure.limit, limits)


def _back(limit: Decimal, limits: LimitSet) -> Decimal:
    return limit * (1 - (limits.trip_hysteresis_pct or ZERO) / _PERCENT)


def after_throttle(state: AccountState, event: Throttled, seq: int) -> AccountState:
    """Count a request that the broker turned away because there were too many."""
    limits, guard = state.limits, settled(state.guard, event.at)
    if limits is None or limits.max_throttles_per_min is None:
        return state
    counts = with_one(guard.throttles, event.at, MINUTE_MS)
    detail = f"the broker turned requests away in {counts.total} seconds of a minute"
    cause = Cause(event.at, seq, ACCOUNT, TripName.THROTTLES, detail)
    trip = too_often(counts, limits.max_throttles_per_min, cause, limits)
    if trip is not None:
        guard, counts = tripped(guard, trip), NONE_COUNTED
    return replace(state, guard=replace(guard, throttles=counts))


def after_link(state: AccountState, event: BrokerLinkChanged, seq: int) -> AccountState:
    """Count a link that was lost; one that comes back counts nothing."""
    limits, guard = state.limits, settled(state.guard, event.at)
    if event.up or limits is None or limits.max_reconnects_per_hour is None:
        return state
    counts = with_one(guard.drops, event.at, HOUR_MS)
    detail = f"the link to the broker was lost {counts.total} times within an hour"
    cause = Cause(event.at, seq, ACCOUNT, TripName.RECONNECTS, detail)
    trip = too_often(counts, limits.max_reconnects_per_hour, cause, limits)
    if trip is not None:
        guard, counts = tripped(guard, trip), NONE_COUNTED
    return replace(state, guard=replace(guard, drops=counts))


def too_often(counts: Counts, most: int, cause: Cause, limits: LimitSet) -> Trip | None:
    """Give the trip of what happened as often as a limit says, None before."""
    return cooling(cause, Decimal(counts.total), Decimal(most), limits) if counts.total >= most else None


def cooling(cause: Cause, measured: Decimal, limit: Decimal, limits: LimitSet) -> Trip:
    """Give a trip that ends after the cool-down, by a person where none is set."""
    wait_ms = limits.trip_cooldown_ms
    return Trip(
        scope=cause.scope,
        name=cause.name,
        since=cause.at,
        detail=f"{cause.detail}, trading stops at {limit}",
        seq=cause.seq,
        ends=TripEnd.PERSON if wait_ms is None else TripEnd.COOLDOWN,
        measured=measured,
        limit=limit,
        until=None if wait_ms is None else cause.at + wait_ms * _MS,
    )


_RAILS = {
    TripName.DAILY_LOSS: "trip_hysteresis_pct",
    TripName.DRAWDOWN: "trip_hysteresis_pct",
    TripName.LOSS_5M: "max_loss_5m_usd",
    TripName.LOSS_1H: "max_loss_1h_usd",
    TripName.LOSS_WEEK: "max_loss_week_usd",
    TripName.LOSS_STREAK: "max_loss_streak",
    TripName.REJECT_STREAK: "max_reject_streak",
    TripName.THROTTLES: "max_throttles_per_min",
    TripName.RECONNECTS: "max_reconnects_per_hour",
    TripName.REPEATS: "max_repeats",
    TripName.SLIPPAGE: "max_slippage_bps",
}


def after_limits(state: AccountState, event: LimitsSet, _seq: int) -> AccountState:
    """Let go of trips whose rail is set no more: an operator took it away, or waived it."""
    guard = keeping(state.guard, lambda trip: getattr(event.limits, _RAILS[trip.name]) is not None)
    return state if guard is state.guard else replace(state, guard=guard)


WIRES: dict[type[Event], Callable[[AccountState, Any, int], AccountState]] = {
    AccountObserved: after_observation,
    BrokerLinkChanged: after_link,
    Throttled: after_throttle,
    LimitsSet: after_limits,
}
"""What is looked at once more after the account has folded it."""
