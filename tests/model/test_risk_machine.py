"""Risk under any interleaving of intents, order events, controls, layers, mandates, marks and late confirmations.

The machine plays the stream: decisions land late, others' events come between them, and risk reads behind.
Whatever happens, new risk stays within the limits of every layer, deciding twice gives the same bytes, running
figures equal a sum from scratch, and the journal alone gives all of it back.
"""

import os
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, invariant, multiple, precondition, rule
from msgspec.structs import replace

from contracts import codec
from contracts.broker import PositionAdopted
from contracts.codec import JournalEvent
from contracts.controls import EpochTaken, KillReleased, LayerSet, MandateGranted, MandateRevoked
from contracts.decisions import Decision
from contracts.enums import KillMode, Outcome, Role
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.limits import LimitOverride, Sector
from contracts.mandates import Mandate, MandateSide
from contracts.orders import (
    OrderAcknowledged,
    OrderCanceled,
    OrderCancelRejected,
    OrderCancelRequested,
    OrderExpired,
    OrderFilled,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderUnknown,
    OrderWorking,
)
from contracts.reasons import RejectionCode
from contracts.scopes import Scope
from contracts.values import ZERO
from projections.account import AccountState
from projections.state_codec import encode_state
from services.risk.core import RiskCore
from services.risk.decider import Stamp, decide
from services.risk.rederive import Rederivation
from tests.model.limits_held import assert_within
from tests.model.naive_ledger import (
    assert_books_agree,
    assert_resting_agrees,
    assert_spending_agrees,
    recomputed,
    spent_by,
)
from tests.risk_world import NOW, PAPER, body, evidence, intent, kill, limits_set, observed, quote, stated

NIGHTLY = os.environ.get("HYPOTHESIS_PROFILE") == "nightly"
EXAMPLES, STEPS = (2_000, 80) if NIGHTLY else (100, 60)
CODE = "test"
SIDES = st.sampled_from(["buy", "sell"])
PRICES = st.integers(9_000, 11_000).map(lambda cents: Decimal(cents) / 100)
QTYS = st.integers(1, 60)
AGENTS = st.sampled_from(["ada", "bob", "_operator"])
STRATEGIES = st.sampled_from([None, "momo"])
SYMBOLS = st.sampled_from(["AAPL", "SPY"])
SCOPES = st.sampled_from(["firm", "account", "agent.ada", "agent.bob", "strategy.momo", "symbol.AAPL"])
TECH = (Sector(name="tech", symbols=(Symbol("AAPL"), Symbol("SPY"), Symbol("MSFT"))),)
USD = st.integers(0, 9_000).map(Decimal)
RAILS = st.fixed_dictionaries(
    {},
    optional={
        "max_turnover_usd": st.integers(5_000, 60_000).map(Decimal),
        "max_open_orders": st.integers(1, 12),
        "max_concentration_pct": st.integers(1, 8).map(Decimal),
        "max_leverage": st.sampled_from([Decimal("0.05"), Decimal("0.1")]),
        "max_sector_exposure_usd": st.integers(2_000, 9_000).map(Decimal),
        "min_buying_power_usd": st.integers(90_000, 99_000).map(Decimal),
        "min_cash_usd": st.integers(90_000, 99_000).map(Decimal),
        "self_trade_prevented": st.booleans(),
        "message_rate_per_min": st.integers(1, 60),
        "replace_rate_per_min": st.integers(1, 10),
        "max_duplicates": st.integers(0, 2),
    },
)


def _kill(_: Any) -> JournalEvent:
    return kill(KillMode.BLOCK_NEW)


def _release(machine: Any) -> JournalEvent:
    return KillReleased(epoch=0, at=machine.now, by="op", reason="test")


def _limits(usd: Decimal, rails: dict[str, Any]) -> Callable[[Any], JournalEvent]:
    wide = {"order_rate_per_min": 1_000, "duplicate_window_ms": 3_000, "sectors": TECH}
    values = wide | rails | {"max_position_notional_usd": usd, "max_net_exposure_usd": usd}
    return lambda machine: limits_set(machine.version, **values)


