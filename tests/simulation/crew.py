"""Risk, OMS and audit, kept running: who ends is started again, and one that hangs gets a stand-in beside it."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import datetime
from typing import Any
from unittest import mock

from contracts import subjects
from contracts.enums import Role
from projections.chain import Link, extend, genesis
from projections.fence import OPEN_FENCE, admits, raise_fence
from services.audit import decider as audit
from services.audit.decider import Cadence, Coverage
from services.oms import service as oms_service
from services.oms.core import FencedError, OmsCore
from services.oms.kill import KillSwitch
from services.oms.service import Oms, OmsPorts, rebuild
from services.risk import service as risk_service
from services.risk.core import RiskCore
from services.runtime.ports import LeaseLostError, Recorded
from services.runtime.process import is_temporary
from tests.simulation import server as nats
from tests.simulation.chance import Chance
from tests.simulation.runtime import LEASE_TTL_S, SimulatedRuntime, hold_right_to_write, skew_of
from tests.simulation.server import Process, Server
from tests.simulation.venue_port import VenuePort, Wire
from tests.simulation.virtual_loop import BODY

AUDIT_CADENCE = Cadence(events_max=60, age_max_ms=5_000)

type Serve = Callable[[Any], Awaitable[None]]


async def serve_audit(runtime: SimulatedRuntime) -> None:
    """Fold the hash chain and draw checkpoints as audit does, without its database."""
    lease = await hold_right_to_write(runtime, Role.AUDIT)
    runtime.mark_ready()
    goal = await runtime.journal.last_seq()
    chain, coverage = genesis(runtime.account), Coverage()
    async for recorded in _admitted(runtime.journal.read(0)):
        link = Link(seq=recorded.seq, subject=recorded.subject, body=recorded.body, headers=recorded.headers)
        chain = extend(chain, link)
        coverage = audit.evolve(coverage, recorded.event, recorded.seq)
        if recorded.seq < goal:
            continue
        now, epoch = runtime.clock.now(), lease.epoch
        checkpoint = audit.decide(coverage, chain, now, epoch=epoch, cadence=AUDIT_CADENCE)
        if checkpoint is None:
            continue
        if not lease.held():
            raise LeaseLostError("the right to write checkpoints is gone")
        await runtime.journal.append(subjects.audit(runtime.account), checkpoint)


async def _admitted(events: AsyncGenerator[Recorded, None]) -> AsyncGenerator[Recorded, None]:
    """Pass on every message; those of fenced writers only lengthen the chain."""
    fence = OPEN_FENCE
    async for recorded in events:
        if admits(fence, recorded.event):
            fence = raise_fence(fence, recorded.event)
        yield recorded


async def serve_oms(runtime: SimulatedRuntime) -> None:
    """Be the OMS as its own wiring would have it, at the simulated venue."""
    lease = await hold_right_to_write(runtime, Role.OMS)
    core = OmsCore()
    kill = KillSwitch(core, runtime.clock)
    ports = OmsPorts(runtime.journal, runtime.snapshots, runtime.broker, runtime.clock, lease, runtime.log)
    await runtime.connection.subscribe_raw(
        subjects.control(runtime.account), lambda _subject, _reply, body, _headers: kill.hear(body)
    )
    await rebuild(core, ports)
    core.epoch = lease.epoch
    runtime.process.core = core
    try:
        oms = Oms(ports, core, kill)
        runtime.freshly(oms.figures)
        await oms.run(runtime.stopping, runtime.mark_ready)
    except* FencedError as fenced:
        raise LeaseLostError(str(fenced.exceptions[0])) from fenced


async def serve_risk(runtime: SimulatedRuntime) -> None:
    """Be risk, with its own wiring."""
    await risk_service.serve(runtime)


SERVES: dict[str, Serve] = {Role.RISK: serve_risk, Role.OMS: serve_oms, Role.AUDIT: serve_audit}


def _remembered_core(code_version: str) -> RiskCore:
    """Make risk's core, and keep it where the checks find it."""
    core, process = RiskCore(code_version), BODY.get()
    if isinstance(process, Process):
        process.core = core
    return core


