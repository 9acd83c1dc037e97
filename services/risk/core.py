"""Risk's memory: one account's state in risk's own order, the fence, and how far both streams are read.

Nothing here waits or asks the clock: the shell feeds it what the journal says and asks it to decide.
"""

from datetime import datetime

import msgspec
from msgspec.structs import replace

from contracts.codec import JournalEvent
from contracts.controls import EpochTaken
from contracts.decisions import Decision, Evidence
from contracts.enums import Action, Role
from projections import account
from projections.account import EMPTY, AccountState
from projections.fence import OPEN_FENCE, Fence, admits, raise_fence
from projections.order_state import OrderState, group_ids
from projections.risk_order import RiskOrder
from projections.state_codec import SCHEMA as STATE_SCHEMA
from projections.state_codec import decode_state, encode_state
from services.risk.decider import Stamp, Stated, decide

SNAPSHOT_SCHEMA = f"risk-1/{STATE_SCHEMA}"


class FencedError(Exception):
    """Another risk process has taken over: this one must stop at once."""


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Where both streams were read to, the fence there, and the state."""

    read_seq: int
    own_seq: int
    intent_seq: int
    fence: dict[Role, int]
    state: bytes


def _numbered(order: OrderState, decision: Decision, seq: int) -> OrderState:
    """Note at which sequence the approval of an order, or of its replacement, stands."""
    if decision.action is not Action.REPLACE:
        return replace(order, decision_seq=seq)
    if order.replacement is None:
        return order  # the broker has answered already
    return replace(order, replacement=replace(order.replacement, decision_seq=seq))


class RiskCore:
    """Folds the journal and decides; one per account, one writer."""

    def __init__(self, code_version: str) -> None:
        """Begin before the first event."""
        self.state: AccountState = EMPTY
        self.read_seq = 0
        """How far the journal is read: everything up to here that others wrote is folded once live."""
        self.own_seq = 0
        """The newest journal sequence at which a decision of ours, or of a predecessor, is known to stand."""
        self.intent_seq = 0
        """The newest intent that has its decision."""
        self.epoch = 0
        self._fence: Fence = OPEN_FENCE
        self._order = RiskOrder()
        self._code_version = code_version
        self._live = False

    def go_live(self, epoch: int) -> None:
        """Fold what no decision has asked for yet; from now on this process's epoch writes the decisions."""
        for seq, event in self._order.rest():
            self._fold(seq, event)
        self.epoch = epoch
        self._live = True

    def take(self, seq: int, event: JournalEvent) -> None:
        """Take the next event of the journal, in stream order; raise `FencedError` when we were replaced."""
        self.read_seq = seq
        if not admits(self._fence, event):
            return
        self._fence = raise_fence(self._fence, event)
        if self._live:
            self._take_live(seq, event)
        elif isinstance(event, Decision) and seq <= self.own_seq:
            return  # the snapshot we began from has it already
        else:
            for due_seq, due in self._order.take(seq, event):
                self._fold(due_seq, due)

    def _take_live(self, seq: int, event: JournalEvent) -> None:
        if isinstance(event, EpochTaken) and event.role is Role.RISK and event.epoch > self.epoch:
            raise FencedError(f"epoch {event.epoch} was taken by {event.owner}")
        if isinstance(event, Decision):
            return  # our own, folded when it was made
        self._fold(seq, event)

    def _fold(self, seq: int, event: JournalEvent) -> None:
        self.state = account.evolve(self.state, event, seq)
        if isinstance(event, Decision):
            self.own_seq = max(self.own_seq, seq)
            self.intent_seq = max(self.intent_seq, event.intent_seq)

    def decide(self, stated: Stated, evidence: Evidence) -> Decision:
        """Decide one intent and count on the decision from this moment; the shell must make it stand."""
        stamp = Stamp(self.epoch, self._code_version, self.read_seq)
        decision = decide(self.state, stated, evidence, stamp)
        self.state = account.evolve(self.state, decision, 0)
        return decision

    def stands(self, decision: Decision, seq: int) -> None:
        """Hear that a decision is durable at a sequence, and note it where a replay would have."""
        self.own_seq = max(self.own_seq, seq)
        self.intent_seq = max(self.intent_seq, decision.intent_seq)
        if decision.terms is None or decision.order_id is None:
            return
        orders, own_id = self.state.orders, decision.order_id
        # An order's exits have their number from it, and may be known before its own is.
        for order_id in (own_id,) if decision.action is Action.REPLACE else group_ids(own_id):
            if (order := orders.get(order_id)) is not None:
                orders = orders.set(order_id, _numbered(order, decision, seq))
        self.state = replace(self.state, orders=orders)

    def skip(self, intent_seq: int) -> None:
        """Hear that an intent has its decision already."""
        self.intent_seq = max(self.intent_seq, intent_seq)

    def save(self) -> bytes:
        """Write everything down; only to be asked while every decision made is known to stand."""
        return msgspec.json.encode(
            _Saved(
                read_seq=self.read_seq,
                own_seq=self.own_seq,
                intent_seq=self.intent_seq,
                fence=dict(self._fence.items()),
                state=encode_state(self.state),
            )
        )

    def load(self, body: bytes) -> None:
        """Begin from a snapshot instead of from the first event."""
        saved = msgspec.json.decode(body, type=_Saved)
        self.read_seq, self.own_seq, self.intent_seq = saved.read_seq, saved.own_seq, saved.intent_seq
        self._fence = OPEN_FENCE.update(saved.fence)
        self.state = decode_state(saved.state)

    def account_age_ms(self, now: datetime) -> int | None:
        """Say how old the broker's figures are, for health."""
        seen = self.state.observed
        return None if seen is None else int((now - seen.at).total_seconds() * 1000)
