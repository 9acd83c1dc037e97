"""Places in a journal as people name them: a sequence, a moment, or a day."""

from dataclasses import dataclass
from datetime import UTC, datetime

from contracts.codec import JournalEvent
from services.cli.outcome import UsageError

type Point = int | datetime
"""A sequence, or the moment up to which events count by their own time."""


def point_of(text: str) -> Point:
    """Read `812`, `2026-11-23T14:30:05Z` or `2026-11-23` (its first moment in UTC); times without a zone are UTC."""
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(
            f"{text!r} is no place in a journal: give a sequence (812) or a time (2026-11-23T14:30:05Z)"
        ) from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def is_past(point: Point, seq: int, event: JournalEvent) -> bool:
    """Say whether an event stands after a point.

    Sequence orders, times only explain: the first event written later than a moment, and all after it, are past it.
    """
    return seq > point if isinstance(point, int) else event.at > point


@dataclass(frozen=True, slots=True)
class Stretch:
    """From one point to another, both included; open where None."""

    first: Point | None = None
    last: Point | None = None

    def has_begun(self, seq: int, event: JournalEvent) -> bool:
        """Say whether an event is the first of the stretch, or after it."""
        match self.first:
            case None:
                return True
            case int():
                return seq >= self.first
            case _:
                return event.at >= self.first

    def is_over(self, seq: int, event: JournalEvent) -> bool:
        """Say whether an event stands after the stretch."""
        return self.last is not None and is_past(self.last, seq, event)


def stretch_of(first: str | None, last: str | None) -> Stretch:
    """Read both ends."""
    return Stretch(None if first is None else point_of(first), None if last is None else point_of(last))
