"""What operators and owners write: limits, the kill switch, and who holds the right to write."""

from decimal import Decimal

from contracts.base import Event, Value
from contracts.enums import BreakKind, KillMode, Role
from contracts.ids import AgentId
from contracts.limits import LimitOverride, LimitSet
from contracts.mandates import Mandate
from contracts.scopes import ACCOUNT, ScopeText


class LimitsSet(Event, frozen=True, kw_only=True, tag="control.limits_set.v1"):
    """From here on these limits hold; versions count up from one."""

    version: int
    limits: LimitSet
    by: str
    reason: str


class LayerSet(Event, frozen=True, kw_only=True, tag="control.layer_set.v1"):
    """From here on one layer adds these limits to the account's, or none any more; its versions count up from one."""

    scope: ScopeText
    version: int
    limits: LimitOverride | None
    by: str
    reason: str


class MandateGranted(Event, frozen=True, kw_only=True, tag="control.mandate_granted.v1"):
    """From here on an agent may do what its mandate says, in place of any earlier one; versions count up from one."""

    agent: AgentId
    version: int
    mandate: Mandate
    by: str
    reason: str


class MandateRevoked(Event, frozen=True, kw_only=True, tag="control.mandate_revoked.v1"):
    """An agent may take no new risk any more; what it holds it may still reduce."""

    agent: AgentId
    version: int
    by: str
    reason: str


class TripReset(Event, frozen=True, kw_only=True, tag="control.trip_reset.v1"):
    """A person looked at why trading stopped by itself, and lets it go on."""

    scope: ScopeText
    trip: str
    by: str
    reason: str


class WhatIfSummary(Value, frozen=True, kw_only=True):
    """What other limits would have made of a stretch of the journal; money is USD, as it was and as it had been."""

    first_seq: int
    last_seq: int
    decisions: int
    newly_denied: int
    newly_approved: int
    peak_gross_was_usd: Decimal
    peak_gross_would_be_usd: Decimal
    profit_was_usd: Decimal
    profit_would_be_usd: Decimal


class LimitsProposed(Event, frozen=True, kw_only=True, tag="control.limits_proposed.v1"):
    """A person proposes limits and has seen what they would have done; nothing changes before they are set."""

    limits: LimitSet
    by: str
    reason: str
    what_if: WhatIfSummary


class KillEngaged(Event, frozen=True, kw_only=True, tag="control.kill_engaged.v1"):
    """The kill switch is on, to this mode; a later, wider mode widens it."""

    mode: KillMode
    by: str
    reason: str
    scope: ScopeText = ACCOUNT


class KillReleased(Event, frozen=True, kw_only=True, tag="control.kill_released.v1"):
    """The kill switch of one scope is off again; a person said why."""

    by: str
    reason: str
    scope: ScopeText = ACCOUNT


class BreakAccepted(Event, frozen=True, kw_only=True, tag="control.break_accepted.v1"):
    """A person knows of a difference between our books and the broker's, and takes the broker's figure for true."""

    kind: BreakKind
    key: str
    by: str
    reason: str


class EpochTaken(Event, frozen=True, kw_only=True, tag="epoch.taken.v1"):
    """A process became the one writer of its role; whatever a lower epoch writes after this is void."""

    role: Role
    owner: str
    code_version: str


type ControlEvent = (
    LimitsSet
    | LimitsProposed
    | LayerSet
    | MandateGranted
    | MandateRevoked
    | KillEngaged
    | KillReleased
    | TripReset
    | BreakAccepted
)