def _layer(scope: str, figures: dict[str, Decimal], *, gone: bool) -> Callable[[Any], JournalEvent]:
    kept = {"max_position_notional_usd"} if scope.startswith("symbol") else figures.keys()
    limits = LimitOverride(**{name: usd for name, usd in figures.items() if name in kept})
    said = {"scope": Scope(scope), "limits": None if gone else limits, "by": "op", "reason": "test"}
    return lambda machine: LayerSet(epoch=0, at=machine.now, version=machine.version, **said)


def _mandate(agent: str, budget: Decimal | None, symbols: str | None) -> Callable[[Any], JournalEvent]:
    mandate = Mandate(
        expires_at=NOW + timedelta(seconds=30),
        symbols=None if symbols is None else (Symbol(symbols),),
        sides=tuple(MandateSide),
        budget_per_day_usd=budget,
    )
    said = {"agent": AgentId(agent), "mandate": mandate, "by": "op", "reason": "test"}
    return lambda machine: MandateGranted(epoch=0, at=machine.now, version=machine.version, **said)


def _revoked(agent: str) -> Callable[[Any], JournalEvent]:
    said = {"agent": AgentId(agent), "by": "op", "reason": "test"}
    return lambda machine: MandateRevoked(epoch=0, at=machine.now, version=machine.version, **said)


def _shares(qty: int, price: Decimal) -> Callable[[Any], JournalEvent]:
    found = {"symbol": Symbol("SPY"), "qty": Decimal(qty), "price": price, "detail": "?"}
    return lambda machine: PositionAdopted(epoch=1, at=machine.now, **found)


