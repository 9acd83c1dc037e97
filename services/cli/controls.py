"""`lockgate kill` and `lockgate resume`: straight to NATS, so they work while the HTTP server does not."""

import asyncio
import getpass
from typing import Annotated

from cyclopts import Parameter

from contracts import subjects
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.ids import AccountId
from services.cli.link import linked, operator_at
from services.cli.outcome import OK, UsageError
from services.cli.terminal import Home, as_it_is, chosen_home, say
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal

Why = Annotated[str, Parameter(name="--reason")]
Mode = Annotated[KillMode, Parameter(name="--mode", name_transform=as_it_is)]


def kill(*, reason: Why, mode: Mode = KillMode.BLOCK_NEW, home: Home = None) -> int:
    """Engage the kill switch; only orders that reduce a position pass until `lockgate resume`.

    ```
    lockgate kill --reason "strange fills"
    lockgate kill --mode flatten --reason "going home"
    ```

    Args:
        reason: Why, for the record.
        mode: block_new refuses new risk, cancel_all also cancels working orders, flatten also closes positions.
        home: The instance's folder.
    """
    event = KillEngaged(epoch=0, at=SystemClock().now(), mode=mode, by=person(), reason=given_reason(reason))
    seq, account = asyncio.run(_write(event, home))
    say(f"kill switch engaged on account {account}: {mode} (journal sequence {seq})")
    return OK


def resume(*, reason: Why, home: Home = None) -> int:
    """Release the kill switch.

    ```
    lockgate resume --reason "checked with the broker, fills were real"
    ```

    Args:
        reason: Why trading may go on, for the record.
        home: The instance's folder.
    """
    event = KillReleased(epoch=0, at=SystemClock().now(), by=person(), reason=given_reason(reason))
    seq, account = asyncio.run(_write(event, home))
    say(f"kill switch released on account {account} (journal sequence {seq})")
    return OK


async def _write(event: KillEngaged | KillReleased, home: Home) -> tuple[int, AccountId]:
    who = operator_at(chosen_home(home))
    account = AccountId(who.account)
    async with linked(who) as link:
        return await JetStreamJournal(link, account).append(subjects.control(account), event), account


def given_reason(reason: str) -> str:
    """Give the reason; raise `UsageError` when it says nothing."""
    if not reason.strip():
        raise UsageError("--reason must say something: it is what the record will show")
    return reason.strip()


def person() -> str:
    """Name the operator for the record."""
    return f"operator {getpass.getuser()}"
