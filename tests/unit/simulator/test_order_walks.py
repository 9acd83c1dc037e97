"""Whatever is asked in whatever order: no exit opens a position, nothing is held twice, sums stay exact."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.simulator.core.errors import BrokerError
from services.simulator.core.rules import Rules
from tests.unit.simulator.world import World

BRACKET: dict[str, Any] = {"take_profit": {"limit_price": "103"}, "stop_loss": {"stop_price": "97"}}
SHORT_BRACKET: dict[str, Any] = {"take_profit": {"limit_price": "97"}, "stop_loss": {"stop_price": "103"}}
KINDS: list[dict[str, Any]] = [
    {},
    {"side": "sell"},
    {"type": "limit", "limit_price": "99"},
    {"type": "limit", "limit_price": "101", "side": "sell"},
    {"type": "trailing_stop", "trail_price": "2", "side": "sell"},
    {"type": "trailing_stop", "trail_percent": "1"},
    {"order_class": "bracket", **BRACKET},
    {"order_class": "bracket", "type": "limit", "limit_price": "99", **BRACKET},
    {"order_class": "bracket", "side": "sell", **SHORT_BRACKET},
    {"order_class": "oto", "stop_loss": BRACKET["stop_loss"]},
    {"order_class": "oco", "type": "limit", "side": "sell", **BRACKET},
    {"order_class": "oco", "type": "limit", "side": "buy", **SHORT_BRACKET},
]
SUBMITS = st.tuples(st.just("submit"), st.sampled_from(KINDS), st.integers(1, 9))
MOVES = st.tuples(st.just("move"), st.integers(95, 105), st.integers(0, 60))
ASKS = st.tuples(st.sampled_from(["cancel", "replace"]), st.integers(0, 9), st.integers(0, 40))
RESTARTS = st.tuples(st.just("restart"), st.just(0), st.just(0))
STEPS = st.lists(st.one_of(SUBMITS, MOVES, ASKS, RESTARTS), max_size=25)


def step(world: World, verb: str, what: Any, number: int) -> None:
    """Do one thing; what the broker refuses has no effect."""
    try:
        match verb:
            case "submit":
                world.submit(**{"qty": str(number), "time_in_force": "gtc", **what})
            case "move":
                world.move("AAPL", str(what - 0.05), str(what + 0.05))
                world.wait(number)
            case "restart":
                world.restart()
            case _:
                ask(world, verb, what, number)
    except BrokerError:
        return


def ask(world: World, verb: str, place: int, wait_ms: int) -> None:
    """Cancel or reprice one of the open orders."""
    tickets = list(world.broker.book.tickets.values())
    if not tickets:
        return
    order = tickets[place % len(tickets)].order
    if verb == "cancel":
        world.cancel(order.id)
    elif order.limit_price is not None:
        world.replace(order.id, limit_price=str(order.limit_price + 1))
    world.wait(wait_ms)


@given(STEPS, st.sampled_from([0, 100]))
def test_every_walk_keeps_the_books_in_order(steps: list[tuple[str, Any, int]], partial_percent: int) -> None:
    world = World(Rules(ack_ms=10, route_ms=5, fill_ms=10, cancel_ms=10, partial_percent=partial_percent))
    cash = world.broker.book.account.cash_usd
    for verb, what, number in steps:
        step(world, verb, what, number)
        check(world)
    world.wait(1000)
    check(world)
    settled = {"new", "partially_filled", "held"}
    assert {ticket.order.status for ticket in world.broker.book.tickets.values()} <= settled
    assert world.broker.book.account.cash_usd == cash - spent(world)


def check(world: World) -> None:
    """Hold what must be so after every step."""
    book = world.broker.book
    held, position = book.held_qty("AAPL"), book.qty("AAPL")
    assert 0 <= held <= abs(position)
    assert book.reserved_usd == sum((ticket.reserved_usd() for ticket in book.tickets.values()), Decimal(0))
    for update in world.updates:
        is_exit = update.order.group_role in {"take_profit", "stop_loss"}
        if update.event in {"fill", "partial_fill"} and is_exit:
            buys = update.order.side == "buy"
            assert update.position_qty <= 0 if buys else update.position_qty >= 0
    for members in book.by_group.values():
        roles = [t.order.group_role for t in members.values() if t.order.status in {"new", "partially_filled"}]
        assert len(roles) == len(set(roles))
    world_ids = [update.event_id for update in world.updates]
    assert world_ids == sorted(set(world_ids))


def spent(world: World) -> Decimal:
    """Return what all executions have cost, sales counted against it."""
    total = Decimal(0)
    for update in world.updates:
        if isinstance(update.qty, Decimal) and isinstance(update.price, Decimal):
            total += update.qty * update.price * (1 if update.order.side == "buy" else -1)
    return total
