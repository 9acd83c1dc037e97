"""A stand-in for risk: answers every intent at once, by rules simple enough to read in a test."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec

from contracts import subjects
from contracts.codec import JournalEvent, decode_intent
from contracts.decisions import Check, Decision, Evidence, Headroom, Reservation, written
from contracts.enums import Action, OrderType, Outcome, Side
from contracts.ids import OPERATOR, OrderId, order_id_for
from contracts.intents import (
    ApprovalIntent,
    CancelAllIntent,
    CancelIntent,
    CloseIntent,
    ReplaceIntent,
    SubmitIntent,
)
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import is_exact
from projections.account import EMPTY, AccountState, evolve
from projections.held import held_name
from services.runtime.ports import Journal, Received

QTY_MAX = Decimal(100)
QTY_HELD = Decimal(99)
PRICE = Decimal("189.12")
HEADROOM = Headroom(
    gross_exposure_usd=Decimal("48108.80"),
    net_exposure_usd=Decimal("23108.80"),
    daily_loss_usd=Decimal("800.50"),
    drawdown_usd=Decimal("300.10"),
    daily_trades=95,
    orders_this_minute=3,
)


_ACTIONS = {
    SubmitIntent: Action.SUBMIT,
    CloseIntent: Action.SUBMIT,
    CancelIntent: Action.CANCEL,
    CancelAllIntent: Action.CANCEL_ALL,
    ReplaceIntent: Action.REPLACE,
    ApprovalIntent: Action.SUBMIT,
}


class FakeRisk:
    """Approves submits of up to 98 shares, changes of one's own orders, closes; holds or denies the rest."""

    def __init__(self, journal: Journal, *, epoch: int = 0) -> None:
        self._journal = journal
        self._epoch = epoch
        self._state: AccountState = EMPTY

    async def answer_all(self, intents: AsyncGenerator[Received, None]) -> None:
        async for received in intents:
            await self.answer(received)

    async def answer(self, received: Received) -> int:
        decision = self.decide(received)
        stated = subjects.parse_intent(received.subject)
        subject = subjects.decision(stated.account, stated.agent, stated.intent_id)
        seq = await self._journal.append(subject, decision, expected_seq=0)
        self._state = evolve(self._state, decision, seq)
        return seq

    def decide(self, received: Received) -> Decision:
        decision = self._decide(received)
        if decision.outcome is not Outcome.APPROVED or not is_dry_run(received.body):
            return decision
        return msgspec.structs.replace(decision, outcome=Outcome.WOULD_APPROVE, order_id=None)

    def _decide(self, received: Received) -> Decision:
        stated = subjects.parse_intent(received.subject)
        intent = decode_intent(received.body)
        blank = Decision(
            epoch=self._epoch,
            at=received.at,
            agent=stated.agent,
            intent_id=stated.intent_id,
            action=_ACTIONS[type(intent)],
            outcome=Outcome.DENIED,
            headroom=HEADROOM,
            evidence=_evidence(received.at),
            state_seq=0,
            limits_version=1,
            code_version="test",
            intent_seq=received.seq,
            intent=msgspec.Raw(received.body),
        )
        order_id = order_id_for(stated.account, stated.agent, stated.intent_id)
        match intent:
            case SubmitIntent():
                return _submit(blank, intent, order_id)
            case CloseIntent():
                return self._close(blank, intent, order_id)
            case CancelAllIntent():
                mine = sorted(one.order_id for one in self._state.orders.values() if one.agent == stated.agent)
                return msgspec.structs.replace(blank, outcome=Outcome.APPROVED, order_ids=tuple(mine))
            case CancelIntent() | ReplaceIntent():
                return self._change(blank, intent)
            case ApprovalIntent():
                return self._approve(blank, intent, order_id_for(stated.account, intent.agent, intent.held_intent_id))

    def _approve(self, blank: Decision, intent: ApprovalIntent, order_id: OrderId) -> Decision:
        held = self._state.held.get(held_name(intent.agent, intent.held_intent_id))
        if held is None:
            return denied(blank, DenialCode.NOT_HELD)
        if blank.agent != OPERATOR and (intent.approve or blank.agent != held.agent):
            return denied(blank, DenialCode.NOT_YOUR_ORDER)
        said = msgspec.structs.replace(
            blank, outcome=Outcome.APPROVED, on_behalf_of=held.agent, correlation_id=held.intent_id
        )
        if not intent.approve:
            return msgspec.structs.replace(said, action=Action.DISMISS)
        reservation = _reservation(held.terms, PRICE)
        return msgspec.structs.replace(said, order_id=order_id, terms=held.terms, reservation=reservation)

    def _change(self, blank: Decision, intent: CancelIntent | ReplaceIntent) -> Decision:
        order = self._state.orders.get(intent.order_id)
        if order is None:
            return denied(blank, DenialCode.ORDER_NOT_FOUND)
        if blank.agent not in (order.agent, OPERATOR):
            return denied(blank, DenialCode.NOT_YOUR_ORDER)
        approved = msgspec.structs.replace(blank, outcome=Outcome.APPROVED, order_id=order.order_id)
        if isinstance(intent, CancelIntent):
            return approved
        terms = msgspec.structs.replace(order.terms, qty=intent.qty or order.terms.qty)
        return msgspec.structs.replace(approved, terms=terms, reservation=_reservation(terms, PRICE))

    def _close(self, blank: Decision, intent: CloseIntent, order_id: OrderId) -> Decision:
        held = self._state.positions.get(intent.symbol)
        if held is None or not held.qty:
            return denied(blank, DenialCode.NO_POSITION)
        qty = intent.qty or held.qty * (intent.percent or 100) / 100
        terms = OrderTerms(symbol=intent.symbol, side=Side.SELL, order_type=OrderType.MARKET, qty=qty)
        return msgspec.structs.replace(
            blank,
            outcome=Outcome.APPROVED,
            order_id=order_id,
            terms=terms,
            reservation=_reservation(terms, PRICE),
        )

    def hear(self, event: JournalEvent) -> None:
        """Fold what others wrote."""
        self._state = evolve(self._state, event, 0)


