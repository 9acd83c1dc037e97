"""The worlds in which the broker suite runs: a broker and a hand on its market."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from time import monotonic

from contracts.ids import Symbol
from services.oms.brokers.memory import MemoryBroker
from services.oms.brokers.port import Broker


@dataclass(frozen=True, slots=True)
class World:
    """One broker, and the way to move its market."""

    broker: Broker
    quote: Callable[[Symbol, Decimal, Decimal], Awaitable[None]]


class WallClock:
    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic_ms(self) -> int:
        return int(monotonic() * 1000)

    def trading_day(self, at: datetime) -> date:
        return at.date()


@asynccontextmanager
async def in_memory() -> AsyncIterator[World]:
    """The in-memory broker."""
    broker = MemoryBroker(WallClock())

    async def quote(symbol: Symbol, bid: Decimal, ask: Decimal) -> None:
        broker.quote(symbol, bid, ask)

    yield World(broker, quote)


WORLDS: list[Callable[[], AbstractAsyncContextManager[World]]] = [in_memory]
