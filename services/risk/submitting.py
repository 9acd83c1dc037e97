"""The answer to what asks for a new order: as stated, or to close a position at the market."""

from msgspec.structs import replace

from contracts.decisions import Check, Evidence, Headroom, Reservation
from contracts.enums import Action, OrderClass, Outcome, Side
from contracts.ids import OrderId, order_id_for
from contracts.intents import CloseIntent, SubmitIntent
from contracts.limits import LimitSet
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import ZERO
from projections.account import AccountState
from projections.headroom import Used, headroom
from projections.standing import Whose
from services.risk.answer import MS, Answer, Stated, no
from services.risk.checks import apply_all
from services.risk.conditions import unmet
from services.risk.exit_form import market_entry_fault
from services.risk.holding import held_back
from services.risk.order_form import is_whole
from services.risk.said import said
from services.risk.situation import Situation, measure, usable
from services.risk.sizing import advice
from services.risk.terms import closing_terms, stated_terms

C = DenialCode


def answer_submit(
    state: AccountState, limits: LimitSet, stated: Stated, evidence: Evidence, intent: SubmitIntent
) -> Answer:
    """Answer a wish for one order."""
    whose = Whose(stated.closes_for or stated.agent, intent.meta.strategy, intent.symbol)
    at = measure(state, limits, stated_terms(intent), evidence, whose)
    fault = _fault_here(at)
    if fault is not None:
        return no(Action.SUBMIT, fault)
    answer = _judge(at, stated, intent)
    sizing = advice(at, answer)
    return answer if sizing is None else replace(answer, sizing=sizing)


def answer_close(
    state: AccountState, limits: LimitSet, stated: Stated, evidence: Evidence, intent: CloseIntent
) -> Answer:
    """Answer a wish to close a position; nothing but too few free shares stands in its way."""
    whose = Whose(stated.agent, intent.meta.strategy, intent.symbol)
    one = usable(state, whose)
    if not one.position_qty:
        return no(Action.SUBMIT, Reason(code=C.NO_POSITION, message=f"nothing is held in {intent.symbol}"))
    terms = closing_terms(intent, one)
    if not one.reducible_qty(terms.side):
        return no(Action.SUBMIT, _all_held(intent, terms))
    if not terms.qty:
        return no(Action.SUBMIT, said(C.INVALID_QTY, f"{intent.percent} percent comes to no share: state more"))
    return _judge(measure(state, limits, terms, evidence, whose), stated, intent)


def _all_held(intent: CloseIntent, terms: OrderTerms) -> Reason:
    """Say that exits which work already hold the shares: a second one could turn the position around."""
    message = (
        f"working {terms.side} orders hold all of the position in {intent.symbol}: cancel them first, "
        f"or let them close it (intent.cancel_all.v1 takes the symbol)"
    )
    return Reason(code=C.CROSSES_ZERO, message=message, limit=ZERO, headroom=ZERO, max_acceptable_qty=ZERO)


def _judge(at: Situation, stated: Stated, intent: SubmitIntent | CloseIntent) -> Answer:
    broken = unmet(at, intent)
    if broken is not None:
        return no(Action.SUBMIT, broken)
    checks, reason = apply_all(at)
    if reason is not None:
        return no(Action.SUBMIT, reason, checks)
    held = held_back(at, Action.SUBMIT, stated, checks)
    if held is not None:
        return held
    order_id = order_id_for(stated.account, stated.agent, stated.intent_id)
    return approval(at, Action.SUBMIT, order_id, checks)


def _fault_here(at: Situation) -> Reason | None:
    """Find what is wrong with the form of an order only because of what is held or what the market is."""
    terms, held = at.terms, at.held.position_qty
    is_against = held > 0 if terms.side is Side.SELL else held < 0
    if terms.order_class is not OrderClass.SIMPLE:
        if terms.order_class is OrderClass.OCO and not is_against:
            message = (
                f"an oco order leaves a position, and none is held in {terms.symbol} that this would {terms.side}"
            )
            return Reason(code=C.NO_POSITION, message=message)
        return market_entry_fault(terms, at.quote)
    if terms.side is Side.SELL and not is_against and (terms.notional_usd is not None or not is_whole(terms.qty)):
        message = f"{held} held: what is not held is sold short in whole shares, and not for an amount"
        return said(C.INVALID_QTY, message, terms.qty)
    return None


def approval(at: Situation, action: Action, order_id: OrderId, checks: tuple[Check, ...]) -> Answer:
    """Approve, and set aside what the order may come to."""
    price, notional_usd = at.worst_price, at.notional_usd
    if price is None or notional_usd is None:
        raise AssertionError("an order whose worst price is not known must never be approved")
    terms = at.terms
    reservation = Reservation(
        symbol=terms.symbol,
        side=terms.side,
        qty=terms.qty,
        price_usd=price,
        notional_usd=notional_usd if at.order is None else terms.qty * price,
        reduces=at.reduces,
    )
    return Answer(
        action=action,
        outcome=Outcome.APPROVED,
        order_id=order_id,
        strategy=at.whose.strategy,
        terms=terms,
        reservation=reservation,
        checks=checks,
        headroom=_headroom_after(at),
        valid_until=at.evidence.decided_at + at.limits.decision_ttl_ms * MS,
    )


def _headroom_after(at: Situation) -> Headroom:
    """Derive what is left once the order counts; a replace counts in the rate, and is no new order of the day."""
    counts = 0 if at.reduces else 1
    used = Used(at.totals_after, at.after.exposure_usd, counts, counts if at.order is None else 0, at.limits)
    return headroom(at.state, at.evidence.decided_at, at.evidence.trading_day, used)
