"""The OMS process on a real NATS server and a real simulator: killed, cut off, killed by the switch."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import aiohttp
import msgspec
import pytest

from contracts import subjects
from contracts.broker import AccountObserved
from contracts.controls import EpochTaken, KillEngaged
from contracts.decisions import Decision
from contracts.enums import KillMode, OrderStatus, Role
from contracts.orders import OrderTerms
from services.oms.core import OmsCore
from services.runtime.jetstream import JetStreamJournal
from tests.nats_server import PAPER, NatsServer
from tests.unit.oms.order_stories import AAPL, cancel_decision, decision, terms
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

pytestmark = pytest.mark.anyio
RESTING = terms(1, limit="90")
MARKET = terms(1, limit=None)


class World:
    """A server, a simulator, and OMS processes that can be started and killed; the test is risk."""

    def __init__(self, server: NatsServer, home: Path) -> None:
        self.server = server
        self.home = home
        seeds = home / "credentials" / "processes"
        seeds.mkdir(parents=True)
        (seeds / "oms.seed").write_text(server.seeds["oms"])
        self.simulator = RunningSimulator(home / "simulator")
        self.simulator.pin("AAPL", "99.90", "100.10")
        self.core = OmsCore()
        self.journal: JetStreamJournal
        self._running: list[subprocess.Popen[bytes]] = []

    def start_oms(self) -> subprocess.Popen[bytes]:
        ready = self.simulator.ready
        keys = {"key_id": "KEY", "secret_key": "SECRET"}
        addresses = {"base_url": ready["base_url"], "stream_url": ready["stream_url"]}
        (self.home / "credentials" / "simulator.json").write_bytes(msgspec.json.encode(keys | addresses))
        with (self.home / "oms.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "services.oms", "--home", str(self.home)],
                env=os.environ | {"LOCKGATE_NATS_URL": self.server.url, "LOG_FORMAT": "json"},
                stdout=log,
                stderr=log,
                cwd=Path(__file__).parents[2],
            )
        self._running.append(process)
        return process

    @asynccontextmanager
    async def following(self) -> AsyncGenerator[None]:
        """Read the journal as the OMS does, and be risk."""
        admin = await self.server.connect()
        self.journal = JetStreamJournal(admin, PAPER)
        taken = EpochTaken(epoch=1, at=datetime.now(UTC), role=Role.RISK, owner="test", code_version="test")
        await self.journal.append(subjects.epoch(PAPER, Role.RISK), taken)
        reader = asyncio.create_task(self._read())
        try:
            yield
        finally:
            reader.cancel()
            await asyncio.gather(reader, return_exceptions=True)
            await admin.close()

    async def _read(self) -> None:
        async for recorded in self.journal.read():
            self.core.take(recorded.seq, recorded.event)

    async def approve(self, made: Decision) -> str:
        await self.journal.append(subjects.decision(PAPER, made.agent, made.intent_id), made)
        assert made.order_id is not None
        return made.order_id

    async def approve_many(self, count: int, order_terms: OrderTerms, name: str) -> list[str]:
        now = datetime.now(UTC)
        return [await self.approve(decision(f"{name}-{number}", order_terms, at=now)) for number in range(count)]

    def statuses(self, order_ids: list[str]) -> set[OrderStatus | None]:
        found = [self.core.state.account.orders.get(order_id) for order_id in order_ids]  # pyright: ignore[reportArgumentType]
        return {None if order is None else order.status for order in found}

    async def all_in(self, order_ids: list[str], *statuses: OrderStatus) -> None:
        await self.wait(lambda: self.statuses(order_ids) <= set(statuses))

    async def wait(self, condition: Callable[[], object]) -> None:
        try:
            await until(condition)
        except AssertionError as error:
            raise AssertionError((self.home / "oms.log").read_text()[-4000:]) from error

    def held(self) -> Decimal:
        position = self.core.state.account.positions.get(AAPL)
        return Decimal(0) if position is None else position.qty

    async def broker(self) -> dict[str, object]:
        return await asyncio.to_thread(self.simulator.control, "state")

    async def agrees_with_the_broker(self) -> None:
        """Hold the journal against the broker's own books."""
        state = await self.broker()
        assert set(state["orders_by_client_id"].values()) <= {1}  # pyright: ignore[reportAttributeAccessIssue]
        assert Decimal(state["positions"].get("AAPL", "0")) == self.held()  # pyright: ignore[reportAttributeAccessIssue]

    def end(self) -> None:
        for process in self._running:
            process.kill()
            process.wait()
        self.simulator.close()


@pytest.fixture
def world(own_nats_server: NatsServer, tmp_path: Path):
    made = World(own_nats_server, tmp_path)
    yield made
    made.end()


