"""What befalls the system while it works: one entry each in `HAZARDS`; a run is exposed to some of them."""

from collections.abc import Callable
from decimal import Decimal
from typing import TYPE_CHECKING

from msgspec.structs import replace

from contracts.controls import KillEngaged, KillReleased, LimitsSet
from contracts.enums import KillMode, OrderType, Role, Side
from contracts.orders import OrderTerms

if TYPE_CHECKING:
    from tests.simulation.world import World

type Hazard = Callable[["World"], None]

WRITERS = (Role.RISK, Role.OMS)
EVERYBODY = (Role.RISK, Role.OMS, Role.OMS, Role.AUDIT)


def kill_a_process(world: "World") -> None:
    """Kill one process where it stands."""
    runtime = world.crew.one_of(world.chance.pick(EVERYBODY))
    if runtime is not None:
        runtime.process.die("in the middle of it")


def light_a_fuse(world: "World") -> None:
    """Let one process die right before or right after something that it sends soon."""
    runtime = world.crew.one_of(world.chance.pick(WRITERS))
    if runtime is not None:
        runtime.process.fuse = world.chance.whole(1, 12)
        runtime.process.dies_after_sending = world.chance.happens(0.6)


def pause_a_process(world: "World") -> None:
    """Let one process hang, sometimes for longer than its lease."""
    world.crew.pause(world.chance.pick(WRITERS), world.chance.weighted([(2, 0.5), (2, 3.0), (3, 7.0)]))


def stall_a_link(world: "World") -> None:
    """Hold back what a process writes, and kill it or let it go on: its words arrive when another may write."""
    runtime = world.crew.one_of(world.chance.pick(WRITERS))
    if runtime is None:
        return
    seconds = world.chance.between(0.2, 4)
    world.note("{}'s link stalls for {:.2f} s", runtime.process.name, seconds)
    runtime.link.stall(seconds)
    if world.chance.happens(0.5):
        loop = world.server.loop
        loop.at(loop.time() + world.chance.between(0, seconds), runtime.process.die, "behind a stalled link")


def cut_a_link(world: "World") -> None:
    """Break a process's link to the streams."""
    runtime = world.crew.one_of(world.chance.pick(EVERYBODY))
    if runtime is not None:
        world.note("{}'s link breaks", runtime.process.name)
        runtime.link.cut()


def cut_the_socket(world: "World") -> None:
    """Break the broker's socket for a while."""
    world.wire.cut_sockets(world.chance.between(0.1, 6))


def lose_the_broker(world: "World") -> None:
    """Let the broker be gone for a while: no requests, no socket."""
    seconds = world.chance.between(0.3, 8)
    world.note("the broker is gone for {:.2f} s", seconds)
    world.wire.weather.down_until = world.server.loop.time() + seconds
    world.wire.cut_sockets(seconds)


def storm_of_429(world: "World") -> None:
    """Let the broker turn every request away for a while."""
    seconds = world.chance.between(0.3, 5)
    world.note("429 for {:.2f} s", seconds)
    world.wire.weather.limited_until = world.server.loop.time() + seconds


def end_an_order(world: "World") -> None:
    """Let the broker cancel or expire an order of its own will."""
    still_open = [order for order in world.venue.orders if order.is_open]
    if still_open:
        world.venue.end(world.chance.pick(still_open), world.chance.pick(("canceled", "expired")))


def jump(world: "World") -> None:
    """Let the market jump by a percent or two."""
    symbol = world.chance.pick(list(world.venue.quotes))
    world.market.jump(symbol, Decimal(world.chance.whole(-200, 200)) / 10_000)


def go_silent(world: "World") -> None:
    """Let the quotes of one symbol stop, so that they grow old."""
    world.market.silence(world.chance.pick(list(world.venue.quotes)), world.chance.between(2, 8))


def pull_the_switch(world: "World") -> None:
    """Engage the kill switch, and release it after a while."""
    mode = world.chance.pick(tuple(KillMode))
    now = world.server.clock.now()
    world.server.control(KillEngaged(epoch=0, at=now, mode=mode, by="operator", reason="hazard"))
    loop = world.server.loop
    loop.at(loop.time() + world.chance.between(0.5, 8), release, world)


def release(world: "World") -> None:
    """Release the kill switch, unless the run is over."""
    if not world.is_over:
        world.server.control(KillReleased(epoch=0, at=world.server.clock.now(), by="operator", reason="over"))


def cut_limits(world: "World") -> None:
    """Halve or restore the account's limits."""
    world.limits_version += 1
    part = world.chance.pick((Decimal("0.5"), Decimal(1)))
    full = world.limits
    limits = replace(
        full,
        max_position_notional_usd=full.max_position_notional_usd * part,
        max_gross_exposure_usd=full.max_gross_exposure_usd * part,
    )
    now, version = world.server.clock.now(), world.limits_version
    world.server.control(LimitsSet(epoch=0, at=now, version=version, limits=limits, by="operator", reason="hazard"))


def place_by_hand(world: "World") -> None:
    """Place an order at the broker past Lockgate."""
    symbol = world.chance.pick(list(world.venue.quotes))
    quoted = world.venue.quotes[symbol]
    side, qty = world.chance.pick((Side.BUY, Side.SELL)), Decimal(world.chance.whole(1, 4))
    price = quoted.bid if side is Side.BUY else quoted.ask
    limit = world.chance.happens(0.5)
    terms = OrderTerms(
        symbol=symbol,
        side=side,
        order_type=OrderType.LIMIT if limit else OrderType.MARKET,
        qty=qty,
        limit_price=price if limit else None,
    )
    world.manual_orders += 1
    world.note("somebody places {} {} {} by hand", side, qty, symbol)
    world.venue.place(f"manual-{world.manual_orders}", terms)


HAZARDS: list[tuple[int, Hazard]] = [
    (4, kill_a_process),
    (6, light_a_fuse),
    (3, pause_a_process),
    (4, stall_a_link),
    (2, cut_a_link),
    (3, cut_the_socket),
    (2, lose_the_broker),
    (2, storm_of_429),
    (3, end_an_order),
    (2, jump),
    (1, go_silent),
    (2, pull_the_switch),
    (1, cut_limits),
    (1, place_by_hand),
]
"""What may happen, by weight."""

WEATHERS: dict[str, float] = {
    "lost_request": 0.08,
    "lost_answer": 0.12,
    "late_request": 0.08,
    "refused": 0.06,
    "rate_limited": 0.05,
    "not_sent": 0.05,
    "unread": 0.08,
    "blind_look_up": 0.1,
    "dropped_update": 0.15,
    "repeated_update": 0.15,
    "overtaken_update": 0.2,
    "nameless_update": 0.05,
    "cumulative_update": 0.05,
}
"""The worst that each way of being bad gets."""
