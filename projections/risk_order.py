"""The order in which risk folded the journal, which is not always the order in which it stands there.

Decisions are pipelined: an event of another writer may be stored before a decision that was made without it.
Each decision names in `state_seq` how far risk had folded the others' events, so anyone can walk the journal in
risk's own order: before each decision, fold what others wrote up to its `state_seq`; then fold the decision.
"""

from collections import deque
from collections.abc import Iterator

from contracts.codec import JournalEvent
from contracts.decisions import Decision

type Step = tuple[int, JournalEvent]
"""A journal sequence and the event that stands there."""


class RiskOrder:
    """Reorders admitted journal events, given in stream order, into the order in which risk folded them."""

    def __init__(self) -> None:
        """Begin with nothing held back."""
        self._others: deque[Step] = deque()

    def take(self, seq: int, event: JournalEvent) -> Iterator[Step]:
        """Take the next event of the stream; yield what is now due, oldest first."""
        if not isinstance(event, Decision):
            self._others.append((seq, event))
            return
        while self._others and self._others[0][0] <= event.state_seq:
            yield self._others.popleft()
        yield seq, event

    def rest(self) -> Iterator[Step]:
        """Yield what no decision has asked for yet; risk folds it before its next decision."""
        while self._others:
            yield self._others.popleft()
