"""Risk's one decision: an intent, a state and the evidence in; a self-contained record out.

`decide` is pure: the same state, intent, evidence and stamp give the same bytes, today and at the inquiry.
"""

from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.codec import UndecodableError, decode_intent, is_recordable
from contracts.decisions import NO_INTENT, Decision, Evidence, Headroom, written
from contracts.enums import Action, Outcome
from contracts.intents import (
    ApprovalIntent,
    CancelAllIntent,
    CancelIntent,
    CloseIntent,
    Intent,
    ReplaceIntent,
    SubmitIntent,
)
from contracts.limits import LimitSet
from contracts.reasons import DenialCode, Reason
from projections.account import AccountState
from projections.headroom import headroom
from services.risk.advice import advised
from services.risk.answer import MS, SHOWN_CHARS, Answer, Stamp, Stated, no
from services.risk.canceling import answer_cancel, answer_cancel_all
from services.risk.conditions import ahead
from services.risk.form import fault_of
from services.risk.holding import held_for, on_behalf_of, stated_by
from services.risk.loops import digest_of, loop_found
from services.risk.replacing import answer_replace
from services.risk.submitting import answer_close, answer_submit

C = DenialCode
_ACTIONS: dict[type[Intent], Action] = {
    SubmitIntent: Action.SUBMIT,
    CloseIntent: Action.SUBMIT,
    ReplaceIntent: Action.REPLACE,
    CancelIntent: Action.CANCEL,
    CancelAllIntent: Action.CANCEL_ALL,
    ApprovalIntent: Action.SUBMIT,
}


_CONDITIONAL = (SubmitIntent, CloseIntent, ReplaceIntent)
_NO_LIMITS = Reason(code=C.NO_LIMITS, message="no limits are set, so nothing may trade", needs_human=True)


def decide(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp) -> Decision:
    """Decide one intent."""
    try:
        intent = decode_intent(stated.body)
    except UndecodableError as error:
        reason = Reason(code=C.MALFORMED, message=f"the intent cannot be read: {str(error)[:SHOWN_CHARS]}")
        return _record(state, stated, evidence, stamp, Answer(reason=reason))
    answer = _caught_up(intent, stamp, _answer(state, stated, evidence, intent))
    return _record(state, stated, evidence, stamp, answer)


def _caught_up(intent: Intent, stamp: Stamp, answer: Answer) -> Answer:
    """Approve and hold nothing on the condition that nothing happened since a place that risk has not read up to."""
    if answer.outcome is Outcome.DENIED or not isinstance(intent, _CONDITIONAL):
        return answer
    unread = ahead(intent, stamp.state_seq)
    return answer if unread is None else no(_ACTIONS[type(intent)], unread, answer.checks)


def _answer(state: AccountState, stated: Stated, evidence: Evidence, intent: Intent) -> Answer:
    fault = fault_of(intent, stated.intent_id)
    if fault is not None:
        return no(_ACTIONS[type(intent)], fault)
    match intent:
        case SubmitIntent() | CloseIntent() | ReplaceIntent():
            answer = _answer_new_risk(state, stated, evidence, intent)
            return _rehearsed(answer) if intent.dry_run else _remembered(answer, intent)
        case CancelIntent():
            return answer_cancel(state, stated, intent)
        case CancelAllIntent():
            return answer_cancel_all(state, stated, intent)
        case ApprovalIntent():
            return _answer_approval(state, stated, evidence, intent)


def _answer_approval(state: AccountState, stated: Stated, evidence: Evidence, intent: ApprovalIntent) -> Answer:
    """Decide an intent that waited for a person anew, now that one has let it go."""
    held = held_for(state, stated, evidence, intent)
    if isinstance(held, Answer):
        return held
    return on_behalf_of(held, _answer(state, stated_by(held, stated), evidence, decode_intent(held.body)))


