"""`lockgate doctor`: looks for what is wrong, and says how to put it right."""

import asyncio
from pathlib import Path

from nats.errors import Error as NatsError

from services.cli import examination
from services.cli import examination_live as live
from services.cli.examination import Finding
from services.cli.instance import running_instance
from services.cli.outcome import FAILED, OK
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.nats_rights import ADMIN
from services.runtime.ports import JournalUnavailableError
from services.runtime.settings import Settings


def doctor(*, home: Home = None, as_json: AsJson = False) -> int:
    """Examine environment, ports, credentials, NATS and its streams, processes, clock and disk.

    The exit code is 0 when all is well and 1 when something is not; every finding comes with a fix.

    ```
    lockgate doctor
    lockgate doctor --json | jq '.findings[] | select(.ok | not)'
    ```

    Args:
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    findings = asyncio.run(_examine(chosen_home(home)))
    well = all(finding.ok for finding in findings)
    if as_json:
        say_json({"ok": well, "findings": findings})
        return OK if well else FAILED
    terminal = console()
    for finding in findings:
        mark, style = ("ok   ", "green") if finding.ok else ("WRONG", "bold red")
        terminal.tell(f"{mark} {finding.subject:<16} {finding.detail}", style)
        if not finding.ok:
            terminal.tell(f"      -> {finding.fix}")
    return OK if well else FAILED


async def _examine(home: Path) -> list[Finding]:
    findings = [*examination.environment(), *examination.folder(home)]
    settings, finding = examination.settings(home)
    findings += [finding, examination.supervisor(home)]
    if settings is not None:
        findings += await _running_or_not(home, settings)
    return findings


async def _running_or_not(home: Path, settings: Settings) -> list[Finding]:
    instance = running_instance(home)
    if instance is None:
        return [*examination.ports(settings), await live.broker_clock(settings.broker)]
    findings = [finding async for finding in live.processes(instance)]
    try:
        seed = settings.seed_path(ADMIN).read_text().strip()
        findings += [finding async for finding in live.log_server(instance, seed)]
    except (OSError, NatsError, JournalUnavailableError) as error:
        detail = f"{instance.urls.nats} cannot be examined: {error!r}"
        findings.append(Finding(subject="nats", ok=False, detail=detail, fix=f"read {home / 'logs' / 'nats.log'}"))
    return [*findings, await live.broker_clock(settings.broker)]
