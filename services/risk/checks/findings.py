"""What a check answers with: what it measured, and the reason when that does not pass."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from functools import cache
from typing import NamedTuple

from contracts.decisions import Check
from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from services.risk.situation import Situation

SHOWN_CHARS = 40
"""So much of what others wrote is repeated in a message."""
_MS = timedelta(milliseconds=1)


class Denial(NamedTuple):
    """A check that did not pass, with the reason that an agent can act on."""

    check: Check
    reason: Reason


type Finding = Check | Denial
type Control = Callable[[Situation], Finding]


def passed(name: str, value: Decimal, limit: Decimal) -> Check:
    """Record a value that is within its limit."""
    return Check(name=name, passed=True, value=value, limit=limit)


@cache
def clear(name: str) -> Check:
    """Record that nothing stands in the way."""
    return Check(name=name, passed=True)


@cache
def none_found(name: str) -> Check:
    """Record that none were found of what there may not be any."""
    return passed(name, ZERO, ZERO)


@cache
def exempt(name: str) -> Check:
    """Record that the control does not bind what lowers exposure."""
    return Check(name=name, passed=True, note="exempt: the order reduces the position")


def denied(name: str, reason: Reason) -> Denial:
    """Deny with the reason's own numbers."""
    return Denial(Check(name=name, passed=False, value=reason.attempted, limit=reason.limit), reason)


def missing(name: str, code: DenialCode, message: str) -> Denial:
    """Deny because the fact is missing; it may be there in a moment."""
    return Denial(
        Check(name=name, passed=False, note=message),
        Reason(code=code, message=message, retryable=True, retry_after_ms=1000),
    )


def fresh(name: str, code: DenialCode, of: tuple[str, timedelta, int]) -> Finding:
    """Hold (what it is, its age, allowed ms) together; an age below zero is a clock that runs ahead, no better."""
    what, age, allowed_ms = of
    age_ms = age // _MS
    if -allowed_ms <= age_ms <= allowed_ms:
        return passed(name, Decimal(age_ms), Decimal(allowed_ms))
    reason = Reason(
        code=code,
        message=f"{what} {age_ms} ms old, {allowed_ms} ms either way are allowed",
        limit=Decimal(allowed_ms),
        attempted=Decimal(age_ms),
        retryable=True,
        retry_after_ms=1000,
    )
    return denied(name, reason)
