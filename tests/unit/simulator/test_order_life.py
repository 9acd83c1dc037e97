"""How an order lives: acknowledged, routed, filled, canceled, replaced, expired."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from services.simulator.core.rules import Rules
from tests.unit.simulator.world import World, refusal


def test_a_market_order_goes_from_pending_new_to_new_to_filled_at_the_ask() -> None:
    world = World()
    order = world.submit(qty="10", client_order_id="mine")
    assert order.status == "pending_new"
    assert world.updates == []
    world.wait(100)
    done = world.order(order.id)
    assert (done.status, done.filled_qty, done.filled_avg_price) == ("filled", Decimal(10), Decimal(100))
    assert world.events(order.id) == ["pending_new", "new", "fill"]
    fill = world.updates[-1]
    assert (fill.price, fill.qty, fill.position_qty) == (Decimal("100.00"), Decimal(10), Decimal(10))


def test_event_ids_increase_and_fills_and_new_carry_execution_ids() -> None:
    world = World()
    world.filled(qty="1")
    ids = [update.event_id for update in world.updates]
    assert ids == sorted(set(ids))
    assert all(len(one) == 26 for one in ids)
    assert [isinstance(update.execution_id, str) for update in world.updates] == [False, True, True]


def test_a_limit_order_waits_until_the_ask_comes_down_and_fills_at_the_ask() -> None:
    world = World()
    order = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(1000)
    assert world.order(order.id).status == "new"
    world.move("AAPL", "94.00", "94.10")
    done = world.order(order.id)
    assert (done.status, done.filled_avg_price) == ("filled", Decimal("94.1"))


def test_partial_fills_add_up_and_end_with_one_fill_event() -> None:
    world = World(Rules(ack_ms=0, route_ms=0, fill_ms=0, partial_percent=100))
    order = world.filled(qty="100", client_order_id="pieces")
    events = world.events(order.id)
    assert events.count("fill") == 1
    assert events.count("partial_fill") >= 1
    told = [update.qty for update in world.updates if update.event in {"fill", "partial_fill"}]
    assert sum(told) == Decimal(100)
    assert all(qty == qty.to_integral_value() for qty in told)
    assert order.filled_qty == Decimal(100)


def test_the_same_seed_and_client_id_split_a_fill_the_same_way() -> None:
    def split() -> list[object]:
        world = World(Rules(fill_ms=0, partial_percent=100, seed=7))
        world.filled(qty="100", client_order_id="twice")
        return [update.qty for update in world.updates]

    assert split() == split()


def test_an_immediate_or_cancel_order_that_cannot_trade_is_canceled() -> None:
    world = World()
    order = world.filled(qty="5", type="limit", limit_price="90", time_in_force="ioc")
    assert order.status == "canceled"
    assert world.events(order.id) == ["pending_new", "new", "canceled"]


def test_a_fill_or_kill_order_fills_whole_even_when_partials_are_certain() -> None:
    world = World(Rules(partial_percent=100))
    order = world.submit(qty="50", type="limit", limit_price="101", time_in_force="fok")
    world.wait(1000)
    assert world.events(order.id) == ["pending_new", "new", "fill"]


def test_a_notional_order_has_no_qty_and_buys_what_the_dollars_allow() -> None:
    world = World()
    order = world.filled(notional="250.55")
    assert order.qty is None
    assert (order.status, order.filled_qty) == ("filled", Decimal("2.5055"))


def test_a_cancel_is_pending_first_and_may_lose_to_a_fill() -> None:
    world = World()
    order = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(100)
    world.cancel(order.id)
    assert world.order(order.id).status == "pending_cancel"
    world.move("AAPL", "94.00", "94.10")
    world.wait(100)
    assert world.order(order.id).status == "filled"
    told = world.events(order.id)
    assert told == ["pending_new", "new", "pending_cancel", "fill", "order_cancel_rejected"]
    assert world.updates[-1].reason == "TOO_LATE_TO_CANCEL"


def test_a_canceled_order_is_canceled_once_and_a_second_cancel_is_refused() -> None:
    world = World()
    order = world.submit(qty="5", type="limit", limit_price="95")
    world.cancel(order.id)
    world.wait(100)
    assert world.events(order.id) == ["pending_cancel", "canceled"]
    error = refusal(lambda: world.cancel(order.id))
    assert (error.status, error.code) == (422, 42210000)
    assert "already in" in error.message


def test_canceling_an_unknown_order_is_404() -> None:
    error = refusal(lambda: World().cancel("00000000-0000-4000-8000-000000000000"))
    assert (error.status, error.code) == (404, 40410000)


def test_a_replacement_is_a_new_order_linked_to_the_old_one() -> None:
    world = World()
    old = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(100)
    fresh = world.replace(old.id, limit_price="96", qty="6")
    assert fresh.replaces == old.id
    assert fresh.id != old.id
    assert fresh.client_order_id != old.client_order_id
    world.wait(100)
    replaced = world.order(old.id)
    assert (replaced.status, replaced.replaced_by) == ("replaced", fresh.id)
    assert (world.order(fresh.id).status, world.order(fresh.id).qty) == ("new", Decimal(6))
    assert world.events(old.id)[-2:] == ["pending_replace", "replaced"]
    assert world.events(fresh.id) == ["new"]


def test_a_replacement_that_comes_after_the_fill_is_rejected() -> None:
    world = World()
    old = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(100)
    fresh = world.replace(old.id, limit_price="96")
    world.move("AAPL", "94.00", "94.10")
    world.wait(100)
    assert world.order(old.id).status == "filled"
    assert world.order(fresh.id).status == "rejected"
    assert world.events(fresh.id) == ["rejected"]
    assert world.events(old.id)[-2:] == ["fill", "order_replace_rejected"]


def test_a_replaced_order_reserves_the_larger_of_both_and_then_its_own() -> None:
    world = World()
    old = world.submit(qty="10", type="limit", limit_price="90")
    world.wait(100)
    world.replace(old.id, limit_price="95")
    assert world.broker.book.reserved_usd == Decimal(950)
    world.wait(100)
    assert world.broker.book.reserved_usd == Decimal(950)
    assert len(world.broker.book.tickets) == 1


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"limit_price": "95"}, 42210000),
        ({"stop_price": "95"}, 40010001),
        ({"qty": "0"}, 40010001),
        ({"notional": "50"}, 42210000),
        ({"limit_price": "95.001"}, 42210000),
    ],
)
def test_a_replacement_must_change_something_that_the_order_has(fields: dict[str, str], code: int) -> None:
    world = World()
    order = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(100)
    error = refusal(lambda: world.replace(order.id, **fields))
    assert (error.status, error.code) == (422, code)


def test_an_order_that_is_still_pending_cannot_be_replaced() -> None:
    world = World()
    order = world.submit(qty="5", type="limit", limit_price="95")
    assert "pending_new" in refusal(lambda: world.replace(order.id, limit_price="96")).message


def test_a_stop_order_sleeps_until_the_last_trade_reaches_it() -> None:
    world = World()
    world.filled(qty="10")
    stop = world.submit(side="sell", qty="10", type="stop", stop_price="95")
    world.wait(100)
    assert world.order(stop.id).status == "new"
    world.move("AAPL", "94.90", "95.20", last="95.10")
    assert world.order(stop.id).status == "new"
    world.move("AAPL", "94.80", "95.00", last="95.00")
    done = world.order(stop.id)
    assert (done.status, done.filled_avg_price) == ("filled", Decimal("94.8"))


def test_day_orders_expire_at_the_close_when_exchange_hours_are_kept() -> None:
    world = World(Rules(always_open=False))
    order = world.submit(qty="5", type="limit", limit_price="95")
    assert order.expires_at == datetime(2026, 11, 23, 21, 0, tzinfo=UTC)
    world.wait(7 * 3_600_000)
    assert world.order(order.id).status == "expired"
    assert world.events(order.id)[-1] == "expired"


def test_an_order_outside_the_session_is_accepted_and_starts_at_the_next_opening() -> None:
    world = World(Rules(always_open=False, partial_percent=0), start=datetime(2026, 11, 23, 23, 0, tzinfo=UTC))
    order = world.submit(qty="5")
    assert order.status == "accepted"
    world.wait(12 * 3_600_000)
    assert world.order(order.id).status == "accepted"
    world.wait(4 * 3_600_000)
    assert world.order(order.id).status == "filled"
    assert world.events(order.id) == ["accepted", "pending_new", "new", "fill"]


def test_a_restart_takes_up_every_open_order_where_it_stood() -> None:
    world = World()
    waiting = world.submit(qty="1", type="limit", limit_price="90")
    world.wait(100)
    canceling = world.submit(qty="1", type="limit", limit_price="91")
    world.wait(100)
    world.cancel(canceling.id)
    replacing = world.submit(qty="1", type="limit", limit_price="92")
    world.wait(5)
    fresh_order = world.submit(qty="1")
    before = world.broker.book.reserved_usd
    world.restart()
    assert world.broker.book.reserved_usd == before
    world.wait(200)
    statuses = [world.order(o.id).status for o in (waiting, canceling, replacing, fresh_order)]
    assert statuses == ["new", "canceled", "new", "filled"]
    assert world.broker.book.qty("AAPL") == Decimal(1)


def test_a_restart_still_ends_an_immediate_order_when_no_quote_comes() -> None:
    world = World()
    order = world.submit(qty="1", type="limit", limit_price="90", time_in_force="ioc")
    world.wait(20)
    assert world.order(order.id).status == "new"
    world.restart()
    world.wait(100)
    assert world.order(order.id).status == "canceled"


def test_a_restart_in_the_middle_of_a_replacement_finishes_it() -> None:
    world = World()
    old = world.submit(qty="5", type="limit", limit_price="95")
    world.wait(100)
    fresh = world.replace(old.id, qty="7")
    world.restart()
    world.wait(100)
    assert (world.order(old.id).status, world.order(fresh.id).status) == ("replaced", "new")
    assert world.broker.book.reserved_usd == Decimal(665)
