"""The risk machine with the whole life of orders: every type, replaces, exits, cancels of all, closes, busts.

What only ends, confirms or narrows an order must never raise exposure, and a fill within its terms must not
either but for the mark it brings: so nothing but a decision, a market move or a cut of limits brings one over.
"""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, initialize, invariant, multiple, precondition, rule
from msgspec.structs import replace

from contracts import codec
from contracts.codec import JournalEvent
from contracts.decisions import Decision
from contracts.enums import Action, LegRole, OrderClass, OrderStatus, Outcome
from contracts.ids import AgentId, FillId, OrderId, Symbol, leg_id_for
from contracts.orders import (
    OrderAcknowledged,
    OrderBusted,
    OrderCanceled,
    OrderCompleted,
    OrderCorrected,
    OrderExpired,
    OrderFilled,
    OrderLegAdded,
    OrderRejected,
    OrderReplaced,
    OrderReplaceRejected,
    OrderReplaceRequested,
    OrderTerms,
    OrderUnknown,
    OrderWorking,
)
from contracts.values import ZERO
from projections.account import AccountState
from projections.exposure import with_position, with_symbol, worst
from services.risk.core import RiskCore
from tests.model.limits_held import assert_within
from tests.model.naive_ledger import spent_by
from tests.model.rarer_terms import CENT, changes_of, exit_terms, terms_of
from tests.model.test_risk_machine import EXAMPLES, NIGHTLY, PRICES, QTYS, SIDES, STEPS, RiskMachine, wishes_of
from tests.risk_world import DEMO, body, evidence, intent, limits_set, observed, quote, stated

QUIET = (
    OrderAcknowledged,
    OrderUnknown,
    OrderCanceled,
    OrderExpired,
    OrderRejected,
    OrderCompleted,
    OrderReplaceRequested,
    OrderReplaceRejected,
    OrderReplaced,
    OrderLegAdded,
)
"""What the world may tell of an order without making it larger."""
KINDS = st.sampled_from(["limit", "stop", "stop_limit", "trailing", "amount", "bracket", "oto", "oco", "market"])
SYMBOLS = st.sampled_from(["AAPL", "SPY"])


