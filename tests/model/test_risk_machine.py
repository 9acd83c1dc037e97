"""Risk under any interleaving of intents, order events, controls, marks and delayed confirmations.

The machine plays the stream: decisions land late, others' events come between them, and risk reads behind.
Whatever happens, new risk stays within the limits, totals equal a sum from scratch, and the journal
alone gives all of it back.
"""

import os
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule

from contracts import codec
from contracts.broker import PositionAdopted
from contracts.codec import JournalEvent
from contracts.controls import EpochTaken, KillReleased
from contracts.decisions import Decision
from contracts.enums import KillMode, OrderStatus, Outcome, Role, Side
from contracts.ids import FillId, OrderId, Symbol
from contracts.orders import (
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderUnknown,
)
from contracts.reasons import RejectionCode
from contracts.values import ZERO
from projections.account import AccountState
from projections.exposure import Totals, with_working, worst
from projections.order_state import OrderState
from projections.state_codec import encode_state
from services.risk.core import RiskCore
from services.risk.rederive import Rederivation
from tests.risk_world import NOW, PAPER, body, evidence, kill, limits_set, observed, quote, stated

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
EXAMPLES, STEPS = (2_000, 80) if NIGHTLY else (60, 40)
CODE = "test"
SIDES = st.sampled_from(["buy", "sell"])
PRICES = st.integers(9_000, 11_000).map(lambda cents: Decimal(cents) / 100)
QTYS = st.integers(1, 60)


def recomputed(state: AccountState) -> Totals:
    """Sum exposure from orders and positions alone, the slow and plain way."""
    gross = long = short = ZERO
    for symbol, one in state.exposure.symbols.items():
        position = state.positions.get(symbol)
        bare = type(one)(position_qty=position.qty if position else ZERO, mark_price=one.mark_price)
        for side in Side:
            bare = with_working(bare, side, *still_working(state, symbol, side))
        case = worst(bare)
        gross, long, short = gross + case.exposure_usd, long + case.net_long_usd, short + case.net_short_usd
    return Totals(gross_usd=gross, long_usd=long, short_usd=short)


def still_working(state: AccountState, symbol: Symbol, side: Side) -> tuple[Decimal, Decimal]:
    """Sum what may still fill on one side, and its worst value; of exits that cancel one another only the largest."""
    groups: dict[str, list[tuple[Decimal, Decimal]]] = {}
    for order in state.orders.values():
        if (order.terms.symbol, order.terms.side) == (symbol, side):
            groups.setdefault(order.group_id or order.order_id, []).append(may_fill(order))
    tops = [(max(qty for qty, _ in group), max(usd for _, usd in group)) for group in groups.values()]
    return sum((qty for qty, _ in tops), ZERO), sum((usd for _, usd in tops), ZERO)


def may_fill(order: OrderState) -> tuple[Decimal, Decimal]:
    """Give what may still fill of one order under either of its terms, and its value at the worse price."""
    if order.is_terminal or order.status is OrderStatus.HELD:
        return ZERO, ZERO
    terms = [(order.terms.qty, order.worst_price)]
    if order.replacement is not None:
        terms.append((order.replacement.terms.qty, order.replacement.worst_price))
    left = max(max(qty for qty, _ in terms) - order.filled_qty, ZERO)
    return left, left * max(price for _, price in terms)


