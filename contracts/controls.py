"""What operators and owners write: limits, the kill switch, and who holds the right to write."""

from decimal import Decimal

from contracts.base import Event, Value
from contracts.enums import BreakKind, KillMode, Role
from contracts.limits import LimitSet


class LimitsSet(Event, frozen=True, kw_only=True, tag="control.limits_set.v1"):
    """From here on these limits hold; versions count up from one."""

    version: int
    limits: LimitSet
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


class KillReleased(Event, frozen=True, kw_only=True, tag="control.kill_released.v1"):
    """The kill switch is off again; a person said why."""

    by: str
    reason: str


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


type ControlEvent = LimitsSet | LimitsProposed | KillEngaged | KillReleased | BreakAccepted
