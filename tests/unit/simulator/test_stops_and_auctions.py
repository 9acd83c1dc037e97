"""Trailing stops, buy stops, auctions, time in force and what Alpaca leaves open."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from services.simulator.core.rules import Rules
from tests.unit.simulator.world import RULES, World, refusal

EXCHANGE = replace(RULES, always_open=False)
OPEN_TO_CLOSE_MS = 6 * 3_600_000  # the world starts at 10:00 in New York


def at(hour: int, minute: int, day: int = 23) -> datetime:
    """Return a time of a November day in New York (UTC-5), the 23rd being a Monday."""
    return datetime(2026, 11, day, hour, minute, tzinfo=UTC) + timedelta(hours=5)


def test_a_trailing_sell_follows_the_best_price_and_never_goes_back() -> None:
    world = World()
    world.filled(qty="10")
    order = world.submit(side="sell", qty="10", type="trailing_stop", trail_price="2", time_in_force="gtc")
    assert (order.hwm, order.stop_price, order.trail_price) == (Decimal("99.95"), Decimal("97.95"), Decimal(2))
    world.wait(100)
    world.move("AAPL", "104.90", "105.10", last="105.00")
    assert (world.order(order.id).hwm, world.order(order.id).stop_price) == (Decimal(105), Decimal(103))
    world.move("AAPL", "103.50", "103.70", last="103.60")
    assert (world.order(order.id).hwm, world.order(order.id).status) == (Decimal(105), "new")
    world.move("AAPL", "102.90", "103.10", last="103.00")
    assert (world.order(order.id).status, world.order(order.id).filled_avg_price) == ("filled", Decimal("102.9"))


def test_a_trailing_buy_by_percent_follows_the_lowest_price_and_reserves_its_first_stop() -> None:
    world = World()
    order = world.submit(qty="10", type="trailing_stop", trail_percent="5")
    assert (order.stop_price, order.trail_percent) == (Decimal("104.95"), Decimal(5))
    assert world.broker.book.reserved_usd == Decimal("1049.5")
    world.wait(100)
    world.move("AAPL", "89.90", "90.10", last="90.00")
    assert world.order(order.id).stop_price == Decimal("94.5")
    world.move("AAPL", "94.50", "94.60", last="94.50")
    assert world.order(order.id).status == "filled"


def test_a_trail_is_replaced_and_the_best_price_stays() -> None:
    world = World()
    order = world.submit(qty="10", type="trailing_stop", trail_percent="5")
    world.wait(100)
    world.move("AAPL", "89.90", "90.10", last="90.00")
    fresh = world.replace(order.id, trail="10")
    assert (fresh.hwm, fresh.trail_percent, fresh.trail_price, fresh.stop_price) == (
        Decimal(90), Decimal(10), None, Decimal(99),
    )  # fmt: skip
    world.wait(100)
    world.move("AAPL", "95.00", "95.10", last="95.00")
    assert world.order(fresh.id).status == "new"
    assert refusal(lambda: world.replace(fresh.id, stop_price="99")).code == 40010001


def test_a_trailing_stop_sleeps_outside_regular_hours() -> None:
    world = World(EXCHANGE)
    world.filled(qty="10")
    order = world.submit(side="sell", qty="10", type="trailing_stop", trail_price="2", time_in_force="gtc")
    world.wait(OPEN_TO_CLOSE_MS + 1000)
    world.move("AAPL", "119.90", "120.10", last="120.00")
    world.move("AAPL", "79.90", "80.10", last="80.00")
    assert (world.order(order.id).hwm, world.order(order.id).status) == (Decimal("99.95"), "new")


TRAILS: list[dict[str, Any]] = [
    {},
    {"trail_price": "1", "trail_percent": "1"},
    {"trail_price": "0"},
    {"trail_percent": "100"},
    {"trail_price": "1", "stop_price": "90"},
    {"type": "market", "trail_price": "1"},
]


@pytest.mark.parametrize("fields", TRAILS, ids=str)
def test_a_trailing_stop_has_exactly_one_trail(fields: dict[str, Any]) -> None:
    assert refusal(lambda: World().submit(**{"qty": "1", "type": "trailing_stop", **fields})).code == 40010001


def test_a_trail_is_good_for_day_and_gtc_and_below_the_price() -> None:
    world = World()
    world.filled(qty="1")
    ioc = {"qty": "1", "type": "trailing_stop", "trail_price": "1", "time_in_force": "ioc"}
    assert refusal(lambda: world.submit(**ioc)).code == 42210000
    deep = {"side": "sell", "qty": "1", "type": "trailing_stop", "trail_price": "100"}
    assert refusal(lambda: world.submit(**deep)).code == 42210000


@pytest.mark.parametrize(("collared", "status"), [(True, "new"), (False, "filled")])
def test_a_triggered_buy_stop_has_a_limit_unless_told_otherwise(status: str, *, collared: bool) -> None:
    world = World(replace(RULES, buy_stop_collar=collared))
    order = world.submit(qty="1", type="stop", stop_price="110")
    world.wait(100)
    world.move("AAPL", "119.90", "120.00")  # more than 2.5 % beyond the stop
    assert world.order(order.id).status == status


def test_a_stop_on_the_wrong_side_of_the_market_is_refused_unless_told_otherwise() -> None:
    for fields in ({"stop_price": "90"}, {"stop_price": "90", "type": "stop_limit", "limit_price": "91"}):
        error = refusal(lambda fields=fields: World().submit(**{"qty": "1", "type": "stop", **fields}))
        assert (error.status, error.code) == (422, 42210000)
    World(replace(RULES, stop_side_checked=False)).submit(qty="1", type="stop", stop_price="90")


@pytest.mark.parametrize(
    ("tif", "time", "taken"),
    [
        ("opg", at(9, 27), True),
        ("opg", at(9, 28), False),
        ("opg", at(12, 0), False),
        ("opg", at(18, 59), False),
        ("opg", at(19, 0), True),
        ("opg", at(12, 0, day=22), True),  # a Sunday
        ("cls", at(9, 0), True),
        ("cls", at(15, 49), True),
        ("cls", at(15, 50), False),
        ("cls", at(19, 0), True),
        ("cls", at(12, 50, day=27), False),  # the day after Thanksgiving closes at 13:00
    ],
)
def test_auction_orders_are_taken_in_their_windows(tif: str, time: datetime, *, taken: bool) -> None:
    world = World(EXCHANGE, start=time)
    if taken:
        assert world.submit(qty="1", time_in_force=tif).time_in_force == tif
    else:
        error = refusal(lambda: world.submit(qty="1", time_in_force=tif))
        assert (error.status, error.code) == (403, 40310000)


def test_an_opening_order_trades_at_the_open_or_is_canceled() -> None:
    world = World(EXCHANGE, start=at(8, 0))
    market = world.submit(qty="1", time_in_force="opg")
    limit = world.submit(qty="1", time_in_force="opg", type="limit", limit_price="90")
    assert market.status == "accepted"
    world.wait(90 * 60_000 - 1)
    assert world.order(market.id).status == "accepted"
    world.wait(1000)
    assert (world.order(market.id).status, world.order(limit.id).status) == ("filled", "canceled")


def test_a_closing_order_waits_for_the_close_though_it_could_trade_before() -> None:
    world = World(EXCHANGE)
    market = world.submit(qty="1", time_in_force="cls")
    limit = world.submit(qty="1", time_in_force="cls", type="limit", limit_price="90")
    world.wait(OPEN_TO_CLOSE_MS - 1)
    world.move("AAPL", "99.90", "100.00")
    assert (world.order(market.id).status, world.order(limit.id).status) == ("new", "new")
    world.wait(1)
    assert (world.order(market.id).status, world.order(limit.id).status) == ("filled", "canceled")


@pytest.mark.parametrize("tif", ["opg", "cls"])
def test_where_the_market_never_closes_an_auction_is_held_at_once(tif: str) -> None:
    world = World()
    assert world.filled(qty="1", time_in_force=tif).status == "filled"
    assert world.filled(qty="1", time_in_force=tif, type="limit", limit_price="90").status == "canceled"


def test_times_in_force_the_account_is_not_entitled_to_are_403() -> None:
    world = World(replace(RULES, entitled_tifs=frozenset({"ioc"})))
    world.submit(qty="1", time_in_force="ioc")
    assert refusal(lambda: world.submit(qty="1", time_in_force="cls")).status == 403


def test_a_gtc_order_is_canceled_after_ninety_days_by_way_of_pending_cancel() -> None:
    world = World(EXCHANGE)
    order = world.submit(qty="1", type="limit", limit_price="90", time_in_force="gtc")
    assert order.expires_at == datetime(2027, 2, 22, 21, 15, tzinfo=UTC)
    world.wait(92 * 24 * 3_600_000)
    assert world.events(order.id)[-2:] == ["pending_cancel", "canceled"]


def test_a_gtc_order_may_be_done_for_the_day_and_goes_on_in_the_morning() -> None:
    world = World(replace(EXCHANGE, done_for_day=True))
    order = world.submit(qty="1", type="limit", limit_price="90", time_in_force="gtc")
    world.wait(OPEN_TO_CLOSE_MS + 1000)
    assert world.order(order.id).status == "done_for_day"
    world.restart()
    world.wait(18 * 3_600_000)
    assert world.events(order.id) == ["pending_new", "new", "done_for_day", "new"]
    world.move("AAPL", "89.00", "89.10")
    assert world.order(order.id).status == "filled"


def test_an_extended_hours_order_trades_after_the_close() -> None:
    world = World(EXCHANGE, start=at(17, 0))
    order = world.submit(qty="1", type="limit", limit_price="101", extended_hours=True)
    waiting = world.submit(symbol="MSFT", qty="1", type="limit", limit_price="500")
    world.wait(1000)
    assert (world.order(order.id).status, world.order(waiting.id).status) == ("filled", "accepted")


@pytest.mark.parametrize(("carries", "left"), [(True, Decimal(4)), (False, Decimal(10))])
def test_a_replacements_qty_includes_what_was_filled_unless_told_otherwise(left: Decimal, *, carries: bool) -> None:
    world = World(replace(RULES, replacement_carries_fills=carries))
    old = world.submit(qty="100", type="limit", limit_price="95")
    world.wait(100)
    world.broker.book.put(_partly_filled(world, old.id, Decimal(6)))
    fresh = world.replace(old.id, qty="10")
    world.wait(100)
    assert world.order(fresh.id).qty == left


def _partly_filled(world: World, order_id: str, qty: Decimal) -> Any:
    ticket = world.broker.find(order_id)
    return replace(ticket, order=replace(ticket.order, filled_qty=qty, status="partially_filled"))


def test_a_client_order_id_may_be_used_again_after_its_order_ended_when_told_so() -> None:
    world = World(replace(RULES, client_id_reuse=True))
    first = world.submit(qty="1", client_order_id="again")
    assert refusal(lambda: world.submit(qty="1", client_order_id="again")).code == 40010001
    world.wait(100)
    second = world.submit(qty="1", client_order_id="again")
    found = world.store.find_client("again")
    assert found is not None
    assert found.order.id == second.id != first.id


def test_the_first_check_that_fails_answers() -> None:
    wanted = {"qty": "100000", "type": "limit", "limit_price": "100"}
    for first, message in (("wash", "wash"), ("power", "buying power")):
        rest = tuple(name for name in Rules().check_order if name != first)
        world = World(replace(RULES, check_order=(first, *rest)))
        world.filled(qty="1")
        world.submit(side="sell", qty="1", type="limit", limit_price="99.99")
        assert message in refusal(lambda world=world: world.submit(**wanted)).message


def test_buying_power_may_count_from_yesterdays_close() -> None:
    world = World(replace(RULES, power_formula="last_equity"))
    world.filled(qty="100")
    world.set_quote("AAPL", "199.95", "200.05")
    assert world.broker.worth().buying_power == Decimal(400_000) - Decimal(10_000)