async def test_approvals_become_orders_and_fills_and_a_clean_stop_is_clean(world: World):
    async with world.following():
        process = world.start_oms()
        await world.wait(lambda: world.core.state.account.observed)
        filled = await world.approve_many(10, MARKET, "fill")
        await world.all_in(filled, OrderStatus.FILLED)
        resting = await world.approve_many(3, RESTING, "rest")
        await world.all_in(resting, OrderStatus.WORKING)
        order = world.core.state.order(resting[0])  # pyright: ignore[reportArgumentType]
        assert order is not None
        await world.approve(cancel_decision("c-1", order.order_id, at=datetime.now(UTC)))
        await world.all_in(resting[:1], OrderStatus.CANCELED)
        await world.agrees_with_the_broker()
        process.terminate()
        assert await asyncio.to_thread(process.wait, 20) == 0


async def test_killed_in_the_middle_of_a_burst_it_takes_up_every_order_and_sends_none_twice(world: World):
    async with world.following():
        process = world.start_oms()
        await world.wait(lambda: world.core.state.account.observed)
        order_ids = await world.approve_many(60, MARKET, "burst")
        await world.wait(lambda: OrderStatus.FILLED in world.statuses(order_ids))
        process.kill()
        process.wait()
        world.start_oms()
        await world.all_in(order_ids, OrderStatus.FILLED, OrderStatus.EXPIRED)
        await world.wait(lambda: world.core.state.unknown_orders() == 0)
        filled = sum(world.statuses([one]) == {OrderStatus.FILLED} for one in order_ids)
        assert world.held() == filled
        await world.agrees_with_the_broker()


async def test_a_broker_killed_under_working_orders_is_reconciled_when_it_is_back(world: World):
    async with world.following():
        world.start_oms()
        await world.wait(lambda: world.core.state.account.observed)
        order_ids = await world.approve_many(20, RESTING, "rest")
        await world.all_in(order_ids, OrderStatus.WORKING)
        port = world.simulator.url.rsplit(":", 1)[1]
        world.simulator.kill()
        await world.wait(lambda: not world.core.state.account.broker_up)
        world.simulator = RunningSimulator(world.home / "simulator", "--port", port)
        world.simulator.pin("AAPL", "89.80", "89.90")
        await world.all_in(order_ids, OrderStatus.FILLED)
        await world.wait(lambda: world.core.state.account.broker_up)
        assert world.held() == 20
        await world.agrees_with_the_broker()


async def test_the_kill_switch_cancels_everything_that_works(world: World):
    async with world.following():
        world.start_oms()
        await world.wait(lambda: world.core.state.account.observed)
        order_ids = await world.approve_many(20, RESTING, "rest")
        await world.all_in(order_ids, OrderStatus.WORKING)
        now = datetime.now(UTC)
        kill = KillEngaged(epoch=0, at=now, mode=KillMode.CANCEL_ALL, by="operator", reason="test")
        await world.journal.append(subjects.control(PAPER), kill)
        await world.all_in(order_ids, OrderStatus.CANCELED)
        blocked = await world.approve_many(1, MARKET, "late")
        await world.all_in(blocked, OrderStatus.CANCELED)
        assert (await world.broker())["open_orders"] == []


async def test_a_dead_journal_ends_it_and_asks_for_a_restart(world: World):
    async with world.following():
        process = world.start_oms()
        await world.wait(lambda: world.core.state.account.observed)
        world.server.kill()
        assert await asyncio.to_thread(process.wait, 30) == 75


async def test_a_position_from_before_is_observed_and_adopted(world: World):
    order = {"symbol": "AAPL", "qty": "7", "side": "buy", "type": "market", "time_in_force": "day"}
    await asyncio.to_thread(post_order, world.simulator, order)
    async with world.following():
        world.start_oms()
        await world.wait(lambda: world.held() == 7)
        observed = world.core.state.account.observed
        assert isinstance(observed, AccountObserved)
        assert [position.qty for position in observed.positions] == [7]


def post_order(simulator: RunningSimulator, order: dict[str, str]) -> None:
    """Place an order by hand and wait for its fill."""

    async def place() -> None:
        headers = {"APCA-API-KEY-ID": "KEY", "APCA-API-SECRET-KEY": "SECRET"}
        async with aiohttp.ClientSession(headers=headers) as session:
            async with session.post(f"{simulator.url}/v2/orders", json=order) as answer:
                assert answer.status == 200
            while True:
                async with session.get(f"{simulator.url}/v2/positions") as answer:
                    if await answer.json():
                        return
                await asyncio.sleep(0.02)

    asyncio.run(place())
