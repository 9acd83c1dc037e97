"""The conservation watch on the real wire: it looks at a simulator process and judges by a journal."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from msgspec.structs import replace

from contracts import subjects
from contracts.broker import BreakFound, BreakHealed, BrokerLinkChanged
from contracts.controls import BreakAccepted, EpochTaken
from contracts.decisions import Decision
from contracts.enums import BreakKind, Role
from contracts.ids import EXTERNAL, AccountId, AgentId, IntentId, OrderId
from contracts.orders import OrderAdopted
from services.audit.broker_view import AlpacaView, ViewUnavailableError
from services.audit.watch import ConservationWatch, WatchPorts, order_key
from services.runtime.broker_settings import BrokerSettings, BrokerSource
from services.runtime.clock import SystemClock
from services.runtime.memory import MemoryJournal, MemoryLease
from services.runtime.ports import LeaseLostError
from services.runtime.setting_values import Secret
from tests.risk_world import answer, body, limits_set, observed, state_of
from tests.unit.simulator.process import RunningSimulator

PAPER, DEMO = AccountId("paper"), AgentId("demo")
LOOK_MS = 20
DEADLINE_S = 20.0
DECIDED = answer(state_of(limits_set(), observed()), body(limit_price="1.00"))


class Watched:
    """A simulator, a journal, and a person who trades behind its back."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self.simulator = simulator
        self.clock = SystemClock()
        self.journal = MemoryJournal(PAPER, self.clock)
        self.lease = MemoryLease(1)
        self.facts: dict[str, Any] = {}

    async def began(self, at: datetime) -> None:
        taken = EpochTaken(epoch=1, at=at, role=Role.AUDIT, owner="test", code_version="test")
        await self.journal.append(subjects.epoch(PAPER, Role.AUDIT), taken)

    async def approve(self, decision: Decision = DECIDED) -> None:
        await self.journal.append(subjects.decision(PAPER, DEMO, IntentId(decision.intent_id)), decision)

    async def place(self, client_order_id: str, **changes: Any) -> str:
        order = {"symbol": "AAPL", "side": "buy", "type": "limit", "qty": "10", "time_in_force": "day"}
        order |= {"limit_price": "1.00", "client_order_id": client_order_id} | changes
        keys = {"APCA-API-KEY-ID": self.simulator.key_id, "APCA-API-SECRET-KEY": self.simulator.secret_key}
        async with (
            aiohttp.ClientSession(headers=keys) as http,
            http.post(self.simulator.url + "/v2/orders", json=order) as sent,
        ):
            assert sent.status == 200, await sent.text()
            return str((await sent.json())["id"])

    def written(self, kind: type[BreakFound | BreakHealed]) -> list[Any]:
        return [r.event for r in self.journal.events if isinstance(r.event, kind)]

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while not holds():  # noqa: ASYNC110 - the watch looks by time, there is nothing to wait on
                await asyncio.sleep(0.01)

    async def looks(self, count: int = 3) -> None:
        """Wait until the watch has looked a few times more."""
        seen = [0]

        def counted(**facts: Any) -> None:
            self.facts |= facts
            seen[0] += facts.get("watch") == "sees"

        self.report = counted
        await self.until(lambda: seen[0] >= count)

    def report(self, **facts: Any) -> None:
        self.facts |= facts

    @asynccontextmanager
    async def watching(self) -> AsyncGenerator[asyncio.Task[None]]:
        broker = BrokerSettings(
            source=BrokerSource.SIMULATOR,
            trading_url=self.simulator.url,
            stream_url="",
            data_url="",
            data_stream_url="",
            key_id=self.simulator.key_id,
            key_secret=Secret(self.simulator.secret_key),
        )
        stopping = asyncio.Event()
        async with AlpacaView(broker) as view:
            ports = WatchPorts(
                journal=self.journal,
                view=view,
                lease=self.lease,
                clock=self.clock,
                report=lambda **facts: self.report(**facts),  # noqa: PLW0108 - `looks` puts another in its place
            )
            task = asyncio.ensure_future(ConservationWatch(ports, look_every_ms=LOOK_MS).run(stopping))
            try:
                yield task
            finally:
                stopping.set()
                await asyncio.wait({task}, timeout=DEADLINE_S)
        task.result()


@pytest.fixture
def watched(tmp_path: Path) -> Any:
    simulator = RunningSimulator(tmp_path / "data")
    simulator.pin("AAPL", "99.99", "100.00")
    yield Watched(simulator)
    simulator.close()


