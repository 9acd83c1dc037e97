"""The safety machinery's own health: when the books were compared, what the watch sees, how the clocks agree.

Each of the three is a gate: while its fact is missing, old or bad, only exits pass. A gate that had lapsed opens
again once its facts have been good for the recovery time without a further lapse, so that it never flaps; the very
first fact opens it at once. Everything here follows from the journal and the limits in force there.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple

from immutables import Map
from msgspec.structs import replace

from contracts.audit import WatchReported
from contracts.base import Value
from contracts.broker import ClockCompared, Reconciled
from contracts.limits import LimitSet

CLOCK_AGE_MAX_MS = 300_000
"""A comparison of the clocks that is older says nothing any more: a clock may have been set since."""
CLOCK_DOUBTFUL_EVERY_MS = 5_000
"""While the clocks are apart, or have only just come together, they are compared this often."""
_MS = timedelta(milliseconds=1)


class HealthGate(StrEnum):
    """What must be well before anything takes new risk."""

    RECONCILIATION = "reconciliation"
    AUDIT = "audit"
    CLOCK = "clock"


class Health(Value, frozen=True, kw_only=True):
    """The newest fact of each gate; `back` says since when one is good again that had lapsed."""

    reconciled_at: datetime | None = None
    watched: WatchReported | None = None
    clock: ClockCompared | None = None
    back: Map[HealthGate, datetime] = Map()


NOTHING_TOLD = Health()
type HealthFact = Reconciled | WatchReported | ClockCompared


class Ailment(NamedTuple):
    """Why one gate is closed: its name, since when, and what in words."""

    name: str
    since: datetime | None
    detail: str


def evolve(health: Health, fact: HealthFact, limits: LimitSet | None) -> Health:
    """Take a fact; where the one before it was bad, or too long ago, its gate is back from now on."""
    match fact:
        case Reconciled(at=at):
            gate, after = HealthGate.RECONCILIATION, replace(health, reconciled_at=at)
        case WatchReported(at=at):
            gate, after = HealthGate.AUDIT, replace(health, watched=fact)
        case ClockCompared(at=at):
            gate, after = HealthGate.CLOCK, replace(health, clock=fact)
    lapsed = limits is not None and any(one.since is not None for one in _closed(health, gate, limits, at))
    return replace(after, back=health.back.set(gate, at)) if lapsed else after


def excess_ms(seen: ClockCompared) -> int:
    """Give how far the clocks are apart for certain (ms): what the round trip may have hidden is not counted."""
    return max(abs(seen.skew_ms) - seen.uncertainty_ms, 0)


def open_at(health: Health, gate: HealthGate, limits: LimitSet) -> datetime | None:
    """Give when a gate that is back opens; None where it never lapsed, or no recovery is asked for."""
    since = health.back.get(gate)
    if since is None or limits.health_recovery_ms is None:
        return None
    return since + limits.health_recovery_ms * _MS


def ailments(health: Health, limits: LimitSet, now: datetime | None) -> Iterator[Ailment]:
    """Give what keeps each gate closed; without a time no age is judged."""
    for gate in HealthGate:
        closed = tuple(_closed(health, gate, limits, now))
        yield from closed or _recovering(health, gate, limits, now)


def _closed(health: Health, gate: HealthGate, limits: LimitSet, now: datetime | None) -> Iterator[Ailment]:
    """Give what is wrong with the newest fact of a gate; `since` is that fact's time, None where there is none."""
    match gate:
        case HealthGate.RECONCILIATION:
            yield from _old(gate, health.reconciled_at, limits.reconciliation_age_max_ms, now)
        case HealthGate.AUDIT:
            seen, allowed_ms = health.watched, limits.audit_age_max_ms
            yield from _old(gate, seen and seen.at, allowed_ms, now)
            if allowed_ms is not None and seen is not None and seen.blind:
                yield Ailment("audit_blind", seen.at, seen.detail)
        case HealthGate.CLOCK:
            yield from _clock(health.clock, limits.clock_skew_max_ms, now)


def _clock(seen: ClockCompared | None, most_ms: int | None, now: datetime | None) -> Iterator[Ailment]:
    yield from _old(HealthGate.CLOCK, seen and seen.at, None if most_ms is None else CLOCK_AGE_MAX_MS, now)
    if most_ms is not None and seen is not None and excess_ms(seen) > most_ms:
        yield Ailment("clock_skew", seen.at, f"{skew_words(seen)}, {most_ms} ms are allowed")


def skew_words(seen: ClockCompared) -> str:
    """Say how the broker's clock stands to ours."""
    side = "behind" if seen.skew_ms < 0 else "ahead of"
    return f"the broker's clock is {abs(seen.skew_ms)} ms {side} ours (give or take {seen.uncertainty_ms} ms)"


def _old(gate: HealthGate, at: datetime | None, allowed_ms: int | None, now: datetime | None) -> Iterator[Ailment]:
    if allowed_ms is None:
        return
    if at is None:
        yield Ailment(f"{gate}_stale", None, "nothing is known yet")
    elif now is not None and abs(now - at) > allowed_ms * _MS:
        yield Ailment(f"{gate}_stale", at, f"the last word is older than {allowed_ms} ms")


def _recovering(health: Health, gate: HealthGate, limits: LimitSet, now: datetime | None) -> Iterator[Ailment]:
    opens_at = open_at(health, gate, limits) if _is_set(gate, limits) else None
    if opens_at is not None and now is not None and now < opens_at:
        detail = f"good again; trading goes on at {opens_at.isoformat(timespec='milliseconds')}"
        yield Ailment(f"{gate}_recovers", health.back[gate], detail)


def _is_set(gate: HealthGate, limits: LimitSet) -> bool:
    rails = {
        HealthGate.RECONCILIATION: limits.reconciliation_age_max_ms,
        HealthGate.AUDIT: limits.audit_age_max_ms,
        HealthGate.CLOCK: limits.clock_skew_max_ms,
    }
    return rails[gate] is not None
