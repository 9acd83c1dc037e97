"""What watches over trading itself: the safety machinery's own health, and what has tripped.

A trip stops new risk in its scope until what caused it is over, or until a person resets it. Everything here is
derived from events alone; the triggers themselves are in `projections.tripwires` and `projections.agent_wires`.
"""

from collections.abc import Callable, Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from immutables import Map
from msgspec.structs import replace

from contracts.base import Moment, Value
from contracts.controls import TripReset
from contracts.limits import LimitSet
from contracts.scopes import Scope
from projections import health
from projections.counts import NONE_COUNTED, Counts
from projections.health import NOTHING_TOLD, Health, HealthFact
from projections.track_record import TrackRecord
from projections.velocity import NO_VELOCITY, Velocity

IDLE_DAYS_MAX = 7
"""What an agent did is forgotten after so many days in which it had no order."""


class TripName(StrEnum):
    """Everything by which trading stops by itself."""

    DAILY_LOSS = "daily_loss"
    DRAWDOWN = "drawdown"
    LOSS_5M = "loss_5m"
    LOSS_1H = "loss_1h"
    LOSS_WEEK = "loss_week"
    LOSS_STREAK = "loss_streak"
    REJECT_STREAK = "reject_streak"
    THROTTLES = "throttles"
    RECONNECTS = "reconnects"
    REPEATS = "repeats"
    SLIPPAGE = "slippage"


DAILY = frozenset({TripName.DAILY_LOSS, TripName.DRAWDOWN})
"""These end with the exchange day, as what they measure does."""


class TripEnd(StrEnum):
    """What ends a trip, beside a person who resets it."""

    RECOVERY = "recovery"
    COOLDOWN = "cooldown"
    PERSON = "person"


class Trip(Value, frozen=True, kw_only=True):
    """One reason why trading stopped by itself in one scope: since when, what was measured, what ends it.

    `seq` is the journal sequence of the event that tripped it. Until `until` nothing but a person ends it; one that
    ends by cooldown is over from then on, one that ends by recovery once the figure is back as well.
    """

    scope: Scope
    name: TripName
    since: Moment
    detail: str
    seq: int
    ends: TripEnd
    measured: Decimal
    limit: Decimal
    until: Moment | None = None

    def stands(self, at: datetime) -> bool:
        """Say whether it still holds at a moment; one that ends by recovery holds until the fold lets it go."""
        return self.ends is not TripEnd.COOLDOWN or self.until is None or at < self.until


class Guard(Value, frozen=True, kw_only=True):
    """The safety machinery's own health, the trips that stand, and what the triggers remember.

    `drops` counts how often the link to the broker was lost, `repeats` the executions by owner, symbol and side.
    """

    health: Health = NOTHING_TOLD
    trips: Map[Scope, tuple[Trip, ...]] = Map()
    velocity: Velocity = NO_VELOCITY
    throttles: Counts = NONE_COUNTED
    drops: Counts = NONE_COUNTED
    records: Map[str, TrackRecord] = Map()
    repeats: Map[str, Counts] = Map()


UNTRIPPED = Guard()
type GuardEvent = HealthFact | TripReset


def evolve(guard: Guard, event: GuardEvent, limits: LimitSet | None) -> Guard:
    """Fold what concerns the safety machinery alone, under the limits in force."""
    match event:
        case TripReset(scope=scope, trip=name):
            return keeping(guard, lambda trip: trip.scope != scope or trip.name != name)
        case _:
            return replace(guard, health=health.evolve(guard.health, event, limits))


def trip_of(guard: Guard, scope: Scope, name: TripName) -> Trip | None:
    """Give a trip of a scope, none when it does not stand."""
    return next((trip for trip in guard.trips.get(scope, ()) if trip.name is name), None)


def tripped(guard: Guard, trip: Trip) -> Guard:
    """Put a trip in; one that stood already keeps the time since when."""
    known = guard.trips.get(trip.scope, ())
    before = next((one for one in known if one.name is trip.name), None)
    if before is not None:
        trip = replace(trip, since=before.since)
    others = tuple(one for one in known if one.name is not trip.name)
    return replace(guard, trips=guard.trips.set(trip.scope, (*others, trip)))


def keeping(guard: Guard, stays: Callable[[Trip], bool]) -> Guard:
    """Let go of the trips that do not stay."""
    trips = guard.trips
    for scope, known in guard.trips.items():
        kept = tuple(trip for trip in known if stays(trip))
        if len(kept) != len(known):
            trips = trips.set(scope, kept) if kept else trips.delete(scope)
    return guard if trips is guard.trips else replace(guard, trips=trips)


def settled(guard: Guard, at: datetime) -> Guard:
    """Let go of what has ended by itself."""
    return keeping(guard, lambda trip: trip.stands(at)) if guard.trips else guard


def in_day(guard: Guard, trading_day: date) -> Guard:
    """Begin a new exchange day: its own trips end, and agents that have been idle for long are forgotten."""
    guard = keeping(guard, lambda trip: trip.name not in DAILY)
    edge = trading_day - timedelta(days=IDLE_DAYS_MAX)
    kept = {agent: record for agent, record in guard.records.items() if record.at.date() >= edge}
    return guard if len(kept) == len(guard.records) else replace(guard, records=Map(kept))


def trips_over(guard: Guard, scopes: Iterable[Scope], at: datetime) -> tuple[Trip, ...]:
    """Give every trip that stands in one of the scopes at a moment."""
    if not guard.trips:
        return ()
    return tuple(trip for scope in scopes for trip in guard.trips.get(scope, ()) if trip.stands(at))
