"""What the fold behind the read models makes of days, late news, busts, corrections and words it has never heard."""

from contextlib import closing
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from contracts import subjects
from contracts.broker import PositionAdopted
from contracts.enums import OrderType, Outcome, Side
from contracts.ids import AgentId, FillId, OrderId, Symbol
from contracts.orders import OrderAdopted, OrderBusted, OrderCorrected, OrderFilled, OrderTerms
from ops.bench import long_day
from projections import account
from projections.sql.location import Location
from tests.read_models import content, fold_of, links_of, location_of, opened, stretch
from tests.story_events import ACCOUNT, AGENT, OPEN, Written

LONG = list(long_day.events(700, ACCOUNT))
MSFT = Symbol("MSFT")
LATER = OPEN + timedelta(days=1)


def on_order(order_id: OrderId, event: Any) -> Written:
    return subjects.order(ACCOUNT, AGENT, order_id), event


def adopted(order_id: str = "lg-x", at: Any = OPEN) -> Written:
    terms = OrderTerms(
        symbol=MSFT, side=Side.BUY, order_type=OrderType.LIMIT, qty=Decimal(10), limit_price=Decimal(400)
    )
    event = OrderAdopted(
        epoch=1,
        at=at,
        order_id=OrderId(order_id),
        agent=AgentId("_external"),
        client_order_id=order_id,
        broker_order_id="b",
        broker_status="new",
        terms=terms,
    )
    return on_order(event.order_id, event)


def filled(fill_id: str, qty: int, price: str, side: Side = Side.BUY, at: Any = OPEN) -> Written:
    event = OrderFilled(
        epoch=1,
        at=at,
        order_id=OrderId("lg-x"),
        fill_id=FillId(fill_id),
        symbol=MSFT,
        side=side,
        qty=Decimal(qty),
        price=Decimal(price),
        cum_qty=Decimal(qty),
        filled_at=at,
    )
    return on_order(event.order_id, event)


def asked(location: Location, sql: str) -> list[dict[str, Any]]:
    with closing(location.open_reader()) as reader:
        return [dict(row) for row in reader.execute(sql)]


@pytest.fixture
def location(tmp_path):
    return location_of("sqlite", tmp_path, None)


def fill_in(location: Location, day: list[Written], cuts: Any = ()) -> None:
    store = opened(location)
    stretch(store, day, sorted(cuts))
    store.close()


def test_orders_and_positions_are_those_of_the_account_that_everybody_folds(location):
    fill_in(location, LONG)
    state = account.EMPTY
    for link, event in links_of(LONG):
        state = account.evolve(state, event, link.seq)
    stored = {row["order_id"]: row for row in asked(location, "SELECT * FROM orders")}
    for order_id, order in state.orders.items():
        assert stored[order_id]["status"] == order.status
        assert Decimal(stored[order_id]["filled_qty"]) == order.filled_qty
    latest = asked(location, "SELECT * FROM positions_by_day ORDER BY trading_day")
    held = {row["symbol"]: Decimal(row["qty"]) for row in latest}
    assert held == {symbol: position.qty for symbol, position in state.positions.items()}
    outcomes = asked(location, "SELECT outcome, count(*) AS n FROM decisions GROUP BY outcome")
    assert {row["outcome"] for row in outcomes} == {Outcome.APPROVED, Outcome.DENIED}


def test_the_days_add_up_to_the_whole(location):
    fill_in(location, LONG)
    fills = asked(location, "SELECT * FROM fills")
    days = asked(location, "SELECT * FROM pnl_by_day")
    assert len({row["trading_day"] for row in days}) == long_day.DAYS
    assert sum(row["fills"] for row in days) == len(fills)
    for column, sums in (("realized_usd", "realized_usd"), ("cash_usd", None)):
        whole = sum(Decimal(row[column]) for row in fills)
        by_day = sum(
            Decimal(row["sold_usd"]) - Decimal(row["bought_usd"]) if sums is None else Decimal(row[sums])
            for row in days
        )
        assert by_day == pytest.approx(whole, abs=Decimal("0.000001"))


def test_every_check_of_every_decision_can_be_asked_for(location):
    fill_in(location, LONG)
    refused = asked(
        location,
        "SELECT decisions.seq, name, value, limit_value FROM decision_checks "
        "JOIN decisions ON decisions.seq = decision_checks.seq WHERE NOT passed",
    )
    denied = asked(location, "SELECT seq FROM decisions WHERE reason_code = 'MAX_ORDER_NOTIONAL'")
    assert {row["seq"] for row in denied} <= {row["seq"] for row in refused if row["name"] == "order_notional"}
    assert all(Decimal(row["value"]) > Decimal(row["limit_value"]) for row in refused)


