"""A small trading day in events: enough of every kind to tell stories about."""

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import msgspec

from contracts import subjects
from contracts.base import Event
from contracts.broker import PositionAdopted
from contracts.controls import EpochTaken, KillEngaged, KillReleased, LimitsSet
from contracts.decisions import Decision, Evidence, Headroom, Reservation
from contracts.enums import Action, KillMode, OrderType, Outcome, Role, Side
from contracts.ids import AccountId, AgentId, FillId, IntentId, OrderId, Symbol, order_id_for
from contracts.intents import CancelIntent, SubmitIntent
from contracts.limits import LimitSet
from contracts.orders import (
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRequested,
    OrderFilled,
    OrderTerms,
    OrderWorking,
)
from contracts.reasons import DenialCode, Reason

ACCOUNT = AccountId("paper")
AGENT = AgentId("demo")
AAPL = Symbol("AAPL")
OPEN = datetime(2026, 11, 23, 14, 30, tzinfo=UTC)

type Written = tuple[str, Event]


def order_id(intent_id: str, agent: AgentId = AGENT) -> OrderId:
    return order_id_for(ACCOUNT, agent, IntentId(intent_id))


def epoch_taken(role: Role, epoch: int) -> Written:
    event = EpochTaken(epoch=epoch, at=OPEN, role=role, owner="host/1/2", code_version="test")
    return subjects.epoch(ACCOUNT, role), event


def limits_set() -> Written:
    return subjects.control(ACCOUNT), LimitsSet(
        epoch=0, at=OPEN, version=1, limits=LimitSet(), by="configuration", reason="first"
    )


def kill(reason: str = "drill") -> Written:
    event = KillEngaged(epoch=0, at=OPEN, mode=KillMode.BLOCK_NEW, by="_operator", reason=reason)
    return subjects.control(ACCOUNT), event


def resume() -> Written:
    return subjects.control(ACCOUNT), KillReleased(epoch=0, at=OPEN, by="_operator", reason="over")


def approved(
    intent_id: str,
    *,
    qty: str = "10",
    side: Side = Side.BUY,
    agent: AgentId = AGENT,
    epoch: int = 1,
    after_s: int = 0,
) -> Written:
    terms = OrderTerms(
        symbol=AAPL, side=Side.BUY, order_type=OrderType.LIMIT, qty=Decimal(qty), limit_price=Decimal("189.12")
    )
    reservation = Reservation(
        symbol=AAPL,
        side=Side.BUY,
        qty=terms.qty,
        price_usd=Decimal("189.12"),
        notional_usd=terms.qty * Decimal("189.12"),
        reduces=False,
    )
    intent = SubmitIntent(
        intent_id=IntentId(intent_id),
        symbol=AAPL,
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=terms.qty,
        limit_price=terms.limit_price,
    )
    return _decision(
        intent_id,
        agent,
        1,
        action=Action.SUBMIT,
        outcome=Outcome.APPROVED,
        order_id=order_id(intent_id, agent),
        terms=terms,
        reservation=reservation,
        headroom=Headroom(position_usd=Decimal("8108.8")),
        intent=msgspec.Raw(msgspec.json.encode(intent)),
        at=OPEN + timedelta(seconds=after_s),
    )


def denied(intent_id: str, raw: bytes, *, action: Action | None = Action.SUBMIT, agent: AgentId = AGENT) -> Written:
    reason = Reason(code=DenialCode.MALFORMED, message="not an intent")
    return _decision(
        intent_id, agent, 1, action=action, outcome=Outcome.DENIED, reason=reason, intent=msgspec.Raw(raw), at=OPEN
    )


def cancel_approved(intent_id: str, target: OrderId, agent: AgentId = AGENT) -> Written:
    intent = CancelIntent(intent_id=IntentId(intent_id), order_id=target)
    return _decision(
        intent_id,
        agent,
        1,
        action=Action.CANCEL,
        outcome=Outcome.APPROVED,
        order_id=target,
        intent=msgspec.Raw(msgspec.json.encode(intent)),
        at=OPEN,
    )


def _decision(intent_id: str, agent: AgentId, epoch: int, *, at: datetime, **fields: Any) -> Written:
    event = Decision(
        epoch=epoch,
        at=at,
        correlation_id=intent_id,
        agent=agent,
        intent_id=IntentId(intent_id),
        evidence=Evidence(received_at=at, decided_at=at, trading_day=date(2026, 11, 23)),
        state_seq=1,
        limits_version=1,
        code_version="test",
        **fields,
    )
    return subjects.decision(ACCOUNT, agent, IntentId(intent_id)), event


def _order(intent_id: str, event: type[Event], agent: AgentId = AGENT, epoch: int = 1, **fields: Any) -> Written:
    order = order_id(intent_id, agent)
    made = event(epoch=epoch, at=OPEN, correlation_id=intent_id, order_id=order, **fields)  # type: ignore[call-arg]
    return subjects.order(ACCOUNT, agent, order), made


def acknowledged(intent_id: str) -> Written:
    return _order(intent_id, OrderAcknowledged, broker_order_id=f"b-{intent_id}", broker_status="accepted")


def working(intent_id: str) -> Written:
    return _order(intent_id, OrderWorking, broker_status="new")


def cancel_requested(intent_id: str) -> Written:
    return _order(intent_id, OrderCancelRequested, requested_by=AGENT)


def canceled(intent_id: str) -> Written:
    return _order(intent_id, OrderCanceled)


def filled(intent_id: str, fill_id: str, qty: str, cum_qty: str, price: str = "189", *, epoch: int = 1) -> Written:
    return _order(
        intent_id,
        OrderFilled,
        epoch=epoch,
        fill_id=FillId(fill_id),
        symbol=AAPL,
        side=Side.BUY,
        qty=Decimal(qty),
        price=Decimal(price),
        cum_qty=Decimal(cum_qty),
        filled_at=OPEN,
    )


def position_adopted(qty: str, price: str) -> Written:
    event = PositionAdopted(
        epoch=1, at=OPEN, symbol=AAPL, qty=Decimal(qty), price=Decimal(price), detail="held before"
    )
    return subjects.broker(ACCOUNT), event


def short_day() -> Iterable[Written]:
    """Limits, two owners, one order that fills in two parts, one cancelled, one denied, one fill that is void."""
    yield limits_set()
    yield epoch_taken(Role.RISK, 1)
    yield epoch_taken(Role.OMS, 1)
    yield position_adopted("5", "180")
    yield approved("i1")
    yield acknowledged("i1")
    yield approved("i2", qty="3", after_s=1)
    yield filled("i1", "x1", "4", "4")
    yield working("i2")
    yield filled("i1", "x1", "4", "4")
    yield cancel_approved("c2", order_id("i2"))
    yield cancel_requested("i2")
    yield filled("i1", "x2", "6", "10", "190")
    yield canceled("i2")
    yield denied("i3", b'{"type":"intent.submit.v1","symbol":"AAPL","qty":"ten"}', action=None)
    yield epoch_taken(Role.OMS, 2)
    yield filled("i2", "x9", "3", "3", epoch=1)
    yield kill()
    yield resume()
