"""Rows of the controls on the safety machinery: trips by trigger, the age of reconciliation, the watch of audit."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from msgspec.structs import replace

from contracts.audit import WatchReported
from contracts.broker import AccountObserved, BrokerLinkChanged, Reconciled, Throttled
from contracts.enums import Outcome, Side
from contracts.ids import AgentId, FillId, IntentId, OrderId, Symbol, order_id_for
from contracts.orders import OrderAcknowledged, OrderFilled, OrderRejected, OrderWorking
from contracts.reasons import DenialCode as C
from contracts.reasons import RejectionCode
from projections import account
from projections.account import AccountState
from services.risk.decider import decide
from tests.risk_world import (
    DEMO,
    NOW,
    PAPER,
    STAMP,
    body,
    evidence,
    limits_set,
    observed,
    quote,
    state_of,
    stated,
)
from tests.unit.risk.row import Row

D = Decimal
S = timedelta(seconds=1)
HOUR_MS = 3_600_000
OPEN = evidence(quote())


def throttled(at: datetime = NOW) -> Throttled:
    return Throttled(epoch=1, at=at, retry_after_ms=1000)


def link_lost(at: datetime = NOW) -> BrokerLinkChanged:
    return BrokerLinkChanged(epoch=1, at=at, up=False, detail="test")


def reconciled(at: datetime = NOW) -> Reconciled:
    return Reconciled(epoch=1, at=at, orders_compared=0, orders_adopted=0, fills_recovered=0)


def watched(at: datetime = NOW, *, blind: bool = False) -> WatchReported:
    return WatchReported(epoch=1, at=at, blind=blind, read_seq=1, detail="test")


def seen_at(equity: str, minutes: int, days: int = 0, last_equity: str = "100000") -> AccountObserved:
    """The account some minutes, and some exchange days, after the beginning."""
    at = NOW + timedelta(days=days, minutes=minutes)
    return replace(observed(equity, at, last_equity), trading_day=at.date())


class Desk:
    """An account of which an agent's orders are approved, and then rejected, accepted or filled."""

    def __init__(self, agent: str = DEMO, **limits: Any) -> None:
        self.agent = AgentId(agent)
        self.state: AccountState = state_of(limits_set(**({"account_age_max_ms": HOUR_MS} | limits)), observed())
        self.seq = 2
        self.orders = 0

    def take(self, event: Any) -> "Desk":
        self.seq += 1
        self.state = account.evolve(self.state, event, self.seq)
        return self

    def approve(self, at: datetime = NOW, **fields: Any) -> OrderId:
        self.orders += 1
        name = f"{self.agent}-{self.orders}"
        intent = stated(body(name, **({"qty": "1"} | fields)), name, self.agent)
        decision = decide(self.state, intent, evidence(quote(at=at), at=at), STAMP)
        assert decision.outcome is Outcome.APPROVED, decision.reason
        self.take(decision)
        return order_id_for(PAPER, self.agent, IntentId(name))

    def reject(self, at: datetime = NOW) -> "Desk":
        order_id = self.approve(at)
        self.acknowledge(order_id, at)
        event = OrderRejected(
            epoch=1, at=at, order_id=order_id, code=RejectionCode.FORBIDDEN, broker_code="403", message="no"
        )
        return self.take(event)

    def accept(self, at: datetime = NOW) -> "Desk":
        order_id = self.approve(at)
        return self.acknowledge(order_id, at).take(
            OrderWorking(epoch=1, at=at, order_id=order_id, broker_status="new")
        )

    def acknowledge(self, order_id: OrderId, at: datetime = NOW) -> "Desk":
        return self.take(
            OrderAcknowledged(epoch=1, at=at, order_id=order_id, broker_order_id=order_id, broker_status="accepted")
        )

    def fill(self, price: str = "100.00", at: datetime = NOW, **fields: Any) -> "Desk":
        """Fill an order of one share, or of the quantity that is given, at once and whole."""
        order_id = self.approve(at, **fields)
        terms = self.state.orders[order_id].terms
        return self.fill_part(order_id, str(terms.qty), price, at)

    def fill_part(self, order_id: OrderId, qty: str, price: str, at: datetime = NOW) -> "Desk":
        order = self.state.orders[order_id]
        fill = OrderFilled(
            epoch=1,
            at=at,
            order_id=order_id,
            fill_id=FillId(f"{order_id}-{self.seq}"),
            symbol=Symbol(order.terms.symbol),
            side=order.terms.side,
            qty=D(qty),
            price=D(price),
            cum_qty=order.filled_qty + D(qty),
            filled_at=at,
        )
        return self.take(fill)

    def lose(self, at: datetime = NOW) -> "Desk":
        """Buy a share and sell it a dollar lower."""
        return self.fill("100.00", at).fill("99.00", at, side=Side.SELL, order_type="market", limit_price=None)