def is_dry_run(body: bytes) -> bool:
    return getattr(decode_intent(body), "dry_run", False)


def denied(blank: Decision, code: DenialCode, **numbers: Decimal) -> Decision:
    return msgspec.structs.replace(blank, reason=Reason(code=code, message=f"denied: {code}", **numbers))


def _submit(blank: Decision, intent: SubmitIntent, order_id: OrderId) -> Decision:
    qty = intent.qty
    if qty is None or not is_exact(qty) or qty <= 0:
        return denied(blank, DenialCode.INVALID_QTY)
    if qty > QTY_MAX:
        checks = (_rate(), Check(name="order_notional", passed=False, value=qty * PRICE, limit=QTY_MAX * PRICE))
        too_large = denied(
            blank, DenialCode.MAX_ORDER_NOTIONAL, limit=QTY_MAX, attempted=qty, max_acceptable_qty=QTY_MAX
        )
        return msgspec.structs.replace(too_large, checks=written(checks))
    terms = OrderTerms(
        symbol=intent.symbol,
        side=intent.side,
        order_type=intent.order_type,
        qty=qty,
        limit_price=intent.limit_price,
        order_class=intent.order_class,
        take_profit=intent.take_profit,
        stop_loss=intent.stop_loss,
    )
    if qty >= QTY_HELD:
        waits = denied(blank, DenialCode.NEEDS_APPROVAL, attempted=qty * PRICE)
        until = blank.at + timedelta(minutes=15)
        return msgspec.structs.replace(waits, outcome=Outcome.HELD, terms=terms, held_until=until)
    return msgspec.structs.replace(
        blank,
        outcome=Outcome.APPROVED,
        order_id=order_id,
        checks=written((_rate(),)),
        terms=terms,
        reservation=_reservation(terms, intent.limit_price or PRICE),
    )


def _reservation(terms: OrderTerms, price: Decimal) -> Reservation:
    return Reservation(
        symbol=terms.symbol,
        side=terms.side,
        qty=terms.qty,
        price_usd=price,
        notional_usd=terms.qty * price,
        reduces=False,
    )


def _rate() -> Check:
    return Check(name="order_rate", passed=True, value=Decimal(3), limit=Decimal(10))


def _evidence(at: datetime) -> Evidence:
    return Evidence(received_at=at, decided_at=at, trading_day=at.date())
