"""The worlds in which the broker suite runs: a broker and a hand on its market."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

from contracts.ids import Symbol
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.memory import MemoryBroker
from services.oms.brokers.port import Broker
from services.runtime.clock import SystemClock
from tests.unit.simulator.process import RunningSimulator


@dataclass(frozen=True, slots=True)
class World:
    """One broker, and the way to move its market."""

    broker: Broker
    quote: Callable[[Symbol, Decimal, Decimal], Awaitable[None]]


@asynccontextmanager
async def in_memory() -> AsyncIterator[World]:
    """The in-memory broker."""
    broker = MemoryBroker(SystemClock())

    async def quote(symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        broker.quote(symbol, bid, ask)

    yield World(broker, quote)


@asynccontextmanager
async def alpaca_at_the_simulator() -> AsyncIterator[World]:
    """The Alpaca adapter against a simulator process, over real sockets."""
    with TemporaryDirectory() as folder:
        simulator = RunningSimulator(Path(folder) / "data")
        broker = adapter_for(simulator)

        async def quote(symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
            simulator.pin(symbol, str(bid), str(ask))

        try:
            yield World(broker, quote)
        finally:
            await broker.close()
            simulator.close()


def adapter_for(simulator: RunningSimulator) -> AlpacaBroker:
    """Point the Alpaca adapter at a running simulator."""
    clock = SystemClock()
    keys = AlpacaKeys(simulator.key_id, simulator.secret_key)
    http = AlpacaHttp(simulator.url, keys, clock)
    return AlpacaBroker(http, AlpacaUpdates(simulator.ready["stream_url"], keys, clock))


WORLDS: list[Callable[[], AbstractAsyncContextManager[World]]] = [in_memory, alpaca_at_the_simulator]
