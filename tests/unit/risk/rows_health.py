"""Rows of the gates of safety health: clocks that are apart, and gates that lapsed and are not good for long yet."""

from datetime import datetime, timedelta
from typing import Any

from contracts.broker import ClockCompared
from contracts.reasons import DenialCode as C
from projections.account import AccountState
from projections.health import CLOCK_AGE_MAX_MS
from tests.risk_world import NOW, body, bought, evidence, limits_set, observed, quote, state_of
from tests.unit.risk.row import Row
from tests.unit.risk.rows_trips import reconciled, watched

MS = timedelta(milliseconds=1)
OPEN = evidence(quote())
CLOCK = {"clock_skew_max_ms": 1000}
ALL = {"reconciliation_age_max_ms": 60_000, "audit_age_max_ms": 60_000, "clock_skew_max_ms": 1000}
HELD = bought("10")
EXIT = body(side="sell", qty="10", limit_price="99.00")


def clock(skew_ms: int = 0, at: datetime = NOW, uncertainty_ms: int = 20) -> ClockCompared:
    return ClockCompared(epoch=1, at=at, skew_ms=skew_ms, uncertainty_ms=uncertainty_ms)


def ago(ms: int) -> datetime:
    return NOW - ms * MS


def told(*facts: Any, **limits: Any) -> AccountState:
    return state_of(limits_set(**limits), observed(), HELD, *facts)


def back(gate: str, since_ms: int, recovery_ms: int | None = 10_000) -> AccountState:
    """All three gates are good; one of them had lapsed, and is good again for so long."""
    lapsed = {
        "reconciliation": (reconciled(ago(since_ms + 60_001)), reconciled(ago(since_ms))),
        "silent audit": (watched(ago(since_ms + 60_001)), watched(ago(since_ms))),
        "blind audit": (watched(ago(since_ms + 1), blind=True), watched(ago(since_ms))),
        "clock": (clock(1021, ago(since_ms + 1)), clock(0, ago(since_ms))),
        "clock not compared": (clock(0, ago(since_ms + CLOCK_AGE_MAX_MS + 1)), clock(0, ago(since_ms))),
        "none": (),
    }
    good = (reconciled(ago(30_000)), watched(ago(30_000)), clock(0, ago(30_000)))
    kinds = {type(fact) for fact in lapsed[gate]}
    facts = (*lapsed[gate], *(fact for fact in good if type(fact) not in kinds))
    return told(*facts, health_recovery_ms=recovery_ms, **ALL)


PASSING = [
    ("clock ahead", told(clock(1020), **CLOCK), body(), OPEN),
    ("clock behind", told(clock(-1020), **CLOCK), body(), OPEN),
    ("age of the clock", told(clock(0, ago(CLOCK_AGE_MAX_MS)), **CLOCK), body(), OPEN),
    ("no rail, no clock", told(clock(9_000)), body(), OPEN),
    ("clock apart, an exit", told(clock(9_000), **CLOCK), EXIT, OPEN),
    ("clock unknown, an exit", told(**CLOCK), EXIT, OPEN),
    ("first facts of all", told(reconciled(), watched(), clock(), health_recovery_ms=10_000, **ALL), body(), OPEN),
    ("no lapse", back("none", 0), body(), OPEN),
    ("reconciliation recovered", back("reconciliation", 10_000), body(), OPEN),
    ("silent audit recovered", back("silent audit", 10_000), body(), OPEN),
    ("blind audit recovered", back("blind audit", 10_000), body(), OPEN),
    ("clock recovered", back("clock", 10_000), body(), OPEN),
    ("recovery of no time", back("clock", 0, 0), body(), OPEN),
    ("recovery waived", back("clock", 0, None), body(), OPEN),
    ("recovering, an exit", back("clock", 0), EXIT, OPEN),
]
ROWS: list[Row] = [
    Row(C.CLOCK_SKEW, told(clock(1021), **CLOCK), body(), OPEN, "1000", "1001"),
    Row(C.CLOCK_SKEW, told(clock(-1021), **CLOCK), body(), OPEN, "1000", "1001"),
    Row(C.CLOCK_SKEW, told(**CLOCK), body(), OPEN),
    Row(C.CLOCK_SKEW, told(clock(0, ago(CLOCK_AGE_MAX_MS + 1)), **CLOCK), body(), OPEN, "300000", "300001"),
    Row(C.CLOCK_SKEW, told(clock(0, ago(-CLOCK_AGE_MAX_MS - 1)), **CLOCK), body(), OPEN, "300000", "-300001"),
    Row(C.CLOCK_SKEW, back("clock", 9_999), body(), OPEN, "10000", "9999"),
    Row(C.CLOCK_SKEW, back("clock not compared", 9_999), body(), OPEN, "10000", "9999"),
    Row(C.STALE_RECONCILIATION, back("reconciliation", 9_999), body(), OPEN, "10000", "9999"),
    Row(C.STALE_AUDIT, back("silent audit", 9_999), body(), OPEN, "10000", "9999"),
    Row(C.STALE_AUDIT, back("blind audit", 9_999), body(), OPEN, "10000", "9999"),
]
