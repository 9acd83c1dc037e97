"""Risk's one decision: an intent, a state and the evidence in; a self-contained record out.

`decide` is pure: the same state, intent, evidence and stamp give the same bytes, today and at the inquiry.
"""

from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from contracts.codec import UndecodableError, decode_intent, is_recordable
from contracts.decisions import NO_INTENT, Check, Decision, Evidence, Headroom, Reservation
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR, AccountId, AgentId, IntentId, OrderId, order_id_for
from contracts.intents import CancelAllIntent, CancelIntent, CloseIntent, Intent, ReplaceIntent, SubmitIntent
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import plain
from projections.account import AccountState
from projections.headroom import Used, headroom
from services.risk.checks import apply_all
from services.risk.form import fault_of
from services.risk.situation import Situation, measure

C = DenialCode
_MS = timedelta(milliseconds=1)
_SHOWN_CHARS = 200
"""So much of what an agent wrote, or of what was wrong with it, is repeated to it."""


class Stated(msgspec.Struct, frozen=True):
    """An intent as it reached risk: who stated it (the server vouched for that), its bytes and its place."""

    account: AccountId
    agent: AgentId
    intent_id: IntentId
    body: bytes
    seq: int


class Stamp(msgspec.Struct, frozen=True):
    """Who decides, and how far it had read."""

    epoch: int
    code_version: str
    state_seq: int


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What is said to one intent, before it is put on the record."""

    action: Action | None = None
    outcome: Outcome = Outcome.DENIED
    order_id: OrderId | None = None
    reason: Reason | None = None
    terms: OrderTerms | None = None
    reservation: Reservation | None = None
    checks: tuple[Check, ...] = ()
    headroom: Headroom | None = None
    valid_until: datetime | None = None


def decide(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp) -> Decision:
    """Decide one intent."""
    try:
        intent = decode_intent(stated.body)
    except UndecodableError as error:
        reason = Reason(code=C.MALFORMED, message=f"the intent cannot be read: {str(error)[:_SHOWN_CHARS]}")
        return _record(state, stated, evidence, stamp, Answer(reason=reason))
    return _record(state, stated, evidence, stamp, _answer(state, stated, evidence, intent))


def _answer(state: AccountState, stated: Stated, evidence: Evidence, intent: Intent) -> Answer:
    fault = fault_of(intent, stated.intent_id)
    match intent:
        case SubmitIntent():
            reason = fault or _late(state, evidence)
            return _answer_submit(state, stated, evidence, intent) if reason is None else _no(Action.SUBMIT, reason)
        case CancelIntent():
            return _answer_cancel(state, stated, intent) if fault is None else _no(Action.CANCEL, fault)
        case ReplaceIntent():
            return _no(Action.REPLACE, fault or _unsupported("replace"))
        case CancelAllIntent():
            return _no(Action.CANCEL_ALL, fault or _unsupported("cancel_all"))
        case CloseIntent():
            return _no(Action.SUBMIT, fault or _unsupported("close"))


def _unsupported(what: str) -> Reason:
    return Reason(code=C.UNSUPPORTED, message=f"{what} is not offered: cancel and submit order by order")


def _no(action: Action, reason: Reason, checks: tuple[Check, ...] = ()) -> Answer:
    return Answer(action=action, reason=reason, checks=checks)


def _record(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp, answer: Answer) -> Decision:
    """Put an answer on the record, with everything that somebody needs to decide it again."""
    readable = answer.action is not None or is_recordable(stated.body)  # an action means that all of it was read
    return Decision(
        epoch=stamp.epoch,
        at=evidence.decided_at,
        correlation_id=stated.intent_id,
        agent=stated.agent,
        intent_id=stated.intent_id,
        action=answer.action,
        outcome=answer.outcome,
        order_id=answer.order_id,
        reason=answer.reason,
        terms=answer.terms,
        reservation=answer.reservation,
        checks=answer.checks,
        headroom=answer.headroom or _headroom(state, evidence),
        evidence=evidence,
        state_seq=stamp.state_seq,
        limits_version=state.limits_version,
        code_version=stamp.code_version,
        valid_until=answer.valid_until,
        intent_seq=stated.seq,
        intent=msgspec.Raw(stated.body.strip()) if readable else NO_INTENT,  # a reader finds no blanks around it
        malformed=None if readable else stated.body,
    )


def _late(state: AccountState, evidence: Evidence) -> Reason | None:
    """Refuse an intent that waited too long: the world its agent saw is gone.

    One from the future is as bad: the server's clock runs ahead, so nobody knows how long the intent waited.
    """
    if state.limits is None:
        return None
    age_ms = (evidence.decided_at - evidence.received_at) // _MS
    limit_ms = state.limits.intent_age_max_ms
    if abs(age_ms) <= limit_ms:
        return None
    return Reason(
        code=C.STALE_INTENT,
        message=f"the intent waited {age_ms} ms, {limit_ms} ms are allowed: look again and state a new one",
        limit=Decimal(limit_ms),
        attempted=Decimal(age_ms),
        retryable=True,
    )


def _answer_submit(state: AccountState, stated: Stated, evidence: Evidence, intent: SubmitIntent) -> Answer:
    if state.limits is None:
        return _no(Action.SUBMIT, Reason(code=C.NO_LIMITS, message="no limits are set: nothing may trade"))
    at = measure(state, state.limits, intent, evidence)
    checks, reason = apply_all(at)
    return _approve(at, stated, checks) if reason is None else _no(Action.SUBMIT, reason, checks)


def _approve(at: Situation, stated: Stated, checks: tuple[Check, ...]) -> Answer:
    intent, price = at.intent, at.worst_price
    if price is None:
        raise AssertionError("an order whose worst price is not known must never be approved")
    terms = OrderTerms(
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        qty=at.qty,
        limit_price=None if intent.limit_price is None else plain(intent.limit_price),
        time_in_force=intent.time_in_force,
        extended_hours=intent.extended_hours,
    )
    reservation = Reservation(
        symbol=intent.symbol,
        side=intent.side,
        qty=at.qty,
        price_usd=price,
        notional_usd=at.qty * price,
        reduces=at.reduces,
    )
    return Answer(
        action=Action.SUBMIT,
        outcome=Outcome.APPROVED,
        order_id=order_id_for(stated.account, stated.agent, stated.intent_id),
        terms=terms,
        reservation=reservation,
        checks=checks,
        headroom=_headroom_after(at),
        valid_until=at.evidence.decided_at + at.limits.decision_ttl_ms * _MS,
    )


def _answer_cancel(state: AccountState, stated: Stated, intent: CancelIntent) -> Answer:
    """Approve a cancel of one's own working order; it can only cut risk, so it is never too late for one."""
    order = state.orders.get(intent.order_id)
    if order is None:
        message = f"there is no order {intent.order_id[:_SHOWN_CHARS]!r} in this account today"
        return _no(Action.CANCEL, Reason(code=C.ORDER_NOT_FOUND, message=message))
    if stated.agent not in (order.agent, OPERATOR):
        message = f"order {order.order_id} belongs to {order.agent}: agents cancel their own orders"
        return _no(Action.CANCEL, Reason(code=C.NOT_YOUR_ORDER, message=message))
    if order.is_terminal:
        message = f"order {order.order_id} is {order.status} already"
        return _no(Action.CANCEL, Reason(code=C.ORDER_NOT_WORKING, message=message))
    return Answer(action=Action.CANCEL, outcome=Outcome.APPROVED, order_id=order.order_id)


def _headroom(state: AccountState, evidence: Evidence) -> Headroom:
    """Derive what is left now, with nothing new approved; without limits there is nothing to show."""
    if state.limits is None:
        return Headroom()
    return headroom(state, evidence.decided_at, evidence.trading_day)


def _headroom_after(at: Situation) -> Headroom:
    """Derive what is left once the order counts."""
    used = Used(at.totals_after, at.after.exposure_usd, 0 if at.reduces else 1)
    return headroom(at.state, at.evidence.decided_at, at.evidence.trading_day, used)
