"""The OMS when orders themselves go astray: cancels that hang or lose, trades taken back, clocks that differ."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from contracts.enums import OrderStatus
from contracts.ids import OrderId
from tests.integration.faulty_oms import HASTY, MARKET, RESTING, FaultyOms, oms_at, trade, world_at
from tests.unit.oms.order_stories import terms
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

LIMIT_S = 60
SOON_S = 3.0
LOST = {"fault": "drop_update"}

Story = Callable[[FaultyOms], Awaitable[None]]
Told = Callable[[Story], None]


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    found = RunningSimulator(tmp_path / "data")
    yield found
    found.close()


@pytest.fixture
def told(simulator: RunningSimulator) -> Told:
    """Run one story of an OMS at a fresh simulator."""

    def run(story: Story) -> None:
        async def within() -> None:
            async with asyncio.timeout(LIMIT_S), oms_at(simulator) as world:
                await story(world)

        asyncio.run(within())

    return run


lost_or_not = pytest.mark.parametrize("lost", [False, True], ids=["updates come", "updates are lost"])


async def may_lose_updates(world: FaultyOms, *, lost: bool) -> None:
    if lost:
        await world.arm(**LOST)


@lost_or_not
def test_a_cancel_that_hangs_stays_pending_until_the_broker_ends_it(told: Told, *, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        stuck = await world.arm(fault="stuck_cancel")
        order_id = await world.send(RESTING)
        await world.shows(order_id, "new")
        await world.cancel(order_id)
        await world.settled(order_id, OrderStatus.PENDING_CANCEL)
        await world.agree()
        await world.ask("DELETE", f"/control/faults/{stuck['id']}")
        await world.settled(order_id, OrderStatus.CANCELED)
        await world.agree()

    told(story)


@lost_or_not
def test_an_order_whose_cancel_hangs_may_fill(told: Told, *, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        await world.arm(fault="stuck_cancel")
        order_id = await world.send(RESTING)
        await world.shows(order_id, "new")
        await world.cancel(order_id)
        await world.shows(order_id, "pending_cancel")
        await world.quote("89.00", "89.50")
        await world.settled(order_id, OrderStatus.FILLED)
        await world.agree()

    told(story)


@lost_or_not
@pytest.mark.parametrize(("outcome", "status"), [("fill", OrderStatus.FILLED), ("rejected", OrderStatus.WORKING)])
def test_a_cancel_that_comes_too_late_leaves_what_the_broker_says(
    told: Told, outcome: str, status: OrderStatus, *, lost: bool
) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        await world.arm(fault="lose_cancel", outcome=outcome, times=1)
        order_id = await world.send(RESTING)
        await world.shows(order_id, "new")
        await world.cancel(order_id)
        await until(lambda: "OrderCancelRequested" in world.story(order_id))
        await world.settled(order_id, status)
        await world.agree()

    told(story)


@lost_or_not
@pytest.mark.parametrize("name", ["never_acknowledged", "never_new"])
def test_an_order_nobody_acknowledges_is_held_for_open_and_can_still_fill(
    told: Told, name: str, *, lost: bool
) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        silent = await world.arm(fault=name)
        order_id = await world.send(MARKET)
        await world.settled(order_id, OrderStatus.ACKED)
        await world.comparing(3)
        await world.agree()
        await world.ask("DELETE", f"/control/faults/{silent['id']}")
        await world.settled(order_id, OrderStatus.FILLED)
        await world.agree()

    told(story)


@lost_or_not
def test_an_order_taken_and_rejected_later_ends_rejected(told: Told, *, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        await world.arm(fault="reject_later", times=1)
        order_id = await world.send(MARKET)
        await world.settled(order_id, OrderStatus.REJECTED)
        await world.agree()
        await trade(world)
        await world.agree()

    told(story)


@lost_or_not
@pytest.mark.parametrize("refused", [False, True], ids=["succeeds", "is rejected"])
def test_a_replacement_by_another_hand_leaves_what_the_broker_says(told: Told, *, refused: bool, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        if refused:
            await world.arm(fault="reject_replace")
        order_id = await world.send(RESTING)
        await world.settled(order_id, OrderStatus.WORKING)
        broker_id = (await world.orders())[order_id]["id"]
        await world.ask("PATCH", f"/v2/orders/{broker_id}", {"limit_price": "91"})
        await world.shows(order_id, "new" if refused else "replaced")
        await world.comparing(3)
        await world.agree(SOON_S)
        await world.quote("89.00", "89.50")
        await world.agree()

    told(story)


@lost_or_not
@pytest.mark.parametrize(
    "change",
    [
        {"fault": "bust_trade"},
        {"fault": "bust_trade", "activities": "record"},
        {"fault": "correct_trade", "price": "99"},
        {"fault": "correct_trade", "qty": "6"},
    ],
    ids=lambda change: " ".join(change.values()),
)
def test_a_trade_taken_back_or_corrected_is_so_in_the_journal_too(
    told: Told, change: dict[str, str], *, lost: bool
) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        first, second = await world.send(MARKET), await world.send(terms(7, limit=None))
        for order_id in (first, second):
            await world.settled(order_id, OrderStatus.FILLED)
        await world.agree()
        await world.arm(**change, client_order_id=first)
        await world.comparing(3)
        await world.agree(SOON_S)

    told(story)


BY_HAND = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}


@lost_or_not
def test_an_order_placed_by_another_hand_is_adopted_with_its_fills(told: Told, *, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        await world.ask("POST", "/v2/orders", {**BY_HAND, "type": "limit", "limit_price": "95"})
        await world.agree()
        await world.quote("94.00", "94.50")
        await world.agree()

    told(story)


@lost_or_not
def test_an_order_by_another_hand_that_fills_at_once_is_adopted_too(told: Told, *, lost: bool) -> None:
    async def story(world: FaultyOms) -> None:
        await may_lose_updates(world, lost=lost)
        await world.ask("POST", "/v2/orders", {**BY_HAND, "client_order_id": "by-hand"})
        await world.shows(OrderId("by-hand"), "filled")
        await world.comparing(4)
        await world.agree(SOON_S)

    told(story)


@pytest.mark.parametrize("skew_s", [3600, -3600], ids=["an hour ahead", "an hour behind"])
def test_a_broker_whose_clock_is_wrong_is_followed_all_the_same(told: Told, skew_s: int) -> None:
    async def story(world: FaultyOms) -> None:
        await world.arm(fault="clock_skew", skew_seconds=skew_s)
        await trade(world)
        await world.agree()
        await world.arm(**LOST)
        await trade(world)
        await world.arm(fault="disconnect_stream")
        await world.agree()
        await world.clear()
        await trade(world)
        await world.agree()

    told(story)


def test_while_another_holds_the_only_socket_comparisons_do_the_work(simulator: RunningSimulator) -> None:
    async def story() -> None:
        async with asyncio.timeout(LIMIT_S), aiohttp.ClientSession() as session, world_at(simulator) as world:
            zombie = await session.ws_connect(
                simulator.ready["stream_url"], headers={"APCA-API-KEY-ID": "KEY", "APCA-API-SECRET-KEY": "SECRET"}
            )
            async with world.running():
                await trade(world)
                await world.agree()
                await zombie.close()
                await until(lambda: world.facts.get("link") == "up", HASTY.backoff_last_ms)
                await trade(world)
                await world.agree()

    asyncio.run(story())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the killed run lets no socket go
@pytest.mark.parametrize(
    "fault",
    [
        {"fault": "stall", "accept": True},
        {"fault": "stall"},
        {"fault": "accept_then_reset"},
        {"fault": "refuse_504"},
        {"fault": "server_error", "accept": True},
        {"fault": "never_acknowledged"},
    ],
    ids=lambda fault: " ".join(map(str, fault.values())),
)
def test_an_oms_killed_in_the_middle_of_a_doubtful_send_finds_the_truth(
    simulator: RunningSimulator, fault: dict[str, object]
) -> None:
    async def story() -> None:
        async with asyncio.timeout(LIMIT_S), world_at(simulator) as world:
            await world.arm(**fault)
            async with world.started():
                order_ids = [await world.send(MARKET) for _ in range(3)]
                while await world.hits() < 3:  # noqa: ASYNC110  # the other end is another process
                    await asyncio.sleep(0.01)
            await world.clear()
            async with world.running():
                for order_id in order_ids:
                    await world.shows(order_id, "filled")
                await world.agree()

    asyncio.run(story())