class OrderMachine(RiskMachine):
    """One risk process, its stream, and a broker that knows replaces, exits and busts."""

    changed = Bundle("changed")

    @initialize(usd=st.sampled_from([3_000, 6_000, 20_000]))
    def begin(self, usd: int) -> None:
        self.landed: set[OrderId] = set()
        self.replacing: dict[OrderId, Decision] = {}
        self.fills: dict[OrderId, list[OrderFilled]] = {}
        limit = {"max_position_notional_usd": Decimal(usd), "max_order_notional_usd": Decimal(usd)}
        self.write(limits_set(2, order_rate_per_min=10_000, max_daily_trades=10_000, **limit))
        self.all_catch_up()

    def all_catch_up(self) -> None:
        """Let every decision land, and risk read to the end."""
        while self.landing:
            self.a_decision_lands()
        while self.core.read_seq < len(self.journal):
            self.risk_reads_on(5)

    @rule(equity=st.integers(99_900, 100_000))
    def the_broker_reports_the_account(self, equity: int) -> None:
        self.write(observed(str(equity), at=self.now))

    @rule(symbol=SYMBOLS, usd=st.sampled_from([2_000, 6_000, 20_000]))
    def limits_are_cut_or_raised(self, symbol: str, usd: int) -> None:
        if symbol == "SPY":  # seldom enough to let orders be made
            self.write(limits_set(3, max_position_notional_usd=Decimal(usd), order_rate_per_min=10_000))

    def a_person_speaks(self) -> None:
        """Not here: the other machine kills, and this one would only ever see exits; positions come of fills."""

    @rule(target=RiskMachine.orders, wishes=wishes_of(st.just(str(DEMO))))
    def intents_are_stated(self, wishes: list[Any]) -> Any:
        """Of one agent alone: then whatever closes what it holds reduces what the account holds."""
        return super().intents_are_stated(wishes)

    def new_terms_are_asked_for(self) -> None:
        """Not here: this machine has its own way."""

    def new_terms_are_answered(self) -> None:
        """Not here."""

    def ask(self, content: bytes, symbol: str, price: Decimal) -> Decision:
        """Have an intent decided twice, and hold both answers to one another and to the limits."""
        self.now += timedelta(milliseconds=500)
        seen = evidence(
            replace(quote(str(price - CENT), str(price), at=self.now), symbol=Symbol(symbol)), at=self.now
        )
        asked = stated(content, f"i{self.intents}")
        twin, before = RiskCore("test"), self.core.state
        twin.state, twin.epoch, twin.read_seq = before, self.core.epoch, self.core.read_seq
        again = codec.encode(twin.decide(asked, seen))
        decision = self.core.decide(asked, seen)
        assert codec.encode(decision) == again
        self.landing.append(decision)
        self.turnover_usd += spent_by(decision, before)
        if decision.outcome is Outcome.APPROVED:
            assert_within(self.core.state, decision)
        return decision

    def next_id(self) -> str:
        self.intents += 1
        return f"i{self.intents}"

    @rule(target=changed, kind=KINDS, side=SIDES, qty=QTYS, price=PRICES, symbol=SYMBOLS, works=st.booleans())
    def state_a_rarer_order(
        self,
        kind: str,
        side: str,
        qty: int,
        price: Decimal,
        symbol: str,
        works: bool,  # noqa: FBT001
    ) -> Any:
        fields = {"side": side, "qty": str(qty), "symbol": symbol} | terms_of(kind, side, price)
        decision = self.ask(body(self.next_id(), **fields), symbol, price)
        if decision.outcome is not Outcome.APPROVED:
            return multiple()
        order_id = OrderId(str(decision.order_id))
        if works:
            self.all_catch_up()
            self.write(OrderWorking(**self.stamp(order_id), broker_status="new"))
            self.the_broker_makes_the_exits(order_id)
            self.all_catch_up()
        return order_id

    @rule(order_id=changed, more=st.integers(-5, 8), cents=st.integers(-200, 300))
    def replace_an_order(self, order_id: OrderId, more: int, cents: int) -> None:
        self.all_catch_up()
        if self.core.state.orders[order_id].status is OrderStatus.PENDING_SUBMIT:
            self.write(OrderWorking(**self.stamp(order_id), broker_status="new"))
            self.all_catch_up()
        old = self.core.state.orders[order_id]
        fields = changes_of(old.terms, more, Decimal(cents) / 100)
        content = intent("replace", self.next_id(), order_id=order_id, **fields)
        decision = self.ask(content, old.terms.symbol, Decimal(100))
        if decision.outcome is not Outcome.APPROVED:
            return
        new = self.core.state.orders[order_id]
        assert new.terms == old.terms
        assert new.working_qty >= old.working_qty
        assert new.reserved_price >= old.reserved_price

    @rule(symbol=SYMBOLS, percent=st.none() | st.integers(1, 100), price=PRICES)
    def close_a_position(self, symbol: str, percent: int | None, price: Decimal) -> None:
        fields = {} if percent is None else {"percent": str(percent)}
        held = self.core.state.exposure.of(Symbol(symbol))
        decision = self.ask(intent("close", self.next_id(), symbol=symbol, **fields), symbol, price)
        if decision.outcome is Outcome.APPROVED:
            assert decision.terms is not None
            assert decision.reservation is not None
            assert decision.reservation.reduces
            assert ZERO < decision.terms.qty <= held.reducible_qty(decision.terms.side)

    @rule(symbol=st.none() | SYMBOLS)
    def cancel_everything(self, symbol: str | None) -> None:
        fields = {} if symbol is None else {"symbol": symbol}
        decision = self.ask(intent("cancel_all", self.next_id(), **fields), "AAPL", Decimal(100))
        mine = [
            order.order_id
            for order in self.core.state.orders.values()
            if not order.is_terminal and order.agent == DEMO and symbol in {None, order.terms.symbol}
        ]
        assert decision.order_ids == tuple(sorted(mine))

    @precondition(lambda self: self.landing)
    @rule()
    def a_decision_lands(self) -> None:
        decision = self.landing[0]
        super().a_decision_lands()
        if decision.outcome is not Outcome.APPROVED or decision.order_id is None:
            return
        if decision.action is Action.SUBMIT:
            self.landed.add(decision.order_id)
        elif decision.action is Action.REPLACE:
            self.replacing[decision.order_id] = decision

    def stamp(self, order_id: OrderId) -> dict[str, Any]:
        return {"epoch": 1, "at": self.now, "order_id": order_id}

    @rule(order_id=changed)
    def the_broker_makes_the_exits(self, order_id: OrderId) -> None:
        """The broker makes the exits of an order that it has."""
        order = self.core.state.orders[order_id]
        known = leg_id_for(order_id, LegRole.STOP_LOSS) in self.core.state.orders
        if order_id not in self.landed or order.terms.order_class is OrderClass.SIMPLE or known:
            return
        is_oco = order.terms.order_class is OrderClass.OCO
        for role, terms in exit_terms(order.terms).items():
            if is_oco and role is LegRole.TAKE_PROFIT:
                continue  # an OCO is its own take-profit
            leg = OrderLegAdded(
                **self.stamp(leg_id_for(order_id, role)),
                agent=DEMO,
                parent_id=order_id,
                role=role,
                client_order_id="c",
                broker_order_id="b",
                broker_status="held",
                terms=terms,
            )
            self.write(leg)

    @rule(order_id=changed, role=st.sampled_from(list(LegRole)), fate=st.sampled_from(["works", "ends", "fills"]))
    def an_exit_moves(self, order_id: OrderId, role: LegRole, fate: str) -> None:
        leg = self.core.state.orders.get(leg_id_for(order_id, role))
        if leg is None:
            return
        if fate == "works":
            self.write(OrderWorking(**self.stamp(leg.order_id), broker_status="new"))
        elif fate == "ends":
            self.write(OrderCanceled(**self.stamp(leg.order_id)))
        elif leg.working_qty:
            self.write_fill(leg.order_id, leg.terms, leg.working_qty, leg.reserved_price)

    @rule(order_id=changed, share=st.integers(1, 4), off=st.integers(0, 300))
    def an_order_fills_within_its_terms(self, order_id: OrderId, share: int, off: int) -> None:
        self.all_catch_up()
        order = self.core.state.orders[order_id]
        if order.working_qty:
            price = max(order.reserved_price - off * CENT, CENT)
            self.write_fill(order_id, order.terms, (order.working_qty * share / 4).quantize(CENT), price)

    def write_fill(self, order_id: OrderId, terms: OrderTerms, qty: Decimal, price: Decimal) -> None:
        fill = OrderFilled(
            **self.stamp(order_id),
            fill_id=FillId(f"own-{len(self.journal)}"),
            symbol=terms.symbol,
            side=terms.side,
            qty=qty,
            price=price,
            cum_qty=qty,
            filled_at=self.now,
        )
        self.fills.setdefault(order_id, []).append(fill)
        self.write(fill)

    @precondition(lambda self: self.fills)
    @rule(data=st.data(), price=PRICES, corrected=st.booleans())
    def the_venue_undoes_a_fill(self, data: st.DataObject, price: Decimal, corrected: bool) -> None:  # noqa: FBT001
        order_id = data.draw(st.sampled_from(sorted(self.fills)))
        fill = data.draw(st.sampled_from(self.fills[order_id]))
        if not corrected:
            self.write(OrderBusted(**self.stamp(order_id), fill_id=fill.fill_id, qty=fill.qty, price=fill.price))
            return
        correction = OrderCorrected(
            **self.stamp(order_id),
            fill_id=fill.fill_id,
            old_qty=fill.qty,
            old_price=fill.price,
            new_fill_id=FillId(f"new-{len(self.journal)}"),
            qty=fill.qty,
            price=price,
        )
        self.write(correction)

    @precondition(lambda self: self.replacing)
    @rule(fate=st.sampled_from(["asked", "refused", "done"]), data=st.data())
    def the_broker_answers_a_replace(self, fate: str, data: st.DataObject) -> None:
        order_id = data.draw(st.sampled_from(sorted(self.replacing)))
        on = self.stamp(order_id)
        if fate == "asked":
            self.write(OrderReplaceRequested(**on, requested_by=AgentId("demo"), decision_seq=1))
            return
        decision = self.replacing.pop(order_id)
        assert decision.terms is not None
        refused = OrderReplaceRejected(**on, detail="no")
        done = OrderReplaced(**on, broker_order_id=f"b{len(self.journal)}", terms=decision.terms)
        self.write(refused if fate == "refused" else done)

    @rule(count=st.integers(1, 5))
    def risk_reads_on(self, count: int) -> None:
        for event in self.journal[self.core.read_seq : self.core.read_seq + count]:
            before = self.core.state
            self.core.take(self.core.read_seq + 1, event)
            hold_still(before, event, self.core.state)

    @invariant()
    def every_order_counts_at_a_price(self) -> None:
        for order in self.core.state.orders.values():
            assert order.worst_price > 0
            assert order.terms.qty > 0


