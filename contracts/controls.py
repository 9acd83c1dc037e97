"""What operators and owners write: limits, the kill switch, and who holds the right to write."""

from contracts.base import Event
from contracts.enums import BreakKind, KillMode, Role
from contracts.limits import LimitSet


class LimitsSet(Event, frozen=True, kw_only=True, tag="control.limits_set.v1"):
    """From here on these limits hold; versions count up from one."""

    version: int
    limits: LimitSet
    by: str
    reason: str


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


type ControlEvent = LimitsSet | KillEngaged | KillReleased | BreakAccepted
