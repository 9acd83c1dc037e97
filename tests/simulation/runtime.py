"""The shell of a simulated process: the real one's life, on a linked connection, with a lease that can be lost."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any

from contracts.enums import Role
from services.runtime.lease import ASK_EVERY_S, LEASE_TTL_MS, RENEW_EVERY_S, take_epoch
from services.runtime.ports import LeaseLostError
from services.runtime.process import ProcessState, Runtime
from tests.simulation.chance import Chance
from tests.simulation.server import (
    Link,
    LinkedConnection,
    LinkedInbox,
    LinkedJournal,
    LinkedSnapshots,
    Process,
    VirtualClock,
)

CODE_VERSION = "simulated"
LEASE_TTL_S = LEASE_TTL_MS / 1000


class _Broker:
    mode = "paper"


class _Settings:
    """Of the settings, what the processes under test ask for."""

    code_version = CODE_VERSION
    home = Path("a-home-without-a-kill-file")
    broker = _Broker()


class _Log:
    """Puts what a process logs into the story."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def __getattr__(self, level: str) -> Any:
        def say(message: str, **facts: Any) -> None:
            self._process.server.note(self._process.name, "{}: {} {}", level, message, facts)

        return say


class _Health:
    """What a process says of itself goes nowhere."""

    state = ProcessState.STARTING

    async def start(self) -> None:
        """Nobody asks."""


class SimulatedRuntime(Runtime):
    """What a process is given, all of it simulated; how it lives and ends is the real thing."""

    def __init__(self, process: Process, link: Link, skew: timedelta, start: Any) -> None:
        self.process = process
        self.link = link
        self.name = process.role
        self.settings: Any = _Settings()
        self.account = process.server.journal.account
        self.connection: Any = LinkedConnection(link)
        self.clock = VirtualClock(process.server.loop, start, skew)
        self.log = _Log(process)
        self.journal: Any = LinkedJournal(link)
        self.inbox: Any = LinkedInbox(link)
        self.snapshots: Any = LinkedSnapshots(link)
        self.stopping = asyncio.Event()
        self.failed = asyncio.get_running_loop().create_future()
        self._facts: dict[str, Any] = {}
        self._fresh: list[Any] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings = AsyncExitStack()
        self._health: Any = _Health()
        self.broker: Any = None

    @property
    def is_ready(self) -> bool:
        return self._health.state is ProcessState.READY

    def mark_ready(self) -> None:
        self._health.state = ProcessState.READY
        self.process.server.note(self.process.name, "is ready")


class SimulatedLease:
    """The right to write: kept at the server until it runs out, believed in until the process's own clock says so."""

    def __init__(self, runtime: SimulatedRuntime) -> None:
        self.epoch = 0
        self._process = runtime.process
        self._link = runtime.link
        self._held_until = 0.0

    def held(self) -> bool:
        return self._process.server.loop.time() < self._held_until

    async def acquire(self) -> None:
        while not await self._ask():  # noqa: ASYNC110 - as the real one does: nobody rings when a lease is free
            await asyncio.sleep(ASK_EVERY_S)

    async def keep(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            if not self.held():
                raise LeaseLostError("not renewed in time")
            if not await self._ask():
                self._held_until = 0.0
                raise LeaseLostError("another owner has it")

    async def release(self) -> None:
        self._held_until = 0.0
        leases, role = self._process.server.leases, self._process.role

        def give_back() -> None:
            if role in leases and leases[role][0] is self._process:
                del leases[role]

        await self._link.call(give_back)

    async def _ask(self) -> bool:
        asked_at = self._process.server.loop.time()
        if not await self._link.call(self._grant):
            return False
        self._held_until = asked_at + LEASE_TTL_S
        return True

    def _grant(self) -> bool:
        server, role = self._process.server, self._process.role
        owner, until = server.leases.get(role, (self._process, 0.0))
        now = server.loop.time()
        if owner is not self._process and not owner.dead and until > now:
            return False
        server.leases[role] = (self._process, now + LEASE_TTL_S)
        return True


async def hold_right_to_write(runtime: SimulatedRuntime, role: Role) -> SimulatedLease:
    """Do what the real one does, with a simulated lease."""
    lease = SimulatedLease(runtime)
    await lease.acquire()
    runtime.at_end(lease.release)
    runtime.spawn("lease", lease.keep())
    lease.epoch = await take_epoch(runtime.journal, role, runtime.process.name, CODE_VERSION, clock=runtime.clock)
    return lease


def skew_of(chance: Chance) -> timedelta:
    """Draw how far a process's clock is off."""
    return timedelta(milliseconds=chance.whole(-150, 150))
