"""Brackets, OCO and OTO: exits wait, wake, shrink and end with the other members of their group."""

from decimal import Decimal
from typing import Any

import pytest

from services.simulator.core.orders import Execution, Order
from services.simulator.core.rules import Rules
from tests.unit.simulator.world import RULES, World, refusal

PROFIT, STOP = {"limit_price": "110"}, {"stop_price": "90"}
BRACKET: dict[str, Any] = {
    "qty": "10", "order_class": "bracket", "time_in_force": "gtc", "take_profit": PROFIT, "stop_loss": STOP,
}  # fmt: skip
OCO: dict[str, Any] = {**BRACKET, "order_class": "oco", "side": "sell", "type": "limit"}


def legs(order: Order) -> tuple[Order, Order]:
    """Return the take-profit and the stop-loss of an answer."""
    assert order.legs is not None
    first, second = order.legs
    return first, second


def statuses(world: World, *orders: Order) -> list[str]:
    return [world.order(order.id).status for order in orders]


def test_the_answer_nests_two_held_exits_of_one_group() -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    profit, stop = legs(entry)
    assert (entry.order_class, entry.group_role, profit.group_role, stop.group_role) == (
        "bracket", "entry", "take_profit", "stop_loss",
    )  # fmt: skip
    assert entry.group_id == profit.group_id == stop.group_id
    assert [(leg.type, leg.side, leg.status, leg.position_intent) for leg in (profit, stop)] == [
        ("limit", "sell", "held", "sell_to_close"),
        ("stop", "sell", "held", "sell_to_close"),
    ]
    assert (profit.limit_price, stop.stop_price) == (Decimal(110), Decimal(90))
    assert world.events(profit.id) == world.events(stop.id) == ["held"]
    assert world.broker.book.reserved_usd == Decimal(950)


def test_exits_sleep_until_the_entry_is_completely_filled() -> None:
    world = World(Rules(ack_ms=0, route_ms=0, fill_ms=0, partial_percent=0))
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    profit, stop = legs(entry)
    world.move("AAPL", "110.50", "110.60")  # beyond both exits, yet there is nothing to exit
    world.wait(10)
    assert statuses(world, entry, profit, stop) == ["new", "held", "held"]
    world.move("AAPL", "94.00", "94.10")
    assert statuses(world, entry, profit, stop) == ["filled", "new", "new"]
    assert world.broker.book.held_qty("AAPL") == Decimal(10)


@pytest.mark.parametrize(
    ("bid", "ask", "ended"),
    [("110.00", "110.10", ["filled", "canceled"]), ("89.90", "90.00", ["canceled", "filled"])],
)
def test_a_filled_exit_cancels_the_other(bid: str, ask: str, ended: list[str]) -> None:
    world = World()
    profit, stop = legs(world.submit(**BRACKET))
    world.wait(200)
    world.move("AAPL", bid, ask)
    assert statuses(world, profit, stop) == ended
    assert world.broker.book.positions == {}
    assert world.broker.book.tickets == {}


def test_a_partial_take_profit_leaves_the_stop_with_the_rest() -> None:
    world = World(Rules(ack_ms=0, route_ms=0, fill_ms=0, partial_percent=0))
    profit, stop = legs(world.submit(**{**BRACKET, "qty": "100"}))
    world.wait(10)
    world.broker.retune(Rules(ack_ms=0, route_ms=0, fill_ms=0, partial_percent=100))
    world.move("AAPL", "110.00", "110.10")
    restated = [u.order.qty for u in world.updates if u.event == "restated" and u.order.id == stop.id]
    told = [u.order.filled_qty for u in world.updates if u.event == "partial_fill" and u.order.id == profit.id]
    assert restated == [100 - filled for filled in told]
    assert restated
    assert statuses(world, profit, stop) == ["filled", "canceled"]


def test_canceling_one_exit_cancels_the_other() -> None:
    world = World()
    profit, stop = legs(world.submit(**BRACKET))
    world.wait(200)
    world.cancel(stop.id)
    world.wait(100)
    assert statuses(world, profit, stop) == ["canceled", "canceled"]
    assert world.broker.book.held_qty("AAPL") == 0


