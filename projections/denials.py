"""What each agent was denied lately, so that who states the same again and again is heard no more for a while."""

from datetime import datetime, timedelta

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.decisions import Decision
from contracts.ids import AgentId
from contracts.limits import LimitSet
from contracts.reasons import DenialCode

REMEMBERED_MAX = 8
"""So many different intents that were denied are remembered of one agent, the latest ones."""
_MS = timedelta(milliseconds=1)


class Denied(Value, frozen=True, kw_only=True):
    """One intent that was denied for one reason, how often in a row, and when last."""

    digest: str
    code: DenialCode
    count: int
    first_at: datetime
    last_at: datetime


type Denials = Map[AgentId, tuple[Denied, ...]]
NO_DENIALS: Denials = Map()


def after_denial(denials: Denials, decision: Decision, limits: LimitSet | None) -> Denials:
    """Count a denial; one that comes later than the cooldown after the one before begins anew.

    What the loop breaker itself denied counts for nothing, or nobody would ever be heard again.
    """
    reason, digest = decision.reason, decision.digest
    cooldown_ms = None if limits is None else limits.loop_cooldown_ms
    if reason is None or digest is None or cooldown_ms is None or reason.code is DenialCode.LOOP_BREAKER:
        return denials
    at, known = decision.evidence.decided_at, denials.get(decision.agent, ())
    others = tuple(one for one in known if one.digest != digest)
    again = next((one for one in known if one.digest == digest), None)
    if again is not None and again.code is reason.code and at - again.last_at < cooldown_ms * _MS:
        denied = replace(again, count=again.count + 1, last_at=at)
    else:
        denied = Denied(digest=digest, code=reason.code, count=1, first_at=at, last_at=at)
    return denials.set(decision.agent, (*others, denied)[-REMEMBERED_MAX:])
