"""Controls on the safety machinery: what has tripped, and how old or bad what it knows of itself is."""

from datetime import datetime, timedelta
from decimal import Decimal

from contracts.broker import ClockCompared
from contracts.reasons import DenialCode, Reason
from projections.guard import DAILY, Trip, TripEnd, trips_over
from projections.health import CLOCK_AGE_MAX_MS, CLOCK_DOUBTFUL_EVERY_MS, HealthGate, excess_ms, open_at, skew_words
from projections.standing import scopes_over
from projections.tripwires import is_breached
from services.risk.checks.findings import Denial, Finding, clear, denied, exempt, fresh, missing, passed
from services.risk.situation import Situation

C = DenialCode
_MS = timedelta(milliseconds=1)
TRIPS_SHOWN = 5


def check_trips(at: Situation) -> Finding:
    """Where trading stopped by itself, new risk waits until what tripped is over or a person has reset it."""
    if not at.state.guard.trips:
        return clear("trips")
    if at.reduces:
        return exempt("trips")
    now = at.evidence.decided_at
    trips = [trip for trip in trips_over(at.state.guard, scopes_over(at.whose), now) if not _told_elsewhere(at, trip)]
    return denied("trips", _tripped(trips, now)) if trips else clear("trips")


def _told_elsewhere(at: Situation, trip: Trip) -> bool:
    """Say whether the control on the same value denies too, with today's figures, which tell more."""
    return trip.name in DAILY and is_breached(at.state, at.limits, trip.name)


def _tripped(trips: list[Trip], now: datetime) -> Reason:
    """Deny with the numbers of the trip that stood first; who else tripped is told in words."""
    first = min(trips, key=lambda trip: (trip.since, trip.seq))
    needs_human = any(trip.ends is TripEnd.PERSON for trip in trips)
    waits = [(trip.until - now) // _MS + 1 for trip in trips if trip.until is not None and trip.until > now]
    return Reason(
        code=C.TRIPPED,
        message="; ".join(_words(trip) for trip in trips[:TRIPS_SHOWN]),
        limit=first.limit,
        attempted=first.measured,
        retryable=bool(waits) and not needs_human,
        retry_after_ms=max(waits) if waits and not needs_human else None,
        needs_human=needs_human,
        scope=first.scope,
    )


def _words(trip: Trip) -> str:
    when = f"since {trip.since.isoformat(timespec='seconds')}, journal {trip.seq}"
    ends = {
        TripEnd.PERSON: f"until a person resets it: lockgate trips reset {trip.scope} {trip.name} --reason …",
        TripEnd.COOLDOWN: "" if trip.until is None else f"until {trip.until.isoformat(timespec='seconds')}",
        TripEnd.RECOVERY: "until the figure is back, or a person resets it",
    }
    return f"{trip.name} stopped {trip.scope}: {trip.detail} ({when}), {ends[trip.ends]}"


def check_reconciliation_age(at: Situation) -> Finding:
    """Books that were not compared with the broker's for too long are no ground for new risk."""
    if at.reduces:
        return exempt("reconciliation_age")
    compared_at, most_ms = at.state.guard.health.reconciled_at, at.limits.reconciliation_age_max_ms
    if compared_at is None or most_ms is None:
        return missing("reconciliation_age", C.STALE_RECONCILIATION, "our books and the broker's were never compared")
    age = at.evidence.decided_at - compared_at
    found = fresh("reconciliation_age", C.STALE_RECONCILIATION, ("the last reconciliation is", age, most_ms))
    return _for_long(at, HealthGate.RECONCILIATION, found, C.STALE_RECONCILIATION)


def check_audit(at: Situation) -> Finding:
    """The independent watch must see the broker, and have said so lately."""
    if at.reduces:
        return exempt("audit")
    watched, most_ms = at.state.guard.health.watched, at.limits.audit_age_max_ms
    if watched is None or most_ms is None:
        return missing("audit", C.STALE_AUDIT, "the independent watch has not said that it sees the broker")
    if watched.blind:
        return missing("audit", C.STALE_AUDIT, f"the independent watch cannot see the broker: {watched.detail}")
    age = at.evidence.decided_at - watched.at
    found = fresh("audit", C.STALE_AUDIT, ("the last word of the independent watch is", age, most_ms))
    return _for_long(at, HealthGate.AUDIT, found, C.STALE_AUDIT)


def check_clock(at: Situation) -> Finding:
    """Our clock and the broker's must agree, and have been compared lately: every age and every day hangs on them."""
    if at.reduces:
        return exempt("clock")
    seen, most_ms = at.state.guard.health.clock, at.limits.clock_skew_max_ms
    if seen is None or most_ms is None:
        return missing("clock", C.CLOCK_SKEW, "our clock and the broker's were never compared")
    age = at.evidence.decided_at - seen.at
    found = fresh("clock", C.CLOCK_SKEW, ("the last look at the broker's clock is", age, CLOCK_AGE_MAX_MS))
    if isinstance(found, Denial):
        return found
    return _for_long(at, HealthGate.CLOCK, _agreeing(seen, most_ms), C.CLOCK_SKEW)


def _agreeing(seen: ClockCompared, most_ms: int) -> Finding:
    apart_ms, limit = Decimal(excess_ms(seen)), Decimal(most_ms)
    if apart_ms <= limit:
        return passed("clock", apart_ms, limit)
    reason = Reason(
        code=C.CLOCK_SKEW,
        message=f"{skew_words(seen)}, {most_ms} ms are allowed: an operator sets the clock that is wrong",
        limit=limit,
        attempted=apart_ms,
        retryable=True,
        retry_after_ms=CLOCK_DOUBTFUL_EVERY_MS,
    )
    return denied("clock", reason)


def _for_long(at: Situation, gate: HealthGate, found: Finding, code: DenialCode) -> Finding:
    """Deny by what is good now and had lapsed, until it has been good for the recovery time."""
    health, now = at.state.guard.health, at.evidence.decided_at
    opens_at = open_at(health, gate, at.limits)
    if isinstance(found, Denial) or opens_at is None or now >= opens_at:
        return found
    since = health.back[gate]
    told, opens = (moment.isoformat(timespec="milliseconds") for moment in (since, opens_at))
    reason = Reason(
        code=code,
        message=f"{gate} is good again since {told}, after a lapse: if it stays so, trading goes on at {opens}",
        limit=Decimal((opens_at - since) // _MS),
        attempted=Decimal((now - since) // _MS),
        retryable=True,
        retry_after_ms=(opens_at - now) // _MS + 1,
    )
    return denied(found.name, reason)
