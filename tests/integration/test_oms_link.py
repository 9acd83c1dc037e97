"""The real OMS and adapter at a simulator whose link is silent, refused or short of requests."""

import json
import urllib.request
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest

from contracts.broker import BreakFound, BrokerLinkChanged, PositionAdopted
from contracts.enums import EndCause, OrderStatus
from contracts.ids import OrderId
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates, LinkTimings
from services.oms.service import OmsWaits
from services.runtime.clock import SystemClock
from services.runtime.memory import MemoryJournal
from tests.unit.oms.oms_world import QUICK, OmsWorld
from tests.unit.oms.order_stories import AAPL, ACCOUNT, cancel_decision, decision, terms
from tests.unit.simulator.process import RunningSimulator
from tests.waiting import until

pytestmark = pytest.mark.anyio
TIMINGS = LinkTimings(ping_every_ms=400, backoff_first_ms=20, backoff_last_ms=200, limited_last_ms=200)
NOTICED_WITHIN_S = 5
"""Far above one and a half pings, and far below what no ping at all would take."""
SELDOM = replace(QUICK, compare_every_ms=4_000)
LIMITS = ("90", "80", "70")
FILLS_AT = {"90": ("89.80", "89.90"), "80": ("79.80", "79.90"), "70": ("69.80", "69.90")}


class AtSimulator(OmsWorld):
    """An OMS at a broker in a process of its own; the test is risk."""

    def __init__(self, simulator: RunningSimulator) -> None:
        super().__init__()
        clock = SystemClock()
        keys = AlpacaKeys(simulator.key_id, simulator.secret_key)
        self.http = AlpacaHttp(simulator.url, keys, clock)
        updates = AlpacaUpdates(simulator.ready["stream_url"], keys, clock, TIMINGS)
        self.clock = clock  # pyright: ignore[reportAttributeAccessIssue]  # here time passes by itself
        self.journal = MemoryJournal(ACCOUNT, clock)
        self.broker = AlpacaBroker(self.http, updates)  # pyright: ignore[reportAttributeAccessIssue]
        self.simulator = simulator

    @asynccontextmanager
    async def living(self, waits: OmsWaits = QUICK) -> AsyncGenerator[None]:
        """Run an OMS, and let the adapter's connections go after it."""
        try:
            async with self.running(waits):
                yield
        finally:
            await self.broker.close()

    async def control(self, command: str, **body: Any) -> Any:
        return await anyio.to_thread.run_sync(lambda: self.simulator.control(command, **body))

    async def clear_faults(self) -> None:
        def clear() -> None:
            request = urllib.request.Request(  # noqa: S310  # our own loopback address
                f"{self.simulator.ready['control_url']}/faults", method="DELETE", headers={"X-Control-Key": "CONTROL"}
            )
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
                json.load(answer)

        await anyio.to_thread.run_sync(clear)

    async def market(self, limit: str) -> None:
        """Move the market to where orders with this limit fill."""
        await anyio.to_thread.run_sync(lambda: self.simulator.pin(AAPL, *FILLS_AT[limit]))

    async def working(self, *limits: str) -> dict[str, OrderId]:
        """Have one buy order at each limit working, with the books open and the link up."""
        await until(lambda: self.core.state.account.cash_usd is not None and self.core.state.account.broker_up)
        now = datetime.now(UTC)
        made = {limit: await self.approve(decision(f"at-{limit}", terms(1, limit=limit), at=now)) for limit in limits}
        for order_id in made.values():
            await self.settled(order_id, "working")
        return made

    def waiting(self, order_ids: list[OrderId]) -> bool:
        known = (self.core.state.order(order_id) for order_id in order_ids)
        return any(order is None or order.status is OrderStatus.PENDING_SUBMIT for order in known)

    async def compared(self, count: int) -> None:
        """Wait until this many more comparisons have ended."""
        for _ in range(count):
            seen = self.facts.get("reconciled_at")
            await until(lambda seen=seen: self.facts.get("reconciled_at") != seen)

    def links(self) -> list[bool]:
        return [link.up for link in self.of(BrokerLinkChanged)]

    def nothing_broke(self) -> bool:
        return not self.of(BreakFound, PositionAdopted)


@pytest.fixture
def simulator(tmp_path: Path) -> Iterator[RunningSimulator]:
    running = RunningSimulator(tmp_path / "simulator")
    running.pin(AAPL, "99.90", "100.10")
    yield running
    running.close()


async def test_a_socket_that_is_open_and_answers_no_ping_is_made_anew_and_what_it_missed_is_known(simulator):
    world = AtSimulator(simulator)
    async with world.living():
        orders = await world.working("90")
        await world.control("faults", fault="silent_stream", deaf=True)
        await until(lambda: False in world.links(), NOTICED_WITHIN_S)
        await world.market("90")
        await world.settled(orders["90"], "filled")
        await world.clear_faults()
        await until(lambda: world.links()[-1] is True)
        assert world.nothing_broke()


async def test_a_socket_that_answers_pings_and_tells_nothing_is_made_anew(simulator):
    world = AtSimulator(simulator)
    async with world.living():
        orders = await world.working(*LIMITS)
        await world.compared(3)
        await world.control("faults", fault="silent_stream")
        for limit, order_id in orders.items():
            await world.market(limit)
            await world.settled(order_id, "filled")
        await until(lambda: False in world.links())
        await world.clear_faults()
        await until(lambda: world.links()[-1] is True)
        assert world.nothing_broke()


async def test_while_another_socket_holds_our_place_reconciliation_goes_on(simulator):
    world = AtSimulator(simulator)
    async with world.living():
        orders = await world.working(*LIMITS)
        await world.control("faults", fault="refuse_stream")
        await world.control("faults", fault="disconnect_stream")
        await until(lambda: world.links()[-1] is False)
        for limit, order_id in orders.items():
            await world.market(limit)
            await world.settled(order_id, "filled")
        assert world.links()[-1] is False
        await world.clear_faults()
        await until(lambda: world.links()[-1] is True)
        assert world.nothing_broke()


async def test_a_short_rate_of_requests_halts_new_risk_and_no_cancel_and_is_never_exceeded(tmp_path: Path):
    simulator = RunningSimulator(tmp_path / "simulator", "--rate-limit-per-minute", "100")
    simulator.pin(AAPL, "99.90", "100.10")
    world = AtSimulator(simulator)
    try:
        async with world.living(SELDOM):
            await world.working()
            now = datetime.now(UTC)
            order_ids = [
                await world.approve(decision(f"i-{number}", terms(1, limit="90"), at=now)) for number in range(120)
            ]
            await until(lambda: not world.core.state.unknown_orders() and not world.waiting(order_ids))
            sent = [one for one in order_ids if world.order(one).status is OrderStatus.WORKING]
            never = [one for one in order_ids if world.order(one).status is OrderStatus.EXPIRED]
            assert 0 < len(sent) < 80
            assert len(sent) + len(never) == 120
            assert {world.order(one).detail for one in never} == {EndCause.DECISION_STALE}
            now = datetime.now(UTC)
            for one in sent[:10]:
                await world.approve(cancel_decision(f"c-{one}", one, at=now))
            for one in sent[:10]:
                await world.settled(one, "canceled")
            assert world.http.facts()["halted_ms"] == 0
            state = await world.control("state")
            assert set(state["orders_by_client_id"]) == set(sent)
    finally:
        simulator.close()
