"""Which journal events count: a writer's epoch is void once a higher one of its role stands before it."""

from immutables import Map

from contracts.audit import ChainCheckpoint, WatchReported
from contracts.broker import (
    AccountObserved,
    AssetsObserved,
    BreakFound,
    BreakHealed,
    BrokerLinkChanged,
    CashMoved,
    ClockCompared,
    KillVerified,
    PositionAdopted,
    Reconciled,
    SessionsObserved,
    Throttled,
)
from contracts.codec import JournalEvent
from contracts.controls import (
    BreakAccepted,
    EpochTaken,
    KillEngaged,
    KillReleased,
    LayerSet,
    LimitsProposed,
    LimitsSet,
    MandateGranted,
    MandateRevoked,
    TripReset,
)
from contracts.decisions import Decision
from contracts.enums import BreakKind, Role
from contracts.orders import OrderEvent

type Fence = Map[Role, int]

OPEN_FENCE: Fence = Map()


def role_of(event: JournalEvent) -> Role | None:
    """Name the role whose epoch guards an event; operators' controls need none, they are accepted from anyone."""
    match event:
        case OrderEvent():  # the most of all events
            return Role.OMS
        case Decision():
            return Role.RISK
        case (
            LimitsSet()
            | LimitsProposed()
            | KillEngaged()
            | KillReleased()
            | BreakAccepted()
            | LayerSet()
            | MandateGranted()
            | MandateRevoked()
            | TripReset()
        ):
            return None
        case EpochTaken(role=role):
            return role
        case (
            ChainCheckpoint()
            | WatchReported()
            | BreakFound(kind=BreakKind.ORPHAN)
            | BreakHealed(kind=BreakKind.ORPHAN)
        ):
            return Role.AUDIT
        case (
            AccountObserved()
            | BrokerLinkChanged()
            | Reconciled()
            | ClockCompared()
            | PositionAdopted()
            | KillVerified()
        ):
            return Role.OMS
        case CashMoved() | BreakFound() | BreakHealed() | Throttled() | AssetsObserved() | SessionsObserved():
            return Role.OMS


def admits(fence: Fence, event: JournalEvent) -> bool:
    """Say whether the event's writer still had the right to write where the event stands."""
    role = role_of(event)
    return role is None or event.epoch >= fence.get(role, 0)


def raise_fence(fence: Fence, event: JournalEvent) -> Fence:
    """Move the fence after an event: only a taken epoch does."""
    if isinstance(event, EpochTaken) and event.epoch > fence.get(event.role, 0):
        return fence.set(event.role, event.epoch)
    return fence
