"""Wires the auditor, the notary and the conservation watch to their process."""

import asyncio

from contracts.enums import Role
from services.audit.auditor import Auditor, Outside
from services.audit.broker_view import AlpacaView
from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import Schedule
from services.audit.location import read_models_of
from services.audit.notary import Notary
from services.audit.regimes import regimes_of
from services.audit.signing import signer_of
from services.audit.watch import ConservationWatch, WatchPorts
from services.audit.watch_reports import report_unwatched
from services.runtime.lease import hold_right_to_write
from services.runtime.ports import Lease
from services.runtime.process import Runtime
from services.runtime.settings import ExternalOrders


async def serve(runtime: Runtime) -> None:
    """Be the auditor of the account until told to stop."""
    lease = await hold_right_to_write(runtime, Role.AUDIT)
    outside = Outside(
        journal=runtime.journal,
        lease=lease,
        clock=runtime.clock,
        report=runtime.report,
        ready=runtime.mark_ready,
        regimes=regimes_of(runtime.connection),
    )
    async with asyncio.TaskGroup() as work:
        work.create_task(_notary(runtime).run(runtime.stopping, _schedule(runtime)))
        work.create_task(Auditor(outside, read_models_of(runtime.settings)).run(runtime.stopping))
        if runtime.settings.external_orders is ExternalOrders.HALT:
            work.create_task(_watch(runtime, lease))
        else:
            work.create_task(report_unwatched(runtime.journal, lease, runtime.clock, runtime.stopping))


async def _watch(runtime: Runtime, lease: Lease) -> None:
    """Hold everything the broker shows against what was approved, over a connection of its own."""
    async with AlpacaView(runtime.settings.broker) as view:
        ports = WatchPorts(
            journal=runtime.journal, view=view, lease=lease, clock=runtime.clock, report=runtime.report
        )
        watch = ConservationWatch(ports, look_every_ms=runtime.settings.watch_every_ms)
        await watch.run(runtime.stopping)


def _notary(runtime: Runtime) -> Notary:
    settings = runtime.settings
    files = CheckpointFiles(settings.checkpoint_dir, runtime.account)
    return Notary(runtime.journal, files, signer_of(settings.home), runtime.clock, settings.code_version)


def _schedule(runtime: Runtime) -> Schedule:
    return Schedule(every_ms=runtime.settings.checkpoint_every_ms)