def rejected(count: int) -> AccountState:
    desk = Desk(max_reject_streak=3, reject_window_ms=60_000)
    for _ in range(count):
        desk.reject()
    return desk.state


def lost(count: int) -> AccountState:
    desk = Desk(max_loss_streak=2)
    for _ in range(count):
        desk.lose()
    return desk.state


def holding_after_losses() -> AccountState:
    return Desk(max_loss_streak=2).fill(qty="5").lose().lose().state


def repeated(count: int) -> AccountState:
    desk = Desk(max_repeats=3, repeat_window_ms=60_000, trip_cooldown_ms=1)
    for _ in range(count):
        desk.fill()
    return desk.state


def slipped(count: int, price: str) -> AccountState:
    desk = Desk(max_slippage_bps=D(20))
    for _ in range(count):
        desk.fill(price, limit_price="101.00")
    return desk.state


def storm(count: int) -> AccountState:
    return state_of(limits_set(max_throttles_per_min=3), observed(), *[throttled(NOW + n * S) for n in range(count)])


def drops(count: int) -> AccountState:
    limits = limits_set(max_reconnects_per_hour=3)
    return state_of(limits, observed(), *[link_lost(NOW + n * S) for n in range(count)])


def fell(equity: str, **limits: Any) -> AccountState:
    return state_of(limits_set(max_drawdown_usd=D(9999), **limits), observed(), observed(equity))


def week(equity: str) -> AccountState:
    limits = limits_set(max_loss_week_usd=D(700))
    days = (seen_at("99700", 0), seen_at("99400", 0, 1, "99700"), seen_at(equity, 0, 2, "99400"))
    return state_of(limits, *days, replace(days[-1], at=NOW))


def aged(ms: int, **limits: Any) -> AccountState:
    at = NOW - timedelta(milliseconds=ms)
    return state_of(limits_set(**limits), observed(), reconciled(at), watched(at))


RECONCILIATION, AUDIT = {"reconciliation_age_max_ms": 1000}, {"audit_age_max_ms": 1000}
SLIP_BPS = sum(5 * [(D("100.90") - D("99.995")) / D("99.995") * 10_000], D(0)) / 5

PASSING = [
    ("reject streak", rejected(2), body(), OPEN),
    ("loss streak", lost(1), body(), OPEN),
    ("repeats", repeated(2), body(), OPEN),
    ("slippage", slipped(8, "100.19"), body(), OPEN),
    ("slippage of too few", slipped(4, "100.90"), body(), OPEN),
    ("throttles", storm(2), body(), OPEN),
    ("reconnects", drops(2), body(), OPEN),
    ("loss in five minutes", fell("99700.01", max_loss_5m_usd=D(300)), body(), OPEN),
    ("loss in an hour", fell("99700.01", max_loss_1h_usd=D(300)), body(), OPEN),
    ("loss in a week", week("99300.01"), body(), OPEN),
    ("age of reconciliation", aged(1000, **RECONCILIATION), body(), OPEN),
    ("age of audit", aged(1000, **AUDIT), body(), OPEN),
    ("no rails, no health", state_of(limits_set(), observed(), watched(blind=True)), body(), OPEN),
    ("tripped, an exit", holding_after_losses(), body(side="sell", qty="1"), OPEN),
]
ROWS: list[Row] = [
    Row(C.TRIPPED, rejected(3), body(), OPEN, "3", "3"),
    Row(C.TRIPPED, lost(2), body(), OPEN, "2", "2"),
    Row(C.TRIPPED, repeated(3), body(), OPEN, "3", "3"),
    Row(C.TRIPPED, slipped(5, "100.90"), body(), OPEN, "20", str(SLIP_BPS)),
    Row(C.TRIPPED, storm(3), body(), OPEN, "3", "3"),
    Row(C.TRIPPED, drops(3), body(), OPEN, "3", "3"),
    Row(C.TRIPPED, fell("99700", max_loss_5m_usd=D(300)), body(), OPEN, "300", "300"),
    Row(C.TRIPPED, fell("99700", max_loss_1h_usd=D(300)), body(), OPEN, "300", "300"),
    Row(C.TRIPPED, week("99300"), body(), OPEN, "700", "700"),
    Row(C.STALE_RECONCILIATION, aged(1001, **RECONCILIATION), body(), OPEN, "1000", "1001"),
    Row(C.STALE_RECONCILIATION, aged(-1001, **RECONCILIATION), body(), OPEN, "1000", "-1001"),
    Row(C.STALE_RECONCILIATION, state_of(limits_set(**RECONCILIATION), observed()), body(), OPEN),
    Row(C.STALE_AUDIT, aged(1001, **AUDIT), body(), OPEN, "1000", "1001"),
    Row(C.STALE_AUDIT, state_of(limits_set(**AUDIT), observed()), body(), OPEN),
    Row(C.STALE_AUDIT, state_of(limits_set(**AUDIT), observed(), watched(blind=True)), body(), OPEN),
]
