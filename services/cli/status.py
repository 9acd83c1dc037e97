"""`lockgate status`: every process, its state and how far it is behind."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from rich import box
from rich.table import Table
from rich.text import Text

from contracts.scopes import ACCOUNT
from services.cli.instance import Instance, running_instance
from services.cli.outcome import OK, UnreachableError
from services.cli.probe import ProcessStatus, Status, look_at
from services.cli.terminal import AsJson, Home, chosen_home, console, say_json
from services.runtime.health import ProcessState
from services.runtime.kill_file import KillFile

_STYLES: dict[str, str] = {
    ProcessState.READY: "green",
    ProcessState.STARTING: "yellow",
    ProcessState.DRAINING: "yellow",
}
_HOUR_S, _MINUTE_S = 3600, 60


def status(*, home: Home = None, as_json: AsJson = False) -> int:
    """Show every process of an instance, NATS and the simulator included.

    `seq` is how far a process has folded the journal, `lag` how many events it is behind.

    ```
    lockgate status
    lockgate status --json | jq '.processes[] | {name, pid, state}'
    ```

    Args:
        home: The instance's folder.
        as_json: Print JSON for programs.
    """
    found = asyncio.run(look_at(instance_or_fail(chosen_home(home))))
    if as_json:
        say_json(found)
        return OK
    terminal = console()
    terminal.print(table_of(found))
    urls = found.urls
    terminal.print(
        f"http {urls.http}   openapi {urls.openapi}   nats {urls.nats}   simulator {urls.simulator or '-'}"
    )
    for text in (*trading_lines(found), *kill_lines(found)):
        terminal.tell(text, "bold red")
    terminal.print(
        f"account {found.account}   mode {found.mode}   broker {found.broker}   journal {found.journal_seq}"
    )
    return OK


def trading_lines(found: Status) -> Iterator[str]:
    """Tell which scopes may not trade freely, as risk knows them, and why; the account's own causes are told once."""
    trading = next((one.facts.get("trading") for one in found.processes if one.name == "risk"), None) or {}
    whole = trading.get(ACCOUNT)
    for scope, told in trading.items():
        if scope == ACCOUNT or told != whole:
            yield f"trading {told[0]} for {scope}: {', '.join(told[1:])}"


def kill_lines(found: Status) -> Iterator[str]:
    """Tell every kill switch that is on, as the OMS knows them, and the kill file."""
    facts = next((one.facts for one in found.processes if one.name == "oms"), {})
    late = facts.get("kills_not_done") or ()
    for kill in facts.get("kills") or ():
        not_done = "   NOT DONE YET" if kill["scope"] in late else ""
        who = f"by {kill['by']}: {kill['reason']}   since {kill['since']}"
        yield f"kill switch {kill['mode']} for {kill['scope']} {who}{not_done}"
    if (file := KillFile(Path(found.home))).is_there():
        yield f"kill file {file.path} is there"


def instance_or_fail(home: Path) -> Instance:
    """Give the running instance of a home, or say how to start one."""
    instance = running_instance(home)
    if instance is None:
        raise UnreachableError(f"nothing runs on {home}; start it with `lockgate up --home {home}`")
    return instance


def table_of(found: Status) -> Table:
    """Lay the processes out, one row each."""
    table = Table(box=box.SIMPLE_HEAD)
    for name in ("process", "state", "pid", "up", "restarts", "seq", "lag"):
        table.add_column(name, justify="left" if name in {"process", "state"} else "right")
    for process in found.processes:
        table.add_row(*_cells(process))
    return table


def duration(seconds: int | None) -> str:
    """Write a duration in its two largest units."""
    if seconds is None:
        return "-"
    if seconds < _MINUTE_S:
        return f"{seconds}s"
    if seconds < _HOUR_S:
        return f"{seconds // _MINUTE_S}m{seconds % _MINUTE_S:02}s"
    return f"{seconds // _HOUR_S}h{seconds % _HOUR_S // _MINUTE_S:02}m"


def _cells(process: ProcessStatus) -> tuple[str | Text, ...]:
    style = _STYLES.get(process.state, "red")
    return (
        process.name,
        Text(process.state, style),
        _number(process.pid),
        duration(process.uptime_s),
        str(process.restarts),
        _number(process.seq),
        _number(process.lag),
    )


def _number(value: int | None) -> str:
    return "-" if value is None else str(value)
