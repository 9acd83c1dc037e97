"""Decisions as answers: pure translation from the project's language to the HTTP one."""

from decimal import Decimal
from typing import Any

import msgspec

from contracts.decisions import Decision, Headroom, checks_of
from contracts.enums import Outcome
from contracts.ids import AccountId, OrderId, Symbol, order_id_for
from contracts.values import DECIMALS_MAX, plain
from projections.account import AccountState
from projections.dry_runs import is_dry_run
from services.gateway.account_view import Decided
from services.gateway.answers import (
    CancelAllAnswer,
    CancelAnswer,
    IntentAnswer,
    IntentStory,
    OrderAnswer,
    PositionClose,
    ReplaceAnswer,
    RiskAnswer,
    RiskHeadroom,
    Status,
)
from services.gateway.clerk import Statement
from services.gateway.order_answers import order_answer

STATUS: dict[Outcome, Status] = {
    Outcome.APPROVED: "accepted",
    Outcome.DENIED: "rejected",
    Outcome.HELD: "held",
    Outcome.WOULD_APPROVE: "would_accept",
}
DUPLICATE = "duplicate: this intent was stated before, and this is its original answer"
REHEARSED = "dry run: nothing was sent and nothing is reserved; the order itself needs an intent id of its own"


def intent_answer(decided: Decided, *, repeated: bool) -> IntentAnswer:
    """Answer a submit."""
    seq, decision = decided
    return IntentAnswer(
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_id=decision.order_id,
        risk=_risk(decision),
        reason=decision.reason,
        reservation=decision.reservation,
        decision_seq=seq,
        held_until=decision.held_until,
        message=_message(decision, repeated=repeated),
    )


def intent_story(decided: Decided, state: AccountState, account: AccountId) -> IntentStory:
    """Tell everything that is known of an intent; of one that a person let go, the order that came of it."""
    seq, decision = decided
    order_id = decision.order_id if decision.outcome is not Outcome.HELD else _order_let_go(decision, state, account)
    return IntentStory(
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_id=order_id,
        risk=_risk(decision),
        reason=decision.reason,
        reservation=decision.reservation,
        decision_seq=seq,
        agent=decision.agent,
        action=decision.action,
        decided_at=decision.evidence.decided_at,
        state_seq=decision.state_seq,
        limits_version=decision.limits_version,
        valid_until=decision.valid_until,
        terms=decision.terms,
        checks=checks_of(decision),
        order_ids=decision.order_ids,
        held_until=decision.held_until,
        order=_order(order_id, state),
    )


def _order_let_go(decision: Decision, state: AccountState, account: AccountId) -> OrderId | None:
    order_id = order_id_for(account, decision.agent, decision.intent_id)
    return order_id if order_id in state.orders else None


def _message(decision: Decision, *, repeated: bool) -> str | None:
    """Say what is special about an answer: that nothing was sent, or that it is an old one."""
    said = ((is_dry_run(decision), REHEARSED), (repeated, DUPLICATE))
    return "; ".join(text for holds, text in said if holds) or None


def _order(order_id: OrderId | None, state: AccountState) -> OrderAnswer | None:
    order = None if order_id is None else state.orders.get(order_id)
    return None if order is None else order_answer(order, state.orders)


def replace_answer(decided: Decided, order_id: OrderId, state: AccountState, *, repeated: bool) -> ReplaceAnswer:
    """Answer a replace."""
    seq, decision = decided
    return ReplaceAnswer(
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_id=order_id,
        risk=_risk(decision),
        reason=decision.reason,
        reservation=decision.reservation,
        decision_seq=seq,
        held_until=decision.held_until,
        terms=decision.terms,
        order=_order(order_id, state),
        message=_message(decision, repeated=repeated),
    )


def cancel_all_answer(decided: Decided, *, repeated: bool) -> CancelAllAnswer:
    """Answer a cancel of all; a check on the record says when more are open than one decision names."""
    seq, decision = decided
    return CancelAllAnswer(
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_ids=decision.order_ids,
        more=bool(checks_of(decision)),
        reason=decision.reason,
        decision_seq=seq,
        message=_message(decision, repeated=repeated),
    )


def position_close(symbol: Symbol, statement: Statement) -> PositionClose:
    """Answer for one of several closes."""
    if statement.decided is None:
        return PositionClose(symbol=symbol, status="pending", intent_id=statement.intent_id)
    seq, decision = statement.decided
    return PositionClose(
        symbol=symbol,
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_id=decision.order_id,
        qty=None if decision.terms is None else decision.terms.qty,
        reason=decision.reason,
        decision_seq=seq,
    )


def cancel_answer(decided: Decided, order_id: OrderId, state: AccountState, *, repeated: bool) -> CancelAnswer:
    """Answer a cancel."""
    seq, decision = decided
    return CancelAnswer(
        status=STATUS[decision.outcome],
        intent_id=decision.intent_id,
        order_id=order_id,
        reason=decision.reason,
        decision_seq=seq,
        order=_order(order_id, state),
        message=_message(decision, repeated=repeated),
    )


def risk_headroom(left: Headroom, order_rate_limit: int | None) -> RiskHeadroom:
    """Write headroom under both sets of names; how many orders the minute still allows needs its limit."""
    used = left.orders_this_minute
    rate_left = None if order_rate_limit is None or used is None else max(order_rate_limit - used, 0)
    return RiskHeadroom(
        **{name: _short(getattr(left, name)) for name in Headroom.__struct_fields__},
        remaining_daily_trades=left.daily_trades,
        remaining_daily_loss=_number(left.daily_loss_usd),
        remaining_drawdown=_number(left.drawdown_usd),
        remaining_gross_exposure=_number(left.gross_exposure_usd),
        remaining_net_exposure=_number(left.net_exposure_usd),
        seed_orders_this_minute=used,
        order_rate_remaining=rate_left,
    )


def _risk(decision: Decision) -> RiskAnswer:
    passed = decision.reason is None
    return RiskAnswer(
        checks_passed=passed,
        failed_check=None if passed else _failed_check(decision),
        sizing=decision.sizing,
        headroom=risk_headroom(decision.headroom, _order_rate_limit(decision)),
    )


def _failed_check(decision: Decision) -> str | None:
    """Name the first control that failed; a malformed intent fails before any control, by its code alone."""
    failed = next((check.name for check in checks_of(decision) if not check.passed), None)
    return failed or (decision.reason.code.lower() if decision.reason is not None else None)


def _order_rate_limit(decision: Decision) -> int | None:
    """Find the rate that held when the decision was made, so that a repeat answers the same."""
    limit = next((check.limit for check in checks_of(decision) if check.name == "order_rate"), None)
    return None if limit is None else int(limit)


def _short(figure: Any) -> Any:
    """Leave out the many zeros that products of nine-decimal quantities and prices end in."""
    exponent = figure.as_tuple().exponent if isinstance(figure, Decimal) else 0
    return plain(figure) if isinstance(exponent, int) and exponent < -DECIMALS_MAX else figure


def _number(amount: Decimal | None) -> msgspec.Raw | None:
    return None if amount is None else msgspec.Raw(f"{amount:f}".encode())