def hold_still(before: AccountState, event: JournalEvent, after: AccountState) -> None:
    """Hold that an event which is no decision, market move or undoing makes no exposure larger."""
    if isinstance(event, OrderFilled):
        if not is_within_terms(before, event):
            return
        before = marked(before, event.symbol, event.price)
    elif not isinstance(event, QUIET) or has_undone(before, event.order_id):
        return
    for symbol, one in after.exposure.symbols.items():
        was, now = worst(before.exposure.of(symbol)), worst(one)
        assert now.long_usd <= was.long_usd, (symbol, event)
        assert now.short_usd <= was.short_usd, (symbol, event)
    assert after.exposure.totals.gross_usd <= before.exposure.totals.gross_usd, event


def has_undone(state: AccountState, order_id: OrderId) -> bool:
    """Say whether a fill of an order was taken back: then it may be larger again."""
    order = state.orders.get(order_id)
    return order is not None and any(not execution.qty for execution in order.fills.values())


def is_within_terms(state: AccountState, fill: OrderFilled) -> bool:
    """Say whether a fill is news, takes no more than what counted, and at no worse price.

    An exit's fill is left out: until the broker cancels the other exit, that one counts as if it could fill too.
    """
    order = state.orders.get(fill.order_id)
    if order is None or order.role is not None or fill.fill_id in order.fills:
        return False
    return fill.qty <= order.working_qty and fill.price <= order.reserved_price


def marked(state: AccountState, symbol: Symbol, price: Decimal) -> AccountState:
    """The account with one symbol at another price: what a fill says of the market."""
    one = state.exposure.of(symbol)
    return replace(state, exposure=with_symbol(state.exposure, symbol, with_position(one, one.position_qty, price)))


TestOrders = OrderMachine.TestCase
TestOrders.settings = settings(
    max_examples=EXAMPLES,
    stateful_step_count=STEPS,
    deadline=None,
    derandomize=not NIGHTLY,
    suppress_health_check=list(HealthCheck),
)
