"""What the OMS remembers of the books' differences: cash movements that count already, and what a person accepted."""

from datetime import datetime, timedelta

from immutables import Map
from msgspec.structs import replace

from contracts.base import Value
from contracts.broker import BreakFound, BreakHealed, CashMoved
from contracts.codec import JournalEvent
from contracts.controls import BreakAccepted
from contracts.enums import BreakKind

CASH_IDS_KEPT = timedelta(days=60)
"""Longer than any look back at the broker's activities, so that none can be counted again."""
_MOVES_BOOKS = frozenset({BreakKind.POSITION, BreakKind.CASH})


class Acceptance(Value, frozen=True, kw_only=True):
    """A standing difference as it was when a person took the broker's figure for true."""

    found: BreakFound
    by: str
    reason: str

    @property
    def words(self) -> str:
        """Say who accepted it, and why."""
        return f"accepted by {self.by}: {self.reason}"


class Ledger(Value, frozen=True, kw_only=True):
    """Ids of cash movements with the time they were written at, and acceptances by the difference's name."""

    cash_ids: Map[str, datetime] = Map()
    accepted: Map[str, Acceptance] = Map()


EMPTY = Ledger()


def evolve(ledger: Ledger, event: JournalEvent, standing: Map[str, BreakFound]) -> Ledger:
    """Fold one event, given the differences that stood before it."""
    match event:
        case CashMoved(activity_id=activity_id, at=at) if activity_id:
            return replace(ledger, cash_ids=_with_id(ledger.cash_ids, activity_id, at))
        case BreakAccepted(by=by, reason=reason) if (found := standing.get(_name(event))) is not None:
            acceptance = Acceptance(found=found, by=by, reason=reason)
            return replace(ledger, accepted=ledger.accepted.set(_name(event), acceptance))
        case BreakFound() | BreakHealed() if _name(event) in ledger.accepted:
            return _after_break(ledger, event)
        case _:
            return ledger


def _name(event: BreakFound | BreakHealed | BreakAccepted) -> str:
    """Name a difference as the account's state does."""
    return f"{event.kind}:{event.key}"


def _with_id(known: Map[str, datetime], activity_id: str, at: datetime) -> Map[str, datetime]:
    old = [one for one, written_at in known.items() if written_at < at - CASH_IDS_KEPT]
    for one in old:
        known = known.delete(one)
    return known.set(activity_id, at)


def _after_break(ledger: Ledger, event: BreakFound | BreakHealed) -> Ledger:
    """An acceptance is for one figure; it is used up by the healing, unless only it keeps the difference quiet."""
    name = _name(event)
    was = ledger.accepted[name].found
    if isinstance(event, BreakFound):
        spent = (event.ours, event.theirs) != (was.ours, was.theirs)
    else:
        spent = event.kind in _MOVES_BOOKS
    return replace(ledger, accepted=ledger.accepted.delete(name)) if spent else ledger
