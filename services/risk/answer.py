"""What is said to one intent, and to whom, before it is put on the record."""

from datetime import datetime, timedelta

import msgspec

from contracts.decisions import Check, Headroom, Reservation, Sizing
from contracts.enums import Action, Outcome
from contracts.ids import AccountId, AgentId, IntentId, OrderId
from contracts.orders import OrderTerms
from contracts.reasons import Reason

SHOWN_CHARS = 200
"""So much of what an agent wrote, or of what was wrong with it, is repeated to it."""
MS = timedelta(milliseconds=1)


class Stated(msgspec.Struct, frozen=True, gc=False):
    """An intent as it reached risk: who stated it (the server vouched for that), its bytes and its place."""

    account: AccountId
    agent: AgentId
    intent_id: IntentId
    body: bytes
    seq: int
    closes_for: AgentId | None = None
    """Whose position risk itself closes for the operator: the order becomes that agent's."""
    let_go: bool = False
    """A person has seen it, so that none is asked."""


class Stamp(msgspec.Struct, frozen=True, gc=False):
    """Who decides, and how far it had read."""

    epoch: int
    code_version: str
    state_seq: int


class Answer(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is said to one intent, before it is put on the record."""

    action: Action | None = None
    outcome: Outcome = Outcome.DENIED
    order_id: OrderId | None = None
    order_ids: tuple[OrderId, ...] = ()
    reason: Reason | None = None
    terms: OrderTerms | None = None
    reservation: Reservation | None = None
    checks: tuple[Check, ...] = ()
    headroom: Headroom | None = None
    valid_until: datetime | None = None
    strategy: str | None = None
    sizing: Sizing | None = None
    digest: str | None = None
    held_until: datetime | None = None
    on_behalf_of: AgentId | None = None
    correlation_id: IntentId | None = None
    """The intent that began the story, when it is not the one that is answered."""


def no(action: Action, reason: Reason, checks: tuple[Check, ...] = ()) -> Answer:
    """Deny."""
    return Answer(action=action, reason=reason, checks=checks)