class RiskMachine(RuleBasedStateMachine):
    """One risk process, its stream, and a world that does what it likes."""

    orders = Bundle("orders")

    def __init__(self) -> None:
        super().__init__()
        self.journal: list[JournalEvent] = []
        self.landing: list[Decision] = []
        self.snapshot: bytes | None = None
        self.now = NOW
        self.intents = 0
        self.core = RiskCore(CODE)
        for event in (
            EpochTaken(epoch=1, at=NOW, role=Role.OMS, owner="o", code_version=CODE),
            limits_set(max_position_notional_usd=Decimal(5_000), max_gross_exposure_usd=Decimal(8_000)),
            observed(),
            EpochTaken(epoch=1, at=NOW, role=Role.RISK, owner="r", code_version=CODE),
        ):
            self.journal.append(event)
            self.core.take(len(self.journal), event)
        self.core.go_live(1)

    def write(self, event: JournalEvent) -> None:
        self.journal.append(event)

    @rule(
        target=orders,
        side=SIDES,
        qty=QTYS,
        price=PRICES,
        market=st.booleans(),
        symbol=st.sampled_from(["AAPL", "SPY"]),
    )
    def state_an_intent(self, side: str, qty: int, price: Decimal, market: bool, symbol: str) -> Any:  # noqa: FBT001
        self.now += timedelta(milliseconds=500)
        self.intents += 1
        intent_id = f"i{self.intents}"
        terms = {"order_type": "market", "limit_price": None} if market else {"limit_price": str(price)}
        content = body(intent_id, side=side, qty=str(qty), symbol=symbol, **terms)
        seen = evidence(quote(str(price - Decimal("0.01")), str(price), at=self.now), at=self.now)
        decision = self.core.decide(stated(content, intent_id), seen)
        self.landing.append(decision)
        if decision.outcome is not Outcome.APPROVED:
            return multiple()
        self._within_limits(decision)
        return decision.order_id

    def _within_limits(self, decision: Decision) -> None:
        """Hold the books against every limit that a decision with new risk was made under."""
        state, reservation = self.core.state, decision.reservation
        assert reservation is not None
        assert state.limits is not None
        if reservation.reduces:
            return
        case = worst(state.exposure.of(reservation.symbol))
        assert case.side_usd(reservation.side) <= state.limits.max_position_notional_usd
        assert state.exposure.totals.gross_usd <= state.limits.max_gross_exposure_usd
        assert state.exposure.totals.net_side_usd(reservation.side) <= state.limits.max_net_exposure_usd

    @precondition(lambda self: self.landing)
    @rule()
    def a_decision_lands(self) -> None:
        decision = self.landing.pop(0)
        self.write(decision)
        self.core.stands(decision, len(self.journal))

    @rule(count=st.integers(1, 5))
    def risk_reads_on(self, count: int) -> None:
        for event in self.journal[self.core.read_seq : self.core.read_seq + count]:
            self.core.take(self.core.read_seq + 1, event)

    @rule(order_id=orders, kind=st.sampled_from(["ack", "unknown", "asked", "refused", "gone", "late", "rejected"]))
    def an_order_moves(self, order_id: OrderId, kind: str) -> None:
        stamp: dict[str, Any] = {"epoch": 1, "at": self.now, "order_id": order_id}
        made = {
            "ack": lambda: OrderAcknowledged(**stamp, broker_order_id="b", broker_status="new"),
            "unknown": lambda: OrderUnknown(**stamp, detail="timeout"),
            "asked": lambda: OrderCancelRequested(**stamp, requested_by="demo"),
            "refused": lambda: OrderCancelRejected(**stamp, detail="too late"),
            "gone": lambda: OrderCanceled(**stamp),
            "late": lambda: OrderExpired(**stamp),
            "rejected": lambda: OrderRejected(**stamp, code=RejectionCode.FORBIDDEN, broker_code="1", message="no"),
        }
        self.write(made[kind]())

    @rule(order_id=orders, qty=QTYS, price=PRICES, fill_id=st.integers(1, 40))
    def an_order_fills(self, order_id: OrderId, qty: int, price: Decimal, fill_id: int) -> None:
        terms = self.core.state.orders[order_id].terms
        fill = OrderFilled(
            epoch=1,
            at=self.now,
            order_id=order_id,
            fill_id=FillId(f"f{fill_id}"),
            symbol=terms.symbol,
            side=terms.side,
            qty=Decimal(qty) / 2,
            price=price,
            cum_qty=Decimal(qty),
            filled_at=self.now,
        )
        self.write(fill)

    @rule(equity=st.integers(98_000, 101_000))
    def the_broker_reports_the_account(self, equity: int) -> None:
        self.write(observed(str(equity), at=self.now))

    @rule(mode=st.sampled_from(list(KillMode)))
    def somebody_kills(self, mode: KillMode) -> None:
        self.write(kill(mode))

    @rule()
    def an_operator_releases(self) -> None:
        self.write(KillReleased(epoch=0, at=self.now, by="op", reason="test"))

    @rule(usd=st.integers(0, 9_000))
    def limits_change(self, usd: int) -> None:
        self.write(limits_set(2, max_position_notional_usd=Decimal(usd), max_net_exposure_usd=Decimal(usd)))

    @rule(qty=st.integers(-20, 20), price=PRICES)
    def shares_appear(self, qty: int, price: Decimal) -> None:
        found = PositionAdopted(epoch=1, at=self.now, symbol=Symbol("SPY"), qty=Decimal(qty), price=price, detail="?")
        self.write(found)

    @precondition(lambda self: not self.landing)
    @rule()
    def risk_keeps_a_snapshot(self) -> None:
        self.snapshot = self.core.save()

    @invariant()
    def totals_equal_a_sum_from_scratch(self) -> None:
        assert self.core.state.exposure.totals == recomputed(self.core.state)

    def teardown(self) -> None:
        while self.landing:
            self.a_decision_lands()
        while self.core.read_seq < len(self.journal):
            self.risk_reads_on(100)
        live = encode_state(self.core.state)
        assert encode_state(self._replayed(RiskCore(CODE))) == live
        again = Rederivation(PAPER)
        for seq, event in enumerate(self.journal, 1):
            assert list(again.take(seq, event, codec.encode(event))) == []
        assert encode_state(again.finish()) == live
        if self.snapshot is not None:
            resumed = RiskCore(CODE)
            resumed.load(self.snapshot)
            assert encode_state(self._replayed(resumed)) == live

    def _replayed(self, core: RiskCore) -> AccountState:
        for seq, event in enumerate(self.journal[core.read_seq :], core.read_seq + 1):
            core.take(seq, codec.decode_event(codec.encode(event)))
        core.go_live(2)
        return core.state


TestRisk = RiskMachine.TestCase
TestRisk.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not NIGHTLY,
    suppress_health_check=list(HealthCheck),
)
