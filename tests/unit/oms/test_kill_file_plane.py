"""The kill file at the OMS: it shuts the gate by itself, and stands on record once."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import structlog

from contracts.controls import KillEngaged
from contracts.enums import KillMode
from contracts.ids import OrderId
from services.oms.brokers.port import BrokerOrder, BrokerUnreachableError, CancelAccepted, CancelOutcome
from services.oms.file_plane import FilePlane
from services.oms.guard import Guard
from services.runtime.kill_file import KillFile
from tests.unit.oms.oms_world import QUICK_STEP, OmsWorld
from tests.unit.oms.order_stories import decision, terms
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(10, limit="90")


@asynccontextmanager
async def watched(world: OmsWorld, file: KillFile) -> AsyncGenerator[None]:
    task = asyncio.create_task(FilePlane(file, world.kill, world.journal, world.clock).watch())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def engaged(world: OmsWorld) -> list[KillEngaged]:
    return world.of(KillEngaged)


async def test_a_kill_file_cancels_and_stands_on_record_once(tmp_path: Path):
    world, file = OmsWorld(), KillFile(tmp_path)
    async with world.running(), watched(world, file):
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "working")
        file.path.touch()
        await world.settled(order_id, "canceled")
        await until(lambda: world.kill.lacks_record() is None)
        await world.comparisons(3)
    (word,) = engaged(world)
    assert (word.mode, word.by, word.scope) == (KillMode.CANCEL_ALL, "kill file", "account")


async def test_the_gate_is_shut_before_the_journal_knows(tmp_path: Path):
    world, file = OmsWorld(), KillFile(tmp_path)
    async with world.running():
        file.write(KillMode.BLOCK_NEW, "no journal here")
        FilePlane(file, world.kill, world.journal, world.clock).look()
        order_id = await world.approve(decision("i-1", RESTING))
        await world.settled(order_id, "canceled")
    assert not engaged(world)
    assert OrderId(order_id) not in world.broker.book.orders


async def test_removing_the_file_does_not_release(tmp_path: Path):
    world, file = OmsWorld(), KillFile(tmp_path)
    async with world.running(), watched(world, file):
        file.path.touch()
        await until(lambda: engaged(world))
        file.path.unlink()
        await world.comparisons(3)
        assert world.kill.mode is KillMode.CANCEL_ALL


async def test_a_release_while_the_file_is_there_does_not_last(tmp_path: Path):
    world, file = OmsWorld(), KillFile(tmp_path)
    async with world.running(), watched(world, file):
        file.path.touch()
        await until(lambda: engaged(world) and world.kill.lacks_record() is None)
        world.clock.advance(QUICK_STEP)
        await world.release()
        await until(lambda: len(engaged(world)) == 2)
        assert world.kill.mode is KillMode.CANCEL_ALL


class Book:
    """A broker that ends its orders when asked to, after a while without an answer."""

    def __init__(self) -> None:
        self.left = 3
        self.asked = 0

    async def open_orders(self) -> tuple[BrokerOrder, ...]:
        self.asked += 1
        if self.asked == 1:
            raise BrokerUnreachableError("no answer")
        order = BrokerOrder(broker_order_id="b", client_order_id="c", status="new", symbol=RESTING.symbol)
        return (order,) * self.left

    async def cancel_all(self) -> CancelOutcome:
        self.left -= 1
        return CancelAccepted()


async def test_the_guard_asks_until_the_broker_shows_no_order_and_stands_down(tmp_path: Path):
    book, guard, file = Book(), Guard(), KillFile(tmp_path)
    task = asyncio.create_task(guard.watch(file, book, structlog.get_logger("guard-test")))
    await asyncio.sleep(0)
    assert not book.asked
    file.write(KillMode.FLATTEN, "no journal")
    await until(lambda: not book.left)
    guard.stand_down()
    await asyncio.wait_for(task, 10)


async def test_the_guard_of_block_new_cancels_nothing(tmp_path: Path):
    book, guard, file = Book(), Guard(), KillFile(tmp_path)
    file.write(KillMode.BLOCK_NEW, "no journal")
    task = asyncio.create_task(guard.watch(file, book, structlog.get_logger("guard-test")))
    await asyncio.sleep(0)
    guard.stand_down()
    await asyncio.wait_for(task, 10)
    assert (book.asked, book.left) == (0, 3)
