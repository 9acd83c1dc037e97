"""Decide again from the journal alone, and compare bytes: the proof that decisions are what they claim to be.

Walks the journal as risk did (see `projections.risk_order`); needs no clock, no market and no other state.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from msgspec.structs import replace

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
    """A decision that comes out differently: its place, what is stored, what is derived, and by which code it was."""

    seq: int
    stored: bytes
    derived: bytes
    decision: Decision

    @property
    def code_version(self) -> str:
        """Name the code that decided; when that is not the code that asks, a difference is no corruption."""
        return self.decision.code_version


class Rederivation:
    """Feed it the whole journal in stream order; it yields each decision that does not come out as it stands."""

    def __init__(self, account_id: AccountId) -> None:
        """Begin before the first event."""
        self.decisions = 0
        self.versions: Counter[str] = Counter()
        """How many decisions each version of the code has made."""
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
        self.versions[stored.code_version] += 1
        stamp = Stamp(stored.epoch, stored.code_version, stored.state_seq)
        derived = encode(decide(self.state, stated_in(stored, self._account), stored.evidence, stamp))
        if derived != body:
            yield Divergence(seq, body, derived, stored)


def stated_in(decision: Decision, account_id: AccountId) -> Stated:
    """Give back the intent as it reached risk, out of the decision on it."""
    body = bytes(decision.intent) if decision.malformed is None else decision.malformed
    closes_for = None if decision.intent_seq else decision.on_behalf_of  # risk's own orders stand in no stream
    stated = Stated(account_id, decision.agent, decision.intent_id, body, decision.intent_seq)
    return replace(stated, closes_for=closes_for)
