"""The worlds in which the broker suite runs: a broker, a hand on its market, and one on what goes wrong there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Protocol

from contracts.ids import OrderId, Symbol
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.memory import Fault, MemoryBroker
from services.oms.brokers.port import Broker
from services.runtime.clock import SystemClock
from tests.unit.simulator.process import RunningSimulator

LINGER_MS = 1_500
"""How long the simulator's requests linger: the story has that long to let something else come first."""


class World(Protocol):
    """One broker, and the ways to move its market and to let it fail."""

    @property
    def broker(self) -> Broker:
        """The broker under test."""
        ...

    async def quote(self, symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        """Set the market."""
        ...

    async def lose_next_answer(self, method: str) -> None:
        """Let the next POST, PATCH or DELETE of an order be carried out and its answer be lost."""
        ...

    async def linger(self) -> None:
        """Let cancels and replacements from here on take a while to come true."""
        ...

    async def settle(self) -> None:
        """Let the requests that linger come true, as far as they still can."""
        ...

    async def reject_next_replace(self) -> None:
        """Let the next replacement be taken and then rejected."""
        ...

    async def reject(self, order_id: OrderId) -> None:
        """Let an order that is about to be sent be taken and then rejected."""
        ...

    async def bust_newest(self) -> None:
        """Take the newest execution back."""
        ...

    async def cut_link(self) -> None:
        """Break the link of updates."""
        ...


class MemoryWorld:
    """The in-memory broker."""

    def __init__(self) -> None:
        self.broker = MemoryBroker(SystemClock())
        self._refuses = False

    async def quote(self, symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        self.broker.quote(symbol, bid, ask)

    async def lose_next_answer(self, method: str) -> None:
        fail = {
            "POST": self.broker.fail_submits,
            "PATCH": self.broker.fail_replaces,
            "DELETE": self.broker.fail_cancels,
        }
        fail[method](Fault.LOST_ANSWER)

    async def linger(self) -> None:
        self.broker.linger()

    async def settle(self) -> None:
        self.broker.settle(refuse=self._refuses)

    async def reject_next_replace(self) -> None:
        self._refuses = True
        self.broker.linger()

    async def reject(self, order_id: OrderId) -> None:
        self.broker.reject_later(order_id)

    async def bust_newest(self) -> None:
        self.broker.bust(next(reversed(self.broker.book.executions)))

    async def cut_link(self) -> None:
        self.broker.cut_link()
        asyncio.get_running_loop().call_later(0.05, self.broker.restore_link)


class SimulatorWorld:
    """The Alpaca adapter against a simulator process, over real sockets."""

    def __init__(self, simulator: RunningSimulator) -> None:
        self.broker = adapter_for(simulator)
        self._simulator = simulator

    async def _control(self, command: str, **body: object) -> None:
        await asyncio.to_thread(self._simulator.control, command, **body)

    async def quote(self, symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        await self._control("quote", symbol=symbol, bid=str(bid), ask=str(ask))

    async def lose_next_answer(self, method: str) -> None:
        path = "/v2/orders" if method == "POST" else "/v2/orders/*"
        await self._control("faults", fault="accept_then_504", times=1, method=method, path=path)

    async def linger(self) -> None:
        await self._control("latency", ack_ms=LINGER_MS, cancel_ms=LINGER_MS)

    async def settle(self) -> None:
        """Time does it."""

    async def reject_next_replace(self) -> None:
        await self._control("faults", fault="reject_replace", times=1)

    async def reject(self, order_id: OrderId) -> None:
        await self._control("faults", fault="reject_later", client_order_id=order_id, times=1)

    async def bust_newest(self) -> None:
        await self._control("faults", fault="bust_trade")

    async def cut_link(self) -> None:
        await self._control("faults", fault="disconnect_stream")


@asynccontextmanager
async def in_memory() -> AsyncIterator[World]:
    """The in-memory broker."""
    yield MemoryWorld()


@asynccontextmanager
async def alpaca_at_the_simulator() -> AsyncIterator[World]:
    """The Alpaca adapter against a simulator process of its own."""
    with TemporaryDirectory() as folder:
        simulator = RunningSimulator(Path(folder) / "data")
        world = SimulatorWorld(simulator)
        try:
            yield world
        finally:
            await world.broker.close()
            simulator.close()


def adapter_for(simulator: RunningSimulator) -> AlpacaBroker:
    """Point the Alpaca adapter at a running simulator."""
    clock = SystemClock()
    keys = AlpacaKeys(simulator.key_id, simulator.secret_key)
    http = AlpacaHttp(simulator.url, keys, clock)
    return AlpacaBroker(http, AlpacaUpdates(simulator.ready["stream_url"], keys, clock))


WORLDS: list[Callable[[], AbstractAsyncContextManager[World]]] = [in_memory, alpaca_at_the_simulator]
