"""A stand-in for risk: answers every intent at once, by rules simple enough to read in a test."""

from collections.abc import AsyncGenerator
from datetime import datetime
from decimal import Decimal

import msgspec

from contracts import subjects
from contracts.codec import decode_intent
from contracts.decisions import Check, Decision, Evidence, Headroom, Reservation
from contracts.enums import Action, Outcome
from contracts.ids import OPERATOR, OrderId, order_id_for
from contracts.intents import CancelIntent, SubmitIntent
from contracts.orders import OrderTerms
from contracts.reasons import DenialCode, Reason
from contracts.values import is_exact
from projections.account import EMPTY, AccountState, evolve
from services.runtime.ports import Journal, Received

QTY_MAX = Decimal(100)
PRICE = Decimal("189.12")
HEADROOM = Headroom(
    gross_exposure_usd=Decimal("48108.80"),
    net_exposure_usd=Decimal("23108.80"),
    daily_loss_usd=Decimal("800.50"),
    drawdown_usd=Decimal("300.10"),
    daily_trades=95,
    orders_this_minute=3,
)


class FakeRisk:
    """Approves submits of up to 100 shares and cancels of one's own orders; denies the rest."""

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
        stated = subjects.parse_intent(received.subject)
        intent = decode_intent(received.body)
        blank = Decision(
            epoch=self._epoch,
            at=received.at,
            agent=stated.agent,
            intent_id=stated.intent_id,
            action=Action.CANCEL if isinstance(intent, CancelIntent) else Action.SUBMIT,
            outcome=Outcome.DENIED,
            headroom=HEADROOM,
            evidence=_evidence(received.at),
            state_seq=0,
            limits_version=1,
            code_version="test",
            intent_seq=received.seq,
            intent=msgspec.Raw(received.body),
        )
        if isinstance(intent, CancelIntent):
            return self._cancel(blank, intent)
        assert isinstance(intent, SubmitIntent)
        return _submit(blank, intent, order_id_for(stated.account, stated.agent, stated.intent_id))

    def _cancel(self, blank: Decision, intent: CancelIntent) -> Decision:
        order = self._state.orders.get(intent.order_id)
        if order is None:
            return denied(blank, DenialCode.ORDER_NOT_FOUND)
        if blank.agent not in (order.agent, OPERATOR):
            return denied(blank, DenialCode.NOT_YOUR_ORDER)
        return msgspec.structs.replace(blank, outcome=Outcome.APPROVED, order_id=order.order_id)


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
        return msgspec.structs.replace(too_large, checks=checks)
    price = intent.limit_price or PRICE
    return msgspec.structs.replace(
        blank,
        outcome=Outcome.APPROVED,
        order_id=order_id,
        checks=(_rate(),),
        terms=OrderTerms(
            symbol=intent.symbol,
            side=intent.side,
            order_type=intent.order_type,
            qty=qty,
            limit_price=intent.limit_price,
        ),
        reservation=Reservation(
            symbol=intent.symbol,
            side=intent.side,
            qty=qty,
            price_usd=price,
            notional_usd=qty * price,
            reduces=False,
        ),
    )


def _rate() -> Check:
    return Check(name="order_rate", passed=True, value=Decimal(3), limit=Decimal(10))


def _evidence(at: datetime) -> Evidence:
    return Evidence(received_at=at, decided_at=at, trading_day=at.date())
