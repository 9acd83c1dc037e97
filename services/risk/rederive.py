"""Decide again from the journal alone, and compare bytes: the proof that decisions are what they claim to be.

Walks the journal as risk did (see `projections.risk_order`); needs no clock, no market and no other state.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from contracts.codec import JournalEvent, encode
from contracts.decisions import Decision
from contracts.ids import AccountId
from projections import account
from projections.account import EMPTY, AccountState
from projections.fence import OPEN_FENCE, Fence, admits, raise_fence
from projections.risk_order import RiskOrder
from services.risk.decider import Stamp, Stated, decide


@dataclass(frozen=True, slots=True)
class Divergence:
    """A decision that comes out differently: its place, what is stored, and what is derived."""

    seq: int
    stored: bytes
    derived: bytes


class Rederivation:
    """Feed it the whole journal in stream order; it yields each decision that does not come out as it stands."""

    def __init__(self, account_id: AccountId) -> None:
        """Begin before the first event."""
        self.decisions = 0
        self.state: AccountState = EMPTY
        self._account = account_id
        self._fence: Fence = OPEN_FENCE
        self._order = RiskOrder()

    def take(self, seq: int, event: JournalEvent, body: bytes) -> Iterator[Divergence]:
        """Take the next event and its stored bytes."""
        if not admits(self._fence, event):
            return
        self._fence = raise_fence(self._fence, event)
        for due_seq, due in self._order.take(seq, event):
            if isinstance(due, Decision):
                yield from self._compare(due_seq, due, body)
            self.state = account.evolve(self.state, due, due_seq)

    def finish(self) -> AccountState:
        """Fold what no decision asked for, and give the state at the end."""
        for seq, event in self._order.rest():
            self.state = account.evolve(self.state, event, seq)
        return self.state

    def _compare(self, seq: int, stored: Decision, body: bytes) -> Iterator[Divergence]:
        self.decisions += 1
        body_stated = bytes(stored.intent) if stored.malformed is None else stored.malformed
        stated = Stated(self._account, stored.agent, stored.intent_id, body_stated, stored.intent_seq)
        stamp = Stamp(stored.epoch, stored.code_version, stored.state_seq)
        derived = encode(decide(self.state, stated, stored.evidence, stamp))
        if derived != body:
            yield Divergence(seq, body, derived)
