"""What caused what in one story, as a tree: as the events themselves say it, and where they do not, as it must be.

Order events name the decision that began their order. That a cancel answers a cancel decision, or a kill switch, or
that a fill comes of an acknowledged order, follows from the order of things; such a cause is marked as inferred.
"""

from collections.abc import Callable, Mapping, Sequence

from contracts.base import Value
from contracts.codec import JournalEvent
from contracts.controls import KillEngaged
from contracts.decisions import Decision
from contracts.enums import Action, Outcome
from contracts.orders import (
    OrderAcknowledged,
    OrderAdopted,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderEvent,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
)

type Placed = tuple[int, JournalEvent]

_CANCELS = (Action.CANCEL, Action.CANCEL_ALL)


class Node(Value, frozen=True, kw_only=True):
    """One event of the story and what came of it; `inferred` when the event does not itself name its cause."""

    seq: int
    inferred: bool
    children: tuple["Node", ...] = ()


def tree(events: Sequence[Placed]) -> tuple[Node, ...]:
    """Hang each event (in journal order, each sequence once) under its cause; those without one in here are roots."""
    known = {seq for seq, _ in events}
    causes: dict[int, tuple[int, bool]] = {}
    for at, (seq, event) in enumerate(events):
        cause = _inferred(event, events[:at])
        if cause is not None:
            causes[seq] = cause, True
        elif event.causation_seq in known and event.causation_seq < seq:
            causes[seq] = event.causation_seq, False
    return tuple(_node(seq, events, causes) for seq, _ in events if seq not in causes)


def _node(seq: int, events: Sequence[Placed], causes: Mapping[int, tuple[int, bool]]) -> Node:
    children = tuple(_node(child, events, causes) for child, _ in events if causes.get(child, (0, False))[0] == seq)
    return Node(seq=seq, inferred=causes.get(seq, (0, False))[1], children=children)


def _inferred(event: JournalEvent, before: Sequence[Placed]) -> int | None:
    """Find a nearer cause than the one that an event names; events are many to one decision."""
    match event:
        case Decision(on_behalf_of=str()):
            return _last(before, lambda cause: isinstance(cause, Decision) and cause.outcome is Outcome.HELD)
        case OrderCancelRequested():
            return _last(before, lambda cause: _asks(cause, _CANCELS) or isinstance(cause, KillEngaged))
        case OrderReplaceRequested(decision_seq=decision_seq):
            return decision_seq if any(seq == decision_seq for seq, _ in before) else None
        case OrderCanceled() | OrderCancelRejected():
            return _last(before, lambda cause: isinstance(cause, OrderCancelRequested))
        case OrderReplaced() | OrderReplaceRejected():
            return _last(before, lambda cause: isinstance(cause, OrderReplaceRequested))
        case OrderEvent() if not isinstance(event, OrderAcknowledged | OrderAdopted):
            return _last(before, lambda cause: isinstance(cause, OrderAcknowledged | OrderAdopted | OrderReplaced))
        case _:
            return None


def _asks(event: JournalEvent, actions: Sequence[Action]) -> bool:
    return isinstance(event, Decision) and event.action in actions and event.outcome is Outcome.APPROVED


def _last(before: Sequence[Placed], is_cause: Callable[[JournalEvent], bool]) -> int | None:
    return next((seq for seq, event in reversed(before) if is_cause(event)), None)
