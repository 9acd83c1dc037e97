"""The OMS process put together: the right to write first, then the journal, then the broker."""

from typing import Any

from contracts import subjects
from contracts.enums import Role
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.budget import RequestBudget
from services.oms.core import FencedError, OmsCore
from services.oms.file_plane import FilePlane
from services.oms.guard import Guard
from services.oms.kill import KillSwitch
from services.oms.service import Oms, OmsPorts, OmsWaits, rebuild
from services.runtime.broker_settings import BrokerSettings
from services.runtime.clock import SystemClock
from services.runtime.kill_file import KillFile
from services.runtime.lease import hold_right_to_write
from services.runtime.ports import Clock, LeaseLostError
from services.runtime.process import Runtime
from services.runtime.settings import Settings


def _broker(settings: BrokerSettings, clock: Clock) -> tuple[AlpacaBroker, AlpacaHttp]:
    keys = AlpacaKeys(settings.key_id, settings.key_secret.value)
    http = AlpacaHttp(settings.trading_url, keys, clock, budget=RequestBudget(settings.requests_per_min))
    return AlpacaBroker(http, AlpacaUpdates(settings.stream_url, keys, clock)), http


class OmsProcess:
    """The OMS, and the guard that stands in for it while there is no journal."""

    def __init__(self) -> None:
        """Begin with the guard on duty."""
        self._guard = Guard()

    async def guard(self, settings: Settings, log: Any) -> None:
        """Watch the kill file until the OMS is live."""
        broker, _ = _broker(settings.broker, SystemClock())
        try:
            await self._guard.watch(KillFile(settings.home), broker, log)
        finally:
            await broker.close()

    async def serve(self, runtime: Runtime) -> None:
        """Be the OMS until told to stop."""
        await serve(runtime, self._guard)


async def serve(runtime: Runtime, guard: Guard) -> None:
    """Be the OMS until told to stop."""
    lease = await hold_right_to_write(runtime, Role.OMS)
    core = OmsCore()
    kill = KillSwitch(core, runtime.clock)
    broker, http = _broker(runtime.settings.broker, runtime.clock)
    runtime.at_end(broker.close)
    ports = OmsPorts(
        journal=runtime.journal,
        snapshots=runtime.snapshots,
        broker=broker,
        clock=runtime.clock,
        lease=lease,
        log=runtime.log,
        budget=http.facts,
        throttled=http.budget.take_refusal,
    )

    await runtime.connection.subscribe_raw(
        subjects.control(runtime.account), lambda _subject, _reply, body, _headers: kill.hear(body)
    )
    await rebuild(core, ports)
    core.epoch = lease.epoch
    plane = FilePlane(KillFile(runtime.settings.home), kill, runtime.journal, runtime.clock)
    plane.look()  # before anything is sent
    runtime.spawn("kill file", plane.watch())

    waits = OmsWaits(clock_every_ms=runtime.settings.clock_every_ms)

    def mark_ready() -> None:
        guard.stand_down()
        runtime.mark_ready()

    try:
        oms = Oms(ports, core, kill, waits)
        runtime.freshly(oms.figures)
        await oms.run(runtime.stopping, mark_ready)
    except* FencedError as fenced:
        raise LeaseLostError(str(fenced.exceptions[0])) from fenced
