"""What watches over trading itself: how fresh our books are, whether the watch sees, and what has tripped.

A trip stops new risk in its scope until what caused it is over, or until a person resets it.
"""

from datetime import datetime

from immutables import Map
from msgspec.structs import replace

from contracts.audit import WatchReported
from contracts.base import Moment, Value
from contracts.broker import Reconciled
from contracts.controls import TripReset
from contracts.scopes import Scope


class Trip(Value, frozen=True, kw_only=True):
    """One reason why trading stopped by itself in one scope, since when, and what was measured."""

    scope: Scope
    name: str
    since: Moment
    detail: str


class Guard(Value, frozen=True, kw_only=True):
    """The safety machinery's own health, and the trips that stand, by scope and name."""

    reconciled_at: datetime | None = None
    watched: WatchReported | None = None
    trips: Map[str, Trip] = Map()


UNTRIPPED = Guard()
type GuardEvent = Reconciled | WatchReported | TripReset


def trip_key(scope: Scope, name: str) -> str:
    """Name a trip of a scope."""
    return f"{scope}:{name}"


def evolve(guard: Guard, event: GuardEvent) -> Guard:
    """Fold what concerns the safety machinery alone."""
    match event:
        case Reconciled(at=at):
            return replace(guard, reconciled_at=at)
        case WatchReported():
            return replace(guard, watched=event)
        case TripReset(scope=scope, trip=name):
            key = trip_key(scope, name)
            return replace(guard, trips=guard.trips.delete(key)) if key in guard.trips else guard