def _answer_new_risk(
    state: AccountState, stated: Stated, evidence: Evidence, intent: SubmitIntent | CloseIntent | ReplaceIntent
) -> Answer:
    """Answer what may add risk, or take it away, at a market that moves on."""
    limits = state.limits
    if limits is None:
        return no(_ACTIONS[type(intent)], _NO_LIMITS)
    late = _late(limits, evidence)
    if late is not None:
        return no(_ACTIONS[type(intent)], late)
    loop = loop_found(state, limits, stated, evidence, intent)
    if loop is not None:
        return no(_ACTIONS[type(intent)], loop)
    match intent:
        case SubmitIntent():
            return answer_submit(state, limits, stated, evidence, intent)
        case CloseIntent():
            return answer_close(state, limits, stated, evidence, intent)
        case ReplaceIntent():
            return answer_replace(state, limits, stated, evidence, intent)


def _remembered(answer: Answer, intent: SubmitIntent | CloseIntent | ReplaceIntent) -> Answer:
    """Mark a denial with what was asked, so that the same can be told when it comes again."""
    return replace(answer, digest=digest_of(intent)) if answer.outcome is Outcome.DENIED else answer


def _rehearsed(answer: Answer) -> Answer:
    """Answer a dry run: what would be, with no order id that anybody could follow; no person is asked either."""
    match answer.outcome:
        case Outcome.APPROVED | Outcome.WOULD_APPROVE:
            return replace(answer, outcome=Outcome.WOULD_APPROVE, order_id=None, valid_until=None)
        case Outcome.HELD | Outcome.DENIED:
            return replace(answer, outcome=Outcome.DENIED, order_id=None, valid_until=None)


def _late(limits: LimitSet, evidence: Evidence) -> Reason | None:
    """Refuse an intent that waited too long: the world its agent saw is gone.

    One from the future is as bad: the server's clock runs ahead, so nobody knows how long the intent waited.
    """
    age_ms = (evidence.decided_at - evidence.received_at) // MS
    limit_ms = limits.intent_age_max_ms
    if -limit_ms <= age_ms <= limit_ms:
        return None
    return Reason(
        code=C.STALE_INTENT,
        message=f"the intent waited {age_ms} ms, {limit_ms} ms are allowed: look again and state a new one",
        limit=Decimal(limit_ms),
        attempted=Decimal(age_ms),
        retryable=True,
        retry_after_ms=0,
    )


def _record(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp, answer: Answer) -> Decision:
    """Put an answer on the record, with everything that somebody needs to decide it again."""
    readable = answer.action is not None or is_recordable(stated.body)  # an action means that all of it was read
    return Decision(
        epoch=stamp.epoch,
        at=evidence.decided_at,
        correlation_id=answer.correlation_id or stated.intent_id,
        agent=stated.agent,
        intent_id=stated.intent_id,
        action=answer.action,
        outcome=answer.outcome,
        order_id=answer.order_id,
        order_ids=answer.order_ids,
        reason=advised(answer.reason),
        terms=answer.terms,
        reservation=answer.reservation,
        checks=written(answer.checks),
        headroom=answer.headroom or _headroom(state, evidence),
        evidence=evidence,
        state_seq=stamp.state_seq,
        limits_version=state.limits_version,
        code_version=stamp.code_version,
        valid_until=answer.valid_until,
        intent_seq=stated.seq,
        layers_version=state.standing.version,
        on_behalf_of=answer.on_behalf_of or stated.closes_for,
        strategy=answer.strategy,
        sizing=answer.sizing,
        digest=answer.digest,
        held_until=answer.held_until if answer.outcome is Outcome.HELD else None,
        intent=msgspec.Raw(stated.body.strip()) if readable else NO_INTENT,  # a reader finds no blanks around it
        malformed=None if readable else stated.body,
    )


def _headroom(state: AccountState, evidence: Evidence) -> Headroom:
    """Derive what is left now, with nothing new approved; without limits there is nothing to show."""
    if state.limits is None:
        return Headroom()
    return headroom(state, evidence.decided_at, evidence.trading_day)
