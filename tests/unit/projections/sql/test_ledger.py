"""The ledger behind the read models says of orders, positions and days what the account says that everybody folds."""

from datetime import timedelta
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from contracts.broker import AccountObserved, PositionAdopted
from contracts.codec import JournalEvent, decode_event, encode
from contracts.decisions import Decision
from contracts.enums import Action, LegRole, OrderType, Outcome, Side
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.orders import (
    OrderAdopted,
    OrderBusted,
    OrderCorrected,
    OrderFilled,
    OrderLegAdded,
    OrderReplaced,
    OrderTerms,
)
from ops.bench import long_day
from projections import account
from projections.sql.ledger import Ledger, LedgerState
from tests.story_events import ACCOUNT, OPEN
from tests.wire.samples import EVENTS

LONG: list[Any] = [decode_event(encode(event)) for _, event in long_day.events(240, ACCOUNT)]
KNOWN = [e for e in LONG if isinstance(e, Decision) and e.outcome is Outcome.APPROVED and e.action is Action.SUBMIT]
LATER = OPEN + timedelta(days=1)
FILLS = [e for e in LONG if isinstance(e, OrderFilled)]
OBSERVED = next(e for e in LONG if isinstance(e, AccountObserved))


def _replacing(decision: Decision) -> Decision:
    return replace(decision, action=Action.REPLACE, intent_id=decision.intent_id + "-r")


def _busted(fill: OrderFilled) -> OrderBusted:
    return OrderBusted(epoch=1, at=OPEN, order_id=fill.order_id, fill_id=fill.fill_id, qty=fill.qty, price=fill.price)


def _corrected(fill: OrderFilled) -> OrderCorrected:
    return OrderCorrected(
        epoch=1,
        at=OPEN,
        order_id=fill.order_id,
        fill_id=fill.fill_id,
        old_qty=fill.qty,
        old_price=fill.price,
        new_fill_id=FillId(f"{fill.fill_id}-c"),
        qty=fill.qty + 1,
        price=fill.price + 2,
    )


def _adopted(symbol: Symbol) -> OrderAdopted:
    terms = OrderTerms(symbol=symbol, side=Side.BUY, order_type=OrderType.MARKET, qty=Decimal(10))
    return OrderAdopted(
        epoch=1,
        at=OPEN,
        order_id=OrderId(f"lg-x-{symbol}"),
        agent=AgentId("_external"),
        client_order_id="x",
        broker_order_id="b",
        broker_status="new",
        terms=terms,
    )


def _leg(decision: Decision) -> OrderLegAdded:
    assert decision.order_id is not None
    assert decision.terms is not None
    return OrderLegAdded(
        epoch=1,
        at=OPEN,
        order_id=OrderId(f"{decision.order_id}-tp"),
        parent_id=decision.order_id,
        role=LegRole.TAKE_PROFIT,
        agent=decision.agent,
        client_order_id="leg",
        broker_order_id="leg",
        broker_status="held",
        terms=decision.terms,
    )


def _replaced(decision: Decision) -> OrderReplaced:
    assert decision.order_id is not None
    assert decision.terms is not None
    return OrderReplaced(epoch=1, at=OPEN, order_id=decision.order_id, broker_order_id="again", terms=decision.terms)


UNUSUAL: list[Any] = [
    *(_replacing(decision) for decision in KNOWN[:10]),
    *(_replaced(decision) for decision in KNOWN[:10]),
    *(_leg(decision) for decision in KNOWN[:5]),
    *(_busted(fill) for fill in FILLS[:20]),
    *(_corrected(fill) for fill in FILLS[:20]),
    *(_adopted(fill.symbol) for fill in FILLS[:5]),
    *(PositionAdopted(epoch=1, at=OPEN, symbol=f.symbol, qty=-f.qty, price=f.price, detail="") for f in FILLS[:5]),
    *(replace(OBSERVED, trading_day=day.date()) for day in (OPEN - timedelta(days=1), LATER)),
]


def hold_against_account(events: list[JournalEvent]) -> None:
    """Fold events both ways and compare after each."""
    state, ledger = account.EMPTY, Ledger(LedgerState())
    for seq, event in enumerate(events, start=1):
        before = dict(ledger.positions)
        state, moved = account.evolve(state, event, seq), ledger.fold(event, seq)
        assert ledger.orders == dict(state.orders)
        assert ledger.positions == dict(state.positions)
        assert ledger.trading_day == state.day.trading_day
        if moved is None:
            assert ledger.positions == before
        else:
            assert ledger.positions == before | {moved.new.symbol: moved.new}
            assert before.get(moved.old.symbol, moved.old) == moved.old


def test_a_long_day_gives_the_same_orders_and_positions_as_the_account():
    hold_against_account(LONG)


def test_an_event_of_every_kind_leaves_the_ledger_where_the_account_stands():
    events = [decode_event(encode(one)) for one in EVENTS]
    hold_against_account([*LONG[:60], *events, *LONG[60:120], *events])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.sampled_from([*LONG, *UNUSUAL]), max_size=120))
def test_no_order_of_events_parts_the_ledger_from_the_account(events):
    hold_against_account([*LONG[:40], *events])


def test_a_ledger_goes_on_from_its_state():
    whole, first = Ledger(LedgerState()), Ledger(LedgerState())
    for seq, event in enumerate(LONG, start=1):
        whole.fold(event, seq)
    for seq, event in enumerate(LONG[:100], start=1):
        first.fold(event, seq)
    second = Ledger(first.state)
    for seq, event in enumerate(LONG[100:], start=101):
        second.fold(event, seq)
    assert second.state == whole.state
