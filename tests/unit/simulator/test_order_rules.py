"""What the broker refuses: forms, ids, wash trades, quantities and buying power."""

from decimal import Decimal
from typing import Any

import pytest

from services.simulator.core.book import Configurations
from tests.unit.simulator.world import World, refusal

MALFORMED: list[dict[str, Any]] = [
    {"symbol": None},
    {"side": "hold"},
    {"side": None},
    {"type": "iceberg"},
    {"type": None},
    {"time_in_force": "forever"},
    {"qty": None},
    {"qty": "10", "notional": "10"},
    {"qty": "0"},
    {"qty": "-10"},
    {"qty": "NaN"},
    {"qty": "Infinity"},
    {"qty": "1e400"},
    {"qty": "ten"},
    {"qty": "0.0000000001"},
    {"qty": "1", "type": "limit"},
    {"qty": "1", "type": "limit", "limit_price": "0"},
    {"qty": "1", "type": "limit", "limit_price": "-5"},
    {"qty": "1", "limit_price": "5"},
    {"qty": "1", "type": "stop"},
    {"qty": "1", "client_order_id": "x" * 129},
]
UNPROCESSABLE: list[dict[str, Any]] = [
    {"qty": "1", "symbol": "NOPE"},
    {"qty": "1", "type": "limit", "limit_price": "100.001"},
    {"qty": "1", "type": "limit", "limit_price": "0.12345"},
    {"qty": "0.5", "time_in_force": "gtc"},
    {"notional": "50", "time_in_force": "ioc"},
    {"notional": "50", "type": "limit", "limit_price": "100"},
    {"qty": "1", "extended_hours": True},
    {"qty": "1", "type": "stop", "stop_price": "90", "time_in_force": "ioc"},
    {"qty": "0.5", "side": "sell"},
    {"qty": "1", "position_intent": "sell_to_open"},
]


@pytest.mark.parametrize("fields", MALFORMED, ids=str)
def test_a_malformed_order_is_422_40010001(fields: dict[str, Any]) -> None:
    error = refusal(lambda: World().submit(**fields))
    assert (error.status, error.code) == (422, 40010001)
    assert error.message


@pytest.mark.parametrize("fields", UNPROCESSABLE, ids=str)
def test_a_well_formed_order_against_the_rules_is_422_42210000(fields: dict[str, Any]) -> None:
    error = refusal(lambda: World().submit(**fields))
    assert (error.status, error.code) == (422, 42210000)


def test_numbers_may_be_json_floats_as_the_sdk_sends_them() -> None:
    world = World()
    assert world.submit(qty=1.0).qty == Decimal(1)
    assert world.submit(qty=0.30000000000000004).qty == Decimal("0.3")
    assert world.submit(notional=5e1).notional == Decimal(50)


def test_a_client_order_id_is_unique_for_ever() -> None:
    world = World()
    world.filled(qty="1", client_order_id="once")
    error = refusal(lambda: world.submit(qty="1", client_order_id="once"))
    assert (error.status, error.code, error.message) == (422, 40010001, "client_order_id must be unique")
    world.restart()
    assert refusal(lambda: world.submit(qty="1", client_order_id="once")).code == 40010001


def test_buying_power_is_reserved_by_open_orders_and_then_refused() -> None:
    world = World(cash="1000")
    world.submit(qty="6", type="limit", limit_price="100")
    error = refusal(lambda: world.submit(qty="6", type="limit", limit_price="90"))
    assert (error.status, error.code) == (403, 40310000)
    assert error.extra == {"buying_power": "400", "cost_basis": "540"}
    world.submit(qty="4", type="limit", limit_price="90")


def test_a_canceled_order_gives_its_buying_power_back() -> None:
    world = World(cash="1000")
    order = world.submit(qty="10", type="limit", limit_price="99")
    world.cancel(order.id)
    world.wait(100)
    assert world.broker.book.reserved_usd == 0
    world.submit(qty="10", type="limit", limit_price="99")


def test_a_flat_account_has_four_times_its_equity_and_a_position_uses_it_up() -> None:
    world = World()
    assert world.broker.worth().buying_power == Decimal(400_000)
    world.filled(qty="100")
    world.set_quote("AAPL", "99.99", "100.01")
    assert world.broker.worth().equity == Decimal(100_000)
    assert world.broker.worth().buying_power == Decimal(390_000)


