"""Risk's one decision: an intent, a state and the evidence in; a self-contained record out.

`decide` is pure: the same state, intent, evidence and stamp give the same bytes, today and at the inquiry.
"""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from contracts.codec import UndecodableError, decode_intent
from contracts.decisions import Decision, Evidence, Headroom, Reservation
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR, AccountId, AgentId, IntentId, order_id_for
from contracts.intents import CancelIntent, ReplaceIntent, SubmitIntent
from contracts.limits import LimitSet
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from projections.account import AccountState
from projections.exposure import Exposure
from projections.pace import orders_in_window
from services.risk.checks import Finding, findings, first_reason
from services.risk.form import fault_of
from services.risk.situation import Situation, measure

C = DenialCode
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class Stated:
    """An intent as it reached risk: who stated it (the server vouched for that), its bytes and its place."""

    account: AccountId
    agent: AgentId
    intent_id: IntentId
    body: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class Stamp:
    """Who decides, and how far it had read."""

    epoch: int
    code_version: str
    state_seq: int


def decide(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp) -> Decision:
    """Decide one intent."""
    blank = _blank(state, stated, evidence, stamp)
    try:
        intent = decode_intent(stated.body)
    except UndecodableError as error:
        return _deny(blank, state, Reason(code=C.MALFORMED, message=f"the intent cannot be read: {error}"))
    fault = fault_of(intent, stated.intent_id) or _late(state, evidence)
    match intent:
        case SubmitIntent():
            return _decide_submit(replace(blank, action=Action.SUBMIT), state, intent, fault)
        case CancelIntent():
            return _decide_cancel(replace(blank, action=Action.CANCEL), state, intent, fault)
        case ReplaceIntent():
            unsupported = Reason(code=C.UNSUPPORTED, message="replace is not offered: cancel, then submit anew")
            return _deny(replace(blank, action=Action.REPLACE), state, fault or unsupported)


def _blank(state: AccountState, stated: Stated, evidence: Evidence, stamp: Stamp) -> Decision:
    """Begin the record with everything that does not depend on the answer."""
    readable = _is_json(stated.body)
    return Decision(
        epoch=stamp.epoch,
        at=evidence.decided_at,
        correlation_id=stated.intent_id,
        agent=stated.agent,
        intent_id=stated.intent_id,
        action=None,
        outcome=Outcome.DENIED,
        order_id=order_id_for(stated.account, stated.agent, stated.intent_id),
        evidence=evidence,
        state_seq=stamp.state_seq,
        limits_version=state.limits_version,
        code_version=stamp.code_version,
        intent_seq=stated.seq,
        intent=msgspec.Raw(stated.body) if readable else None,
        malformed=None if readable else stated.body,
    )


def _is_json(body: bytes) -> bool:
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


def _late(state: AccountState, evidence: Evidence) -> Reason | None:
    """Refuse an intent that waited too long: the world its agent saw is gone."""
    if state.limits is None:
        return None
    age_ms = (evidence.decided_at - evidence.received_at) // _MS
    limit_ms = state.limits.intent_age_max_ms
    if age_ms <= limit_ms:
        return None
    return Reason(
        code=C.STALE_INTENT,
        message=f"the intent waited {age_ms} ms, {limit_ms} ms are allowed: look again and state a new one",
        limit=Decimal(limit_ms),
        attempted=Decimal(age_ms),
        retryable=True,
    )


def _decide_submit(blank: Decision, state: AccountState, intent: SubmitIntent, fault: Reason | None) -> Decision:
    if fault is not None:
        return _deny(blank, state, fault)
    if state.limits is None:
        return _deny(blank, state, Reason(code=C.NO_LIMITS, message="no limits are set: nothing may trade"))
    at = measure(state, state.limits, intent, blank.evidence)
    found = findings(at)
    reason = first_reason(found)
    checked = replace(blank, checks=tuple(finding.check for finding in found))
    return _deny(checked, state, reason) if reason is not None else _approve(checked, at, found)


def _approve(checked: Decision, at: Situation, found: tuple[Finding, ...]) -> Decision:
    intent, price = at.intent, at.worst_price
    if price is None or any(finding.reason for finding in found):
        raise AssertionError("an order without a price or with a reason against it must never be approved")
    terms = OrderTerms(
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        qty=at.qty,
        limit_price=intent.limit_price,
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
    return replace(
        checked,
        outcome=Outcome.APPROVED,
        terms=terms,
        reservation=reservation,
        headroom=_headroom_after(at),
        valid_until=checked.evidence.decided_at + at.limits.decision_ttl_ms * _MS,
    )


def _decide_cancel(blank: Decision, state: AccountState, intent: CancelIntent, fault: Reason | None) -> Decision:
    """Approve a cancel of one's own working order; a late cancel is as good as any, it can only cut risk."""
    if fault is not None and fault.code is not C.STALE_INTENT:
        return _deny(blank, state, fault)
    order = state.orders.get(intent.order_id)
    if order is None:
        message = f"there is no order {str(intent.order_id)[:80]!r} in this account today"
        return _deny(blank, state, Reason(code=C.ORDER_NOT_FOUND, message=message))
    if blank.agent not in (order.agent, OPERATOR):
        message = f"order {order.order_id} belongs to {order.agent}: agents cancel their own orders"
        return _deny(blank, state, Reason(code=C.NOT_YOUR_ORDER, message=message))
    if order.is_terminal:
        message = f"order {order.order_id} is {order.status} already"
        return _deny(blank, state, Reason(code=C.ORDER_NOT_WORKING, message=message))
    return replace(
        blank, outcome=Outcome.APPROVED, order_id=order.order_id, headroom=_headroom(state, blank.evidence)
    )


def _deny(blank: Decision, state: AccountState, reason: Reason) -> Decision:
    return replace(blank, order_id=None, reason=reason, headroom=_headroom(state, blank.evidence))


def _headroom(state: AccountState, evidence: Evidence) -> Headroom:
    """Derive what is left now, with nothing new approved."""
    limits = state.limits
    if limits is None:
        return Headroom()
    return _left(state, limits, evidence, (state.exposure, None, 0))


def _headroom_after(at: Situation) -> Headroom:
    """Derive what is left once the order counts."""
    taken = 0 if at.reduces else 1
    return _left(at.state, at.limits, at.evidence, (at.account_after, at.after.exposure_usd, taken))


def _left(
    state: AccountState, limits: LimitSet, evidence: Evidence, used: tuple[Exposure, Decimal | None, int]
) -> Headroom:
    exposure, symbol_usd, taken = used
    seen, peak, day = state.observed, state.day.peak_equity_usd, state.day
    submits = day.submits if day.trading_day == evidence.trading_day else 0
    loss = None if seen is None else limits.max_daily_loss_usd - (seen.last_equity_usd - seen.equity_usd)
    fall = None if seen is None or peak is None else limits.max_drawdown_usd - (peak - seen.equity_usd)
    return Headroom(
        position_usd=None if symbol_usd is None else _floor(limits.max_position_notional_usd - symbol_usd),
        gross_exposure_usd=_floor(limits.max_gross_exposure_usd - exposure.gross_usd),
        net_exposure_usd=_floor(limits.max_net_exposure_usd - exposure.net_usd),
        daily_loss_usd=None if loss is None else _floor(loss),
        drawdown_usd=None if fall is None else _floor(fall),
        daily_trades=max(limits.max_daily_trades - submits - taken, 0),
        orders_this_minute=orders_in_window(state.pace, evidence.decided_at) + taken,
    )


def _floor(left_usd: Decimal) -> Decimal:
    return max(left_usd, ZERO)
