"""The OMS process put together: the right to write first, then the journal, then the broker."""

from contracts import subjects
from contracts.enums import Role
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.budget import RequestBudget
from services.oms.brokers.port import Broker
from services.oms.core import FencedError, OmsCore
from services.oms.kill import KillSwitch
from services.oms.service import Oms, OmsPorts, rebuild
from services.runtime.lease import hold_right_to_write
from services.runtime.ports import LeaseLostError
from services.runtime.process import Runtime


def _broker(runtime: Runtime) -> tuple[Broker, AlpacaHttp]:
    settings = runtime.settings.broker
    keys = AlpacaKeys(settings.key_id, settings.key_secret.value)
    http = AlpacaHttp(settings.trading_url, keys, runtime.clock, budget=RequestBudget(settings.requests_per_min))
    return AlpacaBroker(http, AlpacaUpdates(settings.stream_url, keys, runtime.clock)), http


async def serve(runtime: Runtime) -> None:
    """Be the OMS until told to stop."""
    lease = await hold_right_to_write(runtime, Role.OMS)
    core = OmsCore()
    kill = KillSwitch(core)
    broker, http = _broker(runtime)
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
    try:
        await Oms(ports, core, kill).run(runtime.stopping, runtime.mark_ready, runtime.report)
    except* FencedError as fenced:
        raise LeaseLostError(str(fenced.exceptions[0])) from fenced