def test_a_busted_fill_gives_the_shares_back_and_a_corrected_one_changes_what_they_cost(location):
    bust = OrderBusted(
        epoch=1, at=OPEN, order_id=OrderId("lg-x"), fill_id=FillId("f2"), qty=Decimal(6), price=Decimal(401)
    )
    correction = OrderCorrected(
        epoch=1,
        at=OPEN,
        order_id=OrderId("lg-x"),
        fill_id=FillId("f1"),
        old_qty=Decimal(4),
        old_price=Decimal(400),
        new_fill_id=FillId("f1c"),
        qty=Decimal(4),
        price=Decimal(399),
    )
    day = [adopted(), filled("f1", 4, "400"), filled("f2", 6, "401")]
    fill_in(location, [*day, on_order(bust.order_id, bust), on_order(correction.order_id, correction)])
    rows = asked(location, "SELECT type, qty, cash_usd, position_qty FROM fills ORDER BY seq")
    assert [(row["type"], Decimal(row["qty"]), Decimal(row["cash_usd"])) for row in rows] == [
        ("order.filled", 4, -1600),
        ("order.filled", 6, -2406),
        ("order.busted", -6, 2406),
        ("order.corrected", 0, 4),
    ]
    (order,) = asked(location, "SELECT filled_qty, filled_notional_usd FROM orders")
    assert (Decimal(order["filled_qty"]), Decimal(order["filled_notional_usd"])) == (4, 1596)


def test_late_news_of_an_order_that_was_let_go_changes_its_row_all_the_same(location):
    cut = len(LONG) * 3 // 4
    first = next(e for _, e in LONG if isinstance(e, OrderFilled))
    late = OrderFilled(
        epoch=1,
        at=LATER,
        order_id=first.order_id,
        fill_id=FillId("late"),
        symbol=first.symbol,
        side=first.side,
        qty=Decimal(1),
        price=Decimal(100),
        cum_qty=Decimal(99),
        filled_at=OPEN,
    )
    fill_in(location, [*LONG, on_order(first.order_id, late)], {cut})
    (row,) = (row for row in asked(location, "SELECT * FROM orders") if row["order_id"] == first.order_id)
    filled_qty = sum(e.qty for _, e in LONG if isinstance(e, OrderFilled) and e.order_id == first.order_id)
    assert Decimal(row["filled_qty"]) == filled_qty + 1
    assert row["last_seq"] == len(LONG) + 1


def test_what_was_held_when_a_day_ended_is_held_when_the_next_one_begins(location):
    fill_in(location, LONG)
    days = asked(location, "SELECT DISTINCT trading_day FROM positions_by_day ORDER BY 1")
    assert [row["trading_day"] for row in days] == [str(date(2026, 11, 23)), str(date(2026, 11, 24))]
    first = {
        r["symbol"]: r for r in asked(location, "SELECT * FROM positions_by_day WHERE trading_day = '2026-11-23'")
    }
    second = asked(location, "SELECT * FROM positions_by_day WHERE trading_day = '2026-11-24'")
    assert {symbol for symbol, row in first.items() if Decimal(row["qty"])} <= {row["symbol"] for row in second}


def test_shares_that_appeared_are_no_profit(location):
    event = PositionAdopted(
        epoch=1, at=OPEN, symbol=MSFT, qty=Decimal(5), price=Decimal(400), detail="held before we came"
    )
    fill_in(location, [(subjects.broker(ACCOUNT), event)])
    (row,) = asked(location, "SELECT * FROM fills")
    assert (row["type"], row["qty"], row["cash_usd"], row["order_id"]) == ("broker.position_adopted", "5", "0", None)
    assert asked(location, "SELECT * FROM pnl_by_day") == []


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.sets(st.integers(1, len(LONG) - 1), max_size=12), stop=st.integers(1, len(LONG) - 1))
def test_neither_batches_nor_a_restart_change_a_row(cuts, stop, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cuts")
    whole, cut = (location_of("sqlite", folder / name, None) for name in ("whole", "cut"))
    fill_in(whole, LONG)
    store = opened(cut)
    fold = stretch(store, LONG[:stop], sorted(c for c in cuts if c < stop))
    store.save_fold(stop, fold.state)
    store.close()
    store = opened(cut)
    fold = fold_of(store, *store.saved_fold())
    for link, event in list(links_of(LONG))[stop:]:
        fold.take(link, event, OPEN)
        if link.seq in cuts:
            store.apply(fold.take_changes())
    changes = fold.take_changes()
    if any(changes.added.values()):
        store.apply(changes)
    store.close()
    assert content(cut) == content(whole)