def wishes_of(agents: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    """A few plain orders at once."""
    one = st.tuples(agents, STRATEGIES, SIDES, QTYS, PRICES, SYMBOLS, st.booleans())
    return st.lists(one, min_size=1, max_size=4)


TRADERS = st.sampled_from(["ada", "bob"])
FIGURES = st.fixed_dictionaries(
    {}, optional=dict.fromkeys(("max_position_notional_usd", "max_gross_exposure_usd", "max_turnover_usd"), USD)
)
CONTROLS = st.one_of(
    st.just(_release),
    st.just(_kill),
    st.builds(_limits, USD, RAILS),
    st.builds(_limits, st.just(Decimal(9_000)), RAILS),
    st.builds(_layer, SCOPES, FIGURES, gone=st.booleans()),
    st.builds(_mandate, TRADERS, st.none() | USD, st.none() | SYMBOLS),
    st.builds(_revoked, TRADERS),
    st.builds(_shares, st.integers(-20, 20), PRICES),
)


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
        self.version = 1
        self.turnover_usd = ZERO
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

    def decided(self, content: bytes, intent_id: str, agent: str, price: Decimal, symbol: str = "AAPL") -> Decision:
        """Decide twice on the same state, with the same bytes, and hold the books against the limits after it."""
        market = replace(quote(str(price - Decimal("0.01")), str(price), at=self.now), symbol=Symbol(symbol))
        seen = evidence(market, at=self.now)
        who, before = stated(content, intent_id, agent), self.core.state
        first = decide(before, who, seen, Stamp(self.core.epoch, CODE, self.core.read_seq))
        decision = self.core.decide(who, seen)
        assert codec.encode(decision) == codec.encode(first)
        self.landing.append(decision)
        self.turnover_usd += spent_by(decision, before)
        if decision.outcome is Outcome.APPROVED:
            assert_within(self.core.state, decision)
        return decision

    def next_id(self) -> str:
        self.now += timedelta(milliseconds=500)
        self.intents += 1
        return f"i{self.intents}"

    @rule(target=orders, wishes=wishes_of(AGENTS))
    def intents_are_stated(self, wishes: list[tuple[str, str | None, str, int, Decimal, str, bool]]) -> Any:
        approved: list[OrderId] = []
        for agent, strategy, side, qty, price, symbol, at_market in wishes:
            intent_id = self.next_id()
            terms = {"order_type": "market", "limit_price": None} if at_market else {"limit_price": str(price)}
            content = body(intent_id, side=side, qty=str(qty), symbol=symbol, meta={"strategy": strategy}, **terms)
            decision = self.decided(content, intent_id, agent, price, symbol)
            if decision.outcome is Outcome.APPROVED and decision.order_id is not None:
                approved.append(decision.order_id)
        return multiple(*approved)

    @rule(order_id=orders, qty=st.none() | QTYS, limit=st.none() | PRICES, price=PRICES)
    def new_terms_are_asked_for(
        self, order_id: OrderId, qty: int | None, limit: Decimal | None, price: Decimal
    ) -> None:
        intent_id = self.next_id()
        fields: dict[str, Any] = {"order_id": order_id, "meta": {}}
        fields |= {} if qty is None else {"qty": str(qty)}
        fields |= {} if limit is None else {"limit_price": str(limit)}
        symbol = self.core.state.orders[order_id].terms.symbol
        self.decided(intent("replace", intent_id, **fields), intent_id, "_operator", price, symbol)

    @rule(order_id=orders, all_of_them=st.booleans(), agent=AGENTS)
    def a_cancel_is_asked_for(self, order_id: OrderId, all_of_them: bool, agent: str) -> None:  # noqa: FBT001
        intent_id = self.next_id()
        one, many = {"order_id": order_id}, {"symbol": "AAPL"}
        content = intent("cancel_all" if all_of_them else "cancel", intent_id, **(many if all_of_them else one))
        self.decided(content, intent_id, agent, Decimal(100))

    @precondition(lambda self: self.landing)
    @rule()
    def a_decision_lands(self) -> None:
        decision = self.landing.pop(0)
        self.write(decision)
        self.core.stands(decision, len(self.journal))

    @rule(count=st.integers(3, 30))
    def risk_reads_on(self, count: int) -> None:
        for event in self.journal[self.core.read_seq : self.core.read_seq + count]:
            self.core.take(self.core.read_seq + 1, event)

    @rule(
        order_id=orders,
        kind=st.sampled_from(
            ["working", "working", "ack", "unknown", "asked", "refused", "gone", "late", "rejected"]
        ),
    )
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
        if kind == "working":  # the broker has it, and the venue has it
            self.write(made["ack"]())
            self.write(OrderWorking(**stamp, broker_status="new"))
        else:
            self.write(made[kind]())

    @rule(order_id=orders, kind=st.sampled_from(["requested", "replaced", "refused"]))
    def new_terms_are_answered(self, order_id: OrderId, kind: str) -> None:
        order = self.core.state.orders.get(order_id)
        if order is None or order.replacement is None:
            return
        stamp: dict[str, Any] = {"epoch": 1, "at": self.now, "order_id": order_id}
        asked = order.replacement
        made = {
            "requested": lambda: OrderReplaceRequested(
                **stamp, requested_by=asked.requested_by, decision_seq=asked.decision_seq
            ),
            "replaced": lambda: OrderReplaced(
                **stamp, broker_order_id=f"b{len(self.journal)}", terms=asked.terms, carried_qty=order.filled_qty
            ),
            "refused": lambda: OrderReplaceRejected(**stamp, detail="too late"),
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

    @rule(said=CONTROLS)
    def a_person_speaks(self, said: Callable[[Any], JournalEvent]) -> None:
        self.version += 1
        self.write(said(self))

    @precondition(lambda self: not self.landing)
    @rule()
    def risk_keeps_a_snapshot(self) -> None:
        self.snapshot = self.core.save()

    @invariant()
    def running_figures_equal_a_sum_from_scratch(self) -> None:
        state = self.core.state
        assert state.exposure.totals == recomputed(state)
        assert state.day.turnover_usd == self.turnover_usd
        assert_books_agree(state)
        assert_resting_agrees(state)
        assert_spending_agrees(state)

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
