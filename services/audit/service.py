"""Wires the auditor and the notary to their process."""

import asyncio

from contracts.enums import Role
from services.audit.auditor import Auditor, Outside
from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import Schedule
from services.audit.location import read_models_of
from services.audit.notary import Notary
from services.audit.signing import signer_of
from services.runtime.lease import hold_right_to_write
from services.runtime.process import Runtime


async def serve(runtime: Runtime) -> None:
    """Be the auditor of the account until told to stop."""
    lease = await hold_right_to_write(runtime, Role.AUDIT)
    outside = Outside(
        journal=runtime.journal,
        lease=lease,
        clock=runtime.clock,
        report=runtime.report,
        ready=runtime.mark_ready,
    )
    async with asyncio.TaskGroup() as work:
        work.create_task(_notary(runtime).run(runtime.stopping, _schedule(runtime)))
        work.create_task(Auditor(outside, read_models_of(runtime.settings)).run(runtime.stopping))


def _notary(runtime: Runtime) -> Notary:
    settings = runtime.settings
    files = CheckpointFiles(settings.checkpoint_dir, runtime.account)
    return Notary(runtime.journal, files, signer_of(settings.home), runtime.clock, settings.code_version)


def _schedule(runtime: Runtime) -> Schedule:
    return Schedule(every_ms=runtime.settings.checkpoint_every_ms)