def test_what_was_approved_is_no_orphan_and_what_was_not_is_one_until_an_operator_knows_it(watched: Watched) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        await watched.approve()
        await watched.place(str(DECIDED.order_id))
        async with watched.watching():
            await watched.looks()
            assert watched.written(BreakFound) == []
            key = order_key(await watched.place("by hand"))
            await watched.until(lambda: watched.written(BreakFound))
            await watched.looks()
            (found,) = watched.written(BreakFound)
            assert (found.kind, found.key, found.epoch) == (BreakKind.ORPHAN, key, 1)
            assert "buy 10 AAPL" in found.theirs
            accepted = BreakAccepted(epoch=0, at=found.at, kind=BreakKind.ORPHAN, key=key, by="op", reason="mine")
            await watched.journal.append(subjects.control(PAPER), accepted)
            await watched.until(lambda: watched.written(BreakHealed))
            await watched.looks()
            assert [healed.key for healed in watched.written(BreakHealed)] == [key]
            assert len(watched.written(BreakFound)) == 1
            assert watched.facts["orphans"] == 0

    asyncio.run(story())


def test_after_a_restart_an_orphan_is_still_known_and_not_told_twice(watched: Watched) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        async with watched.watching():
            await watched.place("by hand")
            await watched.until(lambda: watched.written(BreakFound))
        async with watched.watching():
            await watched.looks()
        assert len(watched.written(BreakFound)) == 1

    asyncio.run(story())


def test_what_stood_at_the_broker_before_the_journal_began_is_nobodys_to_approve(watched: Watched) -> None:
    async def story() -> None:
        await watched.place("from before")
        await watched.began(datetime.now(UTC) + timedelta(seconds=1))  # routing stamps an order a moment later
        async with watched.watching():
            await watched.looks()
            watched.simulator.pin("AAPL", "0.98", "0.99")  # it fills, and its fill is no orphan either
            await watched.looks(12)
        assert watched.written(BreakFound) == []

    asyncio.run(story())


def adopted(broker_order_id: str) -> OrderAdopted:
    assert DECIDED.terms is not None
    return OrderAdopted(
        epoch=1,
        at=datetime.now(UTC),
        order_id=OrderId(order_key(broker_order_id)),
        agent=EXTERNAL,
        client_order_id="by hand",
        broker_order_id=broker_order_id,
        broker_status="new",
        terms=DECIDED.terms,
    )


def test_an_order_that_only_the_oms_heard_of_is_an_orphan_too_unless_it_stood_before_the_first_comparison(
    watched: Watched,
) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        link = BrokerLinkChanged(epoch=1, at=datetime.now(UTC), up=True, detail="orders compared")
        events = (adopted("stood-before"), link, adopted("came-later"))
        for event in events:
            await watched.journal.append(subjects.broker(PAPER), event)
        async with watched.watching():
            await watched.looks()
        assert [found.key for found in watched.written(BreakFound)] == ["ext-came-later"]

    asyncio.run(story())


def test_a_decision_of_a_writer_who_had_lost_his_right_approves_nothing(watched: Watched) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        newer = EpochTaken(epoch=7, at=datetime.now(UTC), role=Role.RISK, owner="test", code_version="test")
        await watched.journal.append(subjects.epoch(PAPER, Role.RISK), newer)
        await watched.approve(replace(DECIDED, epoch=6))
        await watched.place(str(DECIDED.order_id))
        async with watched.watching():
            await watched.until(lambda: watched.written(BreakFound))

    asyncio.run(story())


def test_a_blind_watch_says_so_and_sees_again(watched: Watched) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        url = watched.simulator.url
        watched.simulator.kill()
        async with watched.watching():
            await watched.until(lambda: watched.facts.get("watch") == "blind")
        assert watched.simulator.url == url

    asyncio.run(story())


def test_without_its_lease_the_watch_writes_nothing_and_ends(watched: Watched) -> None:
    async def story() -> None:
        await watched.began(datetime.now(UTC) - timedelta(seconds=5))
        watched.lease.take_away()
        await watched.place("by hand")
        with pytest.RaisesGroup(LeaseLostError):
            async with watched.watching() as task:
                await asyncio.wait({task}, timeout=DEADLINE_S)
        assert watched.written(BreakFound) == []

    asyncio.run(story())


def test_an_answer_that_cannot_be_read_is_no_empty_list(watched: Watched) -> None:
    async def story() -> None:
        broker = BrokerSettings(
            source=BrokerSource.SIMULATOR,
            trading_url=watched.simulator.url,
            stream_url="",
            data_url="",
            data_stream_url="",
            key_id="wrong",
            key_secret=Secret("wrong"),
        )
        async with AlpacaView(broker) as view:
            with pytest.raises(ViewUnavailableError, match="HTTP 401"):
                await view.orders_after(datetime.now(UTC))

    asyncio.run(story())