def test_an_account_under_two_thousand_dollars_gets_no_credit_and_cannot_short() -> None:
    world = World(cash="1999")
    assert world.broker.worth().buying_power == Decimal(1999)
    assert "not allowed to short" in refusal(lambda: world.submit(side="sell", qty="1")).message


def test_a_short_sale_reserves_three_percent_above_the_ask() -> None:
    world = World()
    world.submit(side="sell", qty="10")
    assert world.broker.book.reserved_usd == Decimal(1030)
    world.wait(100)
    assert world.broker.book.qty("AAPL") == Decimal(-10)
    assert world.broker.book.reserved_usd == 0


def test_shares_held_by_an_open_sell_cannot_be_sold_again() -> None:
    world = World()
    world.filled(qty="10")
    held = world.submit(side="sell", qty="6", type="limit", limit_price="120")
    error = refusal(lambda: world.submit(side="sell", qty="5", type="limit", limit_price="120"))
    assert error.code == 40310000
    assert error.extra["available"] == "4"
    assert error.extra["held_for_orders"] == "6"
    assert error.extra["related_orders"] == [held.id]


def test_a_long_position_is_never_flipped_by_one_order() -> None:
    world = World()
    world.filled(qty="10")
    error = refusal(lambda: world.submit(side="sell", qty="15"))
    assert (error.status, error.extra["available"]) == (403, "10")


def test_a_short_sale_is_refused_while_a_buy_is_open() -> None:
    world = World()
    world.submit(qty="5", type="limit", limit_price="90")
    error = refusal(lambda: world.submit(side="sell", qty="5", type="limit", limit_price="110"))
    assert "short sell while a long buy order is open" in error.message


@pytest.mark.parametrize(
    ("sell", "refused"),
    [
        ({"type": "market"}, True),
        ({"type": "limit", "limit_price": "95"}, True),
        ({"type": "limit", "limit_price": "94"}, True),
        ({"type": "limit", "limit_price": "96"}, False),
        ({"type": "stop", "stop_price": "80"}, True),
    ],
)
def test_an_order_that_could_meet_the_accounts_own_is_a_wash_trade(sell: dict[str, str], *, refused: bool) -> None:
    world = World()
    world.filled(qty="10")
    buy = world.submit(qty="1", type="limit", limit_price="95")
    if not refused:
        world.submit(side="sell", qty="5", **sell)
        return
    error = refusal(lambda: world.submit(side="sell", qty="5", **sell))
    assert (error.status, error.extra["existing_order_id"]) == (403, buy.id)


def test_suspended_trading_refuses_new_orders() -> None:
    world = World()
    world.act(lambda broker, _now: broker.configure(Configurations(suspend_trade=True)))
    assert refusal(lambda: world.submit(qty="1")).status == 403


def test_closing_by_percentage_sells_that_part() -> None:
    world = World()
    world.filled(qty="10")
    order = world.act(lambda broker, now: broker.close("AAPL", None, Decimal("12.5"), now))
    assert (order.side, order.qty, order.position_intent) == ("sell", Decimal("1.25"), "sell_to_close")


def test_closing_a_short_buys_it_back() -> None:
    world = World()
    world.filled(side="sell", qty="10")
    order = world.act(lambda broker, now: broker.close("AAPL", None, None, now))
    world.wait(100)
    assert (order.side, order.position_intent) == ("buy", "buy_to_close")
    assert world.broker.book.positions == {}


def test_closing_everything_cancels_first_when_asked_and_says_why_not_when_not() -> None:
    world = World()
    world.filled(qty="10")
    world.submit(side="sell", qty="10", type="limit", limit_price="120")
    refused = world.act(lambda broker, now: broker.close_all(now, cancel_orders=False))
    assert "insufficient qty" in str(refused[0][1])
    world.act(lambda broker, now: broker.close_all(now, cancel_orders=True))
    world.wait(100)
    assert world.broker.book.positions == {}
    assert world.broker.book.tickets == {}


def test_closing_what_is_not_held_is_404() -> None:
    error = refusal(lambda: World().act(lambda broker, now: broker.close("AAPL", None, None, now)))
    assert (error.status, error.code) == (404, 40410000)