@contextmanager
def simulated_edges(snapshot_every: int) -> Iterator[None]:
    """Let the processes' own wiring find simulated leases, and keep a snapshot every so many events."""
    with ExitStack() as patches:

        def put(where: Any, name: str, value: Any) -> None:
            patches.enter_context(mock.patch.object(where, name, value))

        put(risk_service, "hold_right_to_write", hold_right_to_write)
        put(risk_service, "RiskCore", _remembered_core)
        put(risk_service, "SNAPSHOT_EVERY_EVENTS", snapshot_every)
        put(oms_service, "SNAPSHOT_EVERY_EVENTS", snapshot_every)
        yield


class Crew:
    """The running processes; `broken` holds those that ended as none should."""

    def __init__(self, server: Server, wire: Wire, seed: int, start: datetime) -> None:
        self.running: dict[str, list[SimulatedRuntime]] = {role: [] for role in SERVES}
        self.broken: list[str] = []
        self.calm = False
        self._server = server
        self._wire = wire
        self._seed = seed
        self._start = start
        self._chance = Chance(seed, "crew")
        self._count = 0
        self._due: set[str] = set()

    def begin(self, role: str) -> None:
        """Start one process of a role."""
        self._count += 1
        self._due.discard(role)
        process = Process(role, self._count, self._server)
        process.on_death = self._died
        link = nats.Link(process, Chance(self._seed, process.name))
        runtime_made = self._live(process, link)
        self._server.note(process.name, "starts")
        self._server.loop.embody(process, runtime_made)

    def one_of(self, role: str) -> SimulatedRuntime | None:
        """Give the process of a role that works; a stand-in that waits for its turn comes second."""
        ready = [one for one in self.running[role] if one.is_ready]
        return next(reversed(ready or self.running[role]), None)

    def pause(self, role: str, seconds: float) -> None:
        """Freeze a process for a while; when its lease runs out meanwhile, another one takes over."""
        runtime = self.one_of(role)
        if runtime is None or runtime.process.parked is not None:
            return
        process, loop = runtime.process, self._server.loop
        self._server.note(process.name, "hangs for {:.2f} s", seconds)
        loop.freeze(process)
        loop.at(loop.time() + seconds, self._wake, process)
        if seconds > LEASE_TTL_S:
            loop.at(loop.time() + self._chance.between(0.1, seconds), self._stand_in, process)

    def _stand_in(self, process: Process) -> None:
        """Start another process beside one that hangs."""
        if process.parked is not None and not process.dead and not self.calm:
            self.begin(process.role)

    def wake_all(self) -> None:
        """Let everybody who hangs go on."""
        for runtimes in self.running.values():
            for runtime in list(runtimes):
                self._wake(runtime.process)

    @property
    def is_whole(self) -> bool:
        """Say whether of every role exactly one process works."""
        return all(sum(one.is_ready for one in runtimes) == 1 for runtimes in self.running.values())

    def _wake(self, process: Process) -> None:
        if not process.dead and process.parked is not None:
            self._server.note(process.name, "goes on")
            self._server.loop.thaw(process)

    def _died(self, process: Process, how: str) -> None:
        self._server.note(process.name, "is killed {}", how)
        self._ended(process)

    def _ended(self, process: Process) -> None:
        self._server.forget_all(process)
        role = process.role
        self.running[role] = [one for one in self.running[role] if one.process is not process]
        if not self.running[role] and role not in self._due and not self.broken:
            self._due.add(role)
            delay = 0.05 if self.calm else self._chance.weighted([(6, 0.2), (3, 1.0), (1, 6.0)])
            loop = self._server.loop
            loop.at(loop.time() + delay * self._chance.between(0.2, 1.5), self.begin, role)

    async def _live(self, process: Process, link: nats.Link) -> None:
        runtime = SimulatedRuntime(process, link, skew_of(link.chance), self._start)
        runtime.broker = VenuePort(self._wire, process, runtime.clock)
        self.running[process.role].append(runtime)
        try:
            await runtime.live(SERVES[process.role])
            self._server.note(process.name, "ends")
        except Exception as error:  # noqa: BLE001 - what ends a process is what is to be judged
            self._server.note(process.name, "ends: {!r}", error)
            if not is_temporary(error):
                self.broken.append(f"{process.name} broke: {_told(error)}")
        await runtime.close()
        process.dead = True
        self._server.loop.at(self._server.loop.time(), self._ended, process)


def _told(error: BaseException) -> str:
    """Name every cause in a group of errors."""
    if isinstance(error, BaseExceptionGroup):
        return "; ".join(_told(part) for part in error.exceptions)
    return repr(error)
