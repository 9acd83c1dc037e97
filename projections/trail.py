"""The audit trail as a fold: each journal message becomes one row that is explained, dated and linked to the last.

A row is a pure function of the journal up to it (no clock of ours is asked), so a trail that was deleted and
built again is equal to the one before, row by row.
"""

from datetime import datetime
from typing import NamedTuple

import msgspec

from contracts import codec
from contracts.audit import ChainCheckpoint, WatchReported
from contracts.base import Value
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
from contracts.codec import JournalEvent, UndecodableError
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
from contracts.enums import Action, BreakKind
from contracts.ids import AgentId, IntentId, OrderId, Symbol, is_symbol, is_token
from contracts.intents import Intent
from contracts.orders import AnyOrderEvent, OrderAdopted, OrderEvent, OrderFilled, OrderLegAdded
from contracts.scopes import Scope, ScopeKind, parse_scope
from projections.chain import Chain, Link, extend
from projections.fence import OPEN_FENCE, Fence, admits, raise_fence
from projections.tags import split_tag, tag_of

_ORDER_SUBJECT_TOKENS = 5
_AGENT_TOKEN = 3


class Subject(Value, frozen=True, kw_only=True):
    """Whom and what an event is about, as far as the event itself says it."""

    agent: AgentId | None = None
    intent_id: IntentId | None = None
    order_id: OrderId | None = None
    symbol: Symbol | None = None


class TrailRow(Value, frozen=True, kw_only=True):
    """One journal message on the trail.

    `type` is the stored tag without its version, `at` the server's time, `event_at` the writer's; `admitted` is
    false for what a writer wrote after it had lost its right to.
    """

    seq: int
    subject: str
    type: str
    version: int
    at: datetime
    event_at: datetime
    agent: AgentId | None
    intent_id: IntentId | None
    order_id: OrderId | None
    symbol: Symbol | None
    epoch: int
    admitted: bool
    correlation_id: str | None
    causation_seq: int
    traceparent: str | None
    digest: str
    body: bytes


class TrailState(Value, frozen=True, kw_only=True):
    """Where the trail stands: the chain up to its last row, and whose events count from there on."""

    chain: Chain
    fence: Fence = OPEN_FENCE


class _Claim(msgspec.Struct):
    symbol: str = ""
    order_id: str = ""


_claim_decoder = msgspec.json.Decoder(_Claim)


class Placed(NamedTuple):
    """A message in its place on the trail: what it is about, and what the trail says of it."""

    link: Link
    about: Subject
    kind: str
    version: int
    admitted: bool
    digest: str


def evolve(state: TrailState, link: Link, event: JournalEvent, about: Subject) -> tuple[TrailState, Placed]:
    """Fold one message, and say what its place on the trail is.

    Raises `projections.chain.ChainGapError` when the message is not the next one.
    """
    chain = extend(state.chain, link)
    admitted = admits(state.fence, event)
    fence = raise_fence(state.fence, event) if admitted else state.fence
    kind, version = split_tag(tag_of(link.body))
    placed = Placed(link, about, kind, version, admitted, chain.digest.hex())
    return TrailState(chain=chain, fence=fence), placed


def subject_of(event: JournalEvent, subject: str) -> Subject:  # noqa: C901 - one case per kind of event
    """Say whom and what an event is about; an order event names its agent only in its NATS subject."""
    match event:
        case OrderEvent():  # the most of all events
            return _of_order_event(event, subject)
        case Decision():
            return _of_decision(event)
        case PositionAdopted(symbol=symbol) | CashMoved(symbol=symbol):
            return Subject(symbol=symbol)
        case BreakFound(kind=kind, key=key) | BreakHealed(kind=kind, key=key) | BreakAccepted(kind=kind, key=key):
            return _of_break(kind, key)
        case MandateGranted(agent=agent) | MandateRevoked(agent=agent):
            return Subject(agent=agent)
        case LimitsSet() | LimitsProposed() | EpochTaken():
            return Subject()
        case LayerSet(scope=scope) | TripReset(scope=scope) | KillEngaged(scope=scope) | KillReleased(scope=scope):
            return _of_scope(scope)
        case KillVerified(scope=scope):
            return _of_scope(scope)
        case AccountObserved() | BrokerLinkChanged() | Reconciled() | ChainCheckpoint() | WatchReported():
            return Subject()
        case Throttled() | ClockCompared() | AssetsObserved() | SessionsObserved():
            return Subject()


def _of_scope(scope: Scope) -> Subject:
    kind, name = parse_scope(scope)
    match kind:
        case ScopeKind.AGENT:
            return Subject(agent=AgentId(name))
        case ScopeKind.SYMBOL:
            return Subject(symbol=Symbol(name))
        case ScopeKind.FIRM | ScopeKind.ACCOUNT | ScopeKind.STRATEGY:
            return Subject()


def _of_break(kind: BreakKind, key: str) -> Subject:
    match kind:
        case BreakKind.POSITION:
            return Subject(symbol=Symbol(key) if is_symbol(key) else None)
        case BreakKind.ORDER | BreakKind.OVERFILL | BreakKind.ORPHAN:
            return Subject(order_id=OrderId(key) if is_token(key) else None)
        case BreakKind.CASH:
            return Subject()


def _of_order_event(event: AnyOrderEvent, subject: str) -> Subject:
    tokens, symbol = subject.split("."), None
    agent = AgentId(tokens[_AGENT_TOKEN]) if len(tokens) == _ORDER_SUBJECT_TOKENS else None
    match event:
        case OrderFilled():
            symbol = event.symbol
        case OrderAdopted() | OrderLegAdded():
            agent, symbol = event.agent, event.terms.symbol
        case _:
            pass
    return Subject(
        agent=agent,
        intent_id=IntentId(event.correlation_id) if event.correlation_id else None,
        order_id=event.order_id,
        symbol=symbol,
    )


def _of_decision(decision: Decision) -> Subject:
    """Say what a decision is about; of an agent's own words only those count that its action can mean.

    Order ids can be computed by anyone: were a submit's claim to an order id believed, an agent could put a false
    symbol on somebody else's order.
    """
    claim = _claim_of(decision)
    symbol, order_id = claim.symbol, decision.order_id or ""
    if decision.terms is not None:
        symbol = decision.terms.symbol
    if decision.action in {Action.CANCEL, Action.REPLACE}:
        symbol, order_id = "", order_id or claim.order_id
    return Subject(
        agent=decision.agent,
        intent_id=decision.intent_id,
        order_id=OrderId(order_id) if is_token(order_id) else None,
        symbol=Symbol(symbol) if is_symbol(symbol) else None,
    )


def _claim_of(decision: Decision) -> _Claim:
    """Read what an intent says it is about, even one too broken to be decoded whole."""
    if decision.malformed is not None:
        return _Claim()
    try:
        return _claim_decoder.decode(decision.intent)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _Claim()


def intent_of(decision: Decision) -> Intent | None:
    """Read the intent a decision answers; None when the agent's bytes were no valid intent."""
    if decision.malformed is not None:
        return None
    try:
        return codec.decode_intent(bytes(decision.intent))
    except UndecodableError:
        return None
