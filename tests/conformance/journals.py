"""What the suites of the ports share: two kinds of every port, and small events to write."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from contracts import subjects
from contracts.controls import KillReleased
from contracts.ids import AccountId, AgentId, OrderId
from services.runtime.jetstream import JetStreamInbox, JetStreamJournal, NatsSnapshots
from services.runtime.memory import ManualClock, MemoryInbox, MemoryJournal, MemorySnapshots
from services.runtime.ports import Inbox, Journal, Snapshots
from tests.nats_server import NatsServer

KINDS = ("jetstream", "memory")
AT = datetime(2026, 3, 2, 15, 0, tzinfo=UTC)
DEMO = AgentId("demo")


@dataclass(frozen=True)
class Ports:
    """The ports of one fresh account; each call gives a handle as another process would have."""

    account: AccountId
    journal: Callable[[], Awaitable[Journal]]
    inbox: Callable[[], Awaitable[Inbox]]
    snapshots: Callable[[], Awaitable[Snapshots]]

    def order(self, name: str) -> str:
        return subjects.order(self.account, DEMO, OrderId(name))


@asynccontextmanager
async def ports_of(kind: str, server: NatsServer) -> AsyncIterator[Ports]:
    """Open the ports of a fresh account, on JetStream or in memory."""
    opened = _on_jetstream(server) if kind == "jetstream" else _in_memory()
    async with opened as ports:
        yield ports


@asynccontextmanager
async def _on_jetstream(server: NatsServer) -> AsyncIterator[Ports]:
    account = await server.fresh_account()
    connections = []

    async def connect():
        connections.append(await server.connect())
        return connections[-1]

    async def journal() -> Journal:
        return JetStreamJournal(await connect(), account)

    async def inbox() -> Inbox:
        return JetStreamInbox(await connect(), account)

    async def snapshots() -> Snapshots:
        return NatsSnapshots(await connect(), "risk", account)

    try:
        yield Ports(account, journal, inbox, snapshots)
    finally:
        for connection in connections:
            await connection.close()


@asynccontextmanager
async def _in_memory() -> AsyncIterator[Ports]:
    account = AccountId("twin")
    clock = ManualClock(AT)
    one_journal, one_inbox, one_snapshots = (
        MemoryJournal(account, clock),
        MemoryInbox(account, clock),
        MemorySnapshots(),
    )

    async def journal() -> Journal:
        return one_journal

    async def inbox() -> Inbox:
        return one_inbox

    async def snapshots() -> Snapshots:
        return one_snapshots

    yield Ports(account, journal, inbox, snapshots)


def event(reason: str = "why", epoch: int = 1) -> KillReleased:
    """Make a small event that is told apart by its reason."""
    return KillReleased(epoch=epoch, at=AT, by="test", reason=reason)
