"""What the broker's file answers when orders and activities are listed."""

from datetime import timedelta

import pytest

from services.simulator.store import ActivityFilter, OrderFilter
from tests.unit.simulator.world import START, World


@pytest.fixture
def world() -> World:
    """Five orders a second apart: two filled buys of AAPL, three open buys of MSFT."""
    world = World()
    for number in range(5):
        if number < 2:
            world.submit(qty="1", client_order_id=f"o{number}")
        else:
            world.submit(symbol="MSFT", qty="1", type="limit", limit_price="300", client_order_id=f"o{number}")
        world.wait(1000)
    return world


def listed(world: World, **wanted: object) -> list[str]:
    return [ticket.order.client_order_id for ticket in world.store.orders(OrderFilter(**wanted))]


def test_open_orders_are_listed_newest_first_by_default(world: World) -> None:
    assert listed(world) == ["o4", "o3", "o2"]


def test_closed_and_all_orders_are_listed_on_demand(world: World) -> None:
    assert listed(world, status="closed") == ["o1", "o0"]
    assert listed(world, status="all", ascending=True) == ["o0", "o1", "o2", "o3", "o4"]


def test_symbols_side_and_limit_narrow_the_list(world: World) -> None:
    assert listed(world, status="all", symbols=("AAPL",)) == ["o1", "o0"]
    assert listed(world, status="all", side="sell") == []
    assert listed(world, status="all", limit=2) == ["o4", "o3"]


def test_after_and_until_are_exclusive_times_of_submission(world: World) -> None:
    order = world.store.find_client("o2")
    assert order is not None
    at = order.order.submitted_at
    assert listed(world, status="all", after=at) == ["o4", "o3"]
    assert listed(world, status="all", until=at) == ["o1", "o0"]
    assert listed(world, status="all", after=at - timedelta(microseconds=1), limit=1, ascending=True) == ["o2"]


def test_pages_continue_after_or_before_an_order(world: World) -> None:
    middle = world.store.find_client("o2")
    assert middle is not None
    assert listed(world, status="all", after_order_id=middle.order.id, ascending=True) == ["o3", "o4"]
    assert listed(world, status="all", before_order_id=middle.order.id) == ["o1", "o0"]


def test_activities_are_paged_by_the_last_id_seen(world: World) -> None:
    newest = world.store.activities(ActivityFilter(page_size=1))
    older = world.store.activities(ActivityFilter(page_token=newest[0].id))
    assert len(newest) == len(older) == 1
    assert older[0].transaction_time < newest[0].transaction_time
    assert older[0].order_status == "filled"
    assert world.store.activities(ActivityFilter(after=START + timedelta(hours=1))) == []


def test_an_activity_id_begins_with_new_yorks_clock(world: World) -> None:
    (fill,) = world.store.activities(ActivityFilter(ascending=True, page_size=1))
    assert fill.id.startswith("20261123100000")
    assert fill.id.split("::")[1] != fill.order_id


def test_each_order_is_counted_once(world: World) -> None:
    assert world.store.order_counts(10) == {f"o{n}": 1 for n in range(5)}
    assert world.store.total_orders() == 5