def test_canceling_the_entry_cancels_its_sleeping_exits() -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    profit, stop = legs(entry)
    world.wait(100)
    world.cancel(entry.id)
    world.wait(100)
    assert statuses(world, entry, profit, stop) == ["canceled", "canceled", "canceled"]


def test_the_exits_of_a_short_bracket_buy_and_hold_nothing_back() -> None:
    world = World()
    exits = {"take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "110", "limit_price": "112"}}
    entry = world.submit(**{**BRACKET, **exits}, side="sell")
    profit, stop = legs(entry)
    world.wait(200)
    assert (profit.side, stop.side, stop.type, stop.limit_price) == ("buy", "buy", "stop_limit", Decimal(112))
    assert world.broker.book.reserved_usd == 0
    world.move("AAPL", "109.90", "110.10", last="110.00")
    assert statuses(world, entry, profit, stop) == ["filled", "canceled", "filled"]
    assert world.broker.book.positions == {}


def test_an_oco_is_its_take_profit_with_the_stop_as_leg_and_holds_the_shares_once() -> None:
    world = World()
    world.filled(qty="10")
    oco = world.submit(**OCO)
    assert (oco.type, oco.limit_price, oco.group_role) == ("limit", Decimal(110), "take_profit")
    assert oco.legs is not None
    (stop,) = oco.legs
    world.wait(100)
    assert statuses(world, oco, stop) == ["new", "new"]
    assert world.broker.book.held_qty("AAPL") == Decimal(10)
    assert refusal(lambda: world.submit(side="sell", qty="1", type="limit", limit_price="120")).status == 403
    world.move("AAPL", "89.00", "89.10")
    assert statuses(world, oco, stop) == ["canceled", "filled"]


def test_an_oto_has_one_exit() -> None:
    world = World()
    order = world.submit(qty="10", order_class="oto", time_in_force="day", stop_loss=STOP)
    assert order.legs is not None
    world.wait(200)
    assert [world.order(leg.id).status for leg in order.legs] == ["new"]


def test_shares_sold_meanwhile_are_not_sold_again_by_the_exits() -> None:
    world = World(Rules(ack_ms=0, route_ms=0, fill_ms=50, partial_percent=0))
    world.filled(qty="4")
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    world.wait(100)
    world.move("AAPL", "94.00", "94.10")
    world.wait(100)
    first, second = legs(entry)
    assert world.order(first.id).qty == world.order(second.id).qty == Decimal(10)
    assert refusal(lambda: world.submit(side="sell", qty="5")).extra["available"] == "4"


@pytest.mark.parametrize("restart", [False, True])
def test_a_replaced_exit_sleeps_on_and_wakes_with_its_entry(*, restart: bool) -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    profit, stop = legs(entry)
    world.wait(100)
    fresh = world.replace(profit.id, limit_price="111")
    world.wait(100)
    assert statuses(world, profit, fresh, stop) == ["replaced", "held", "held"]
    assert (fresh.group_id, fresh.group_role) == (entry.group_id, "take_profit")
    if restart:
        world.restart()
    world.move("AAPL", "94.00", "94.10")
    world.wait(100)
    assert statuses(world, entry, fresh, stop) == ["filled", "new", "new"]
    world.move("AAPL", "111.00", "111.10")
    assert statuses(world, fresh, stop) == ["filled", "canceled"]


def test_a_working_exit_is_replaced_while_the_other_holds_the_same_shares() -> None:
    world = World()
    profit, stop = legs(world.submit(**BRACKET))
    world.wait(200)
    fresh = world.replace(stop.id, stop_price="92")
    world.wait(100)
    assert statuses(world, profit, stop, fresh) == ["new", "replaced", "new"]
    world.move("AAPL", "91.90", "92.00")
    assert statuses(world, profit, fresh) == ["canceled", "filled"]


def test_a_replaced_exit_stays_on_its_side_of_the_other_and_of_the_market() -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    profit, stop = legs(entry)
    assert refusal(lambda: world.replace(profit.id, limit_price="90")).code == 42210000
    assert refusal(lambda: world.replace(stop.id, stop_price="110")).code == 42210000
    world.move("AAPL", "94.00", "94.10")
    world.wait(200)
    assert refusal(lambda: world.replace(stop.id, stop_price="94.50")).code == 42210000


def test_a_half_filled_entry_that_is_canceled_takes_its_exits_along() -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    world.wait(100)
    ticket = world.broker.find(entry.id)
    world.act(lambda broker, now: broker.recorder.execute(ticket, Execution(Decimal(4), Decimal(95)), now))
    world.cancel(entry.id)
    world.wait(100)
    assert statuses(world, entry, *legs(entry)) == ["canceled", "canceled", "canceled"]
    assert world.broker.book.qty("AAPL") == Decimal(4)


def test_the_exits_of_a_replaced_entry_hang_on_its_replacement() -> None:
    world = World()
    entry = world.submit(**BRACKET, type="limit", limit_price="95")
    world.wait(100)
    fresh = world.replace(entry.id, limit_price="96")
    world.wait(100)
    nested = world.broker.nested(world.broker.find(fresh.id))
    assert [leg.id for leg in legs(nested)] == [leg.id for leg in legs(entry)]
    assert refusal(lambda: world.replace(fresh.id, qty="11")).code == 42210000


def test_day_exits_end_with_their_entry_at_the_close() -> None:
    world = World(Rules(always_open=False, partial_percent=0))
    entry = world.submit(**{**BRACKET, "time_in_force": "day"}, type="limit", limit_price="95")
    world.wait(8 * 3_600_000)
    assert statuses(world, entry, *legs(entry)) == ["expired", "expired", "expired"]


def test_members_of_a_group_are_no_wash_trades() -> None:
    world = World()
    world.submit(**BRACKET)
    world.wait(200)
    world.submit(qty="1")


MALFORMED: list[dict[str, Any]] = [
    {"stop_loss": None},
    {"take_profit": None},
    {"take_profit": {}},
    {"order_class": "simple"},
    {"order_class": "oto"},
    {"order_class": "pair"},
    {"order_class": "oco", "type": "market"},
    {"stop_loss": {"stop_price": "0"}},
]
UNPROCESSABLE: list[dict[str, Any]] = [
    {"order_class": "mleg"},
    {"qty": "0.5", "time_in_force": "day"},
    {"time_in_force": "ioc"},
    {"type": "limit", "limit_price": "100", "extended_hours": True},
    {"take_profit": {"limit_price": "89"}},
    {"stop_loss": {"stop_price": "99.96"}},  # the last trade is 99.95
    {"type": "limit", "limit_price": "95", "stop_loss": {"stop_price": "95"}},
    {"side": "sell"},
    {"type": "trailing_stop", "trail_price": "1"},
]


@pytest.mark.parametrize(
    ("fields", "code"), [*((f, 40010001) for f in MALFORMED), *((f, 42210000) for f in UNPROCESSABLE)]
)
def test_a_complex_order_against_its_rules_is_422(fields: dict[str, Any], code: int) -> None:
    error = refusal(lambda: World().submit(**{**BRACKET, **fields}))
    assert (error.status, error.code) == (422, code)


def test_a_bracket_enters_and_an_oco_exits() -> None:
    world = World()
    cover = {**OCO, "side": "buy", "take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "110"}}
    assert refusal(lambda: world.submit(**cover)).message == "oco orders must be exit orders"
    world.filled(qty="10")
    closing = {**BRACKET, "side": "sell", "take_profit": {"limit_price": "90"}, "stop_loss": {"stop_price": "110"}}
    assert refusal(lambda: world.submit(**closing)).message == "bracket orders must be entry orders"


def test_closing_everything_ends_whole_groups_first() -> None:
    world = World(RULES)
    world.submit(**BRACKET)
    world.wait(200)
    world.act(lambda broker, now: broker.close_all(now, cancel_orders=True))
    world.wait(100)
    assert world.broker.book.positions == {}
    assert world.broker.book.by_group == {}
