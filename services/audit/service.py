"""Wires the auditor to its process."""

from pathlib import Path

from contracts.enums import Role
from services.audit.auditor import Auditor, Outside
from services.runtime.lease import hold_right_to_write
from services.runtime.process import Runtime


def trail_path(home: Path) -> Path:
    """Say where a home folder keeps its trail."""
    return home / "audit" / "trail.sqlite3"


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
    await Auditor(outside, trail_path(runtime.settings.home)).run(runtime.stopping)
