"""`lockgate kill` and `lockgate release`: straight to NATS, so they work while the HTTP server does not.

Where there is no NATS either, the kill file is made instead; the OMS watches it whether NATS is there or not.
"""

import asyncio
import getpass
import time
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number

from contracts import subjects
from contracts.broker import KillVerified
from contracts.controls import KillEngaged, KillReleased
from contracts.enums import KillMode
from contracts.ids import AccountId
from contracts.scopes import ACCOUNT, BadScopeError, Scope, parse_scope
from projections.standing import is_wider, switch_of
from services.cli.lines import line_of
from services.cli.link import linked, operator_at
from services.cli.outcome import FAILED, OK, CommandError, UnreachableError, UsageError
from services.cli.terminal import Home, as_it_is, chosen_home, console, say
from services.runtime.clock import SystemClock
from services.runtime.jetstream import JetStreamJournal
from services.runtime.kill_file import KillFile

Why = Annotated[str, Parameter(name="--reason")]
Mode = Annotated[KillMode, Parameter(name="--mode", name_transform=as_it_is)]
Wait = Annotated[float, Parameter(name="--wait-s", validator=Number(gte=0))]
ByFile = Annotated[bool, Parameter(name="--file", negative="")]
SAY_EVERY_S = 2.0
WAIT_S = 30.0


def kill(
    mode: Mode = KillMode.BLOCK_NEW,
    *,
    reason: Why,
    scope: str = ACCOUNT,
    file: ByFile = False,
    wait_s: Wait = WAIT_S,
    home: Home = None,
) -> int:
    """Engage a kill switch, and wait for the proof that it works; only orders that reduce pass until its release.

    The proof says how long it took until nothing new could leave, until the broker had answered what left before, and
    until it showed no order (for flatten: no position either). Exit code 1: it is engaged, and not done within the
    wait. Where NATS does not answer, the account's kill file is made instead.

    ```
    lockgate kill --reason "strange fills"
    lockgate kill cancel_all --scope agent.demo --reason "it loops"
    lockgate kill flatten --reason "going home"
    lockgate kill --file --reason "NATS is down"
    ```

    Args:
        mode: block_new refuses new risk, cancel_all also cancels working orders, flatten also closes positions.
        reason: Why, for the record.
        scope: account (firm is the same), agent.NAME, strategy.NAME or symbol.NAME.
        file: Make the kill file <home>/KILL, which needs no NATS; for the account alone.
        wait_s: How long to wait for the proof; with 0 not at all.
        home: The instance's folder.
    """
    why, switch, folder = given_reason(reason), chosen_scope(scope), chosen_home(home)
    event = KillEngaged(epoch=0, at=SystemClock().now(), mode=mode, by=person(), reason=why, scope=switch)
    if file:
        return _make_file(folder, event, "as asked")
    try:
        return asyncio.run(_engage(event, folder, wait_s))
    except UnreachableError as error:
        if not (folder / "credentials").is_dir():
            raise
        return _make_file(folder, event, str(error))


def release(*, reason: Why, scope: str = ACCOUNT, home: Home = None) -> int:
    """Release a kill switch; the account's not while the kill file is there.

    ```
    lockgate release --reason "checked with the broker, fills were real"
    lockgate release --scope agent.demo --reason "its loop is mended"
    ```

    Args:
        reason: Why trading may go on, for the record.
        scope: Whose switch: account (firm is the same), agent.NAME, strategy.NAME or symbol.NAME.
        home: The instance's folder.
    """
    why, switch, folder = given_reason(reason), chosen_scope(scope), chosen_home(home)
    file = KillFile(folder)
    if switch == ACCOUNT and file.is_there():
        raise CommandError(f"{file.path} is there and would engage the switch again: remove it first")
    event = KillReleased(epoch=0, at=SystemClock().now(), by=person(), reason=why, scope=switch)
    seq, account = asyncio.run(_write(event, folder))
    say(f"kill switch released for {_of(switch, account)} (journal sequence {seq})")
    return OK


def resume(*, reason: Why, home: Home = None) -> int:
    """Release the account's kill switch: the older name of `lockgate release`.

    ```
    lockgate resume --reason "checked with the broker, fills were real"
    ```

    Args:
        reason: Why trading may go on, for the record.
        home: The instance's folder.
    """
    return release(reason=reason, home=home)


def _make_file(home: Path, event: KillEngaged, why: str) -> int:
    """Halt the account by its kill file."""
    if event.scope != ACCOUNT:
        raise CommandError(f"{why}; the kill file is for the whole account: leave --scope out")
    file = KillFile(home)
    try:
        file.write(event.mode, f"{event.reason} ({event.by})")
    except OSError as error:
        raise CommandError(f"the kill file {file.path} cannot be made: {error}") from error
    say(f"kill file {file.path} made ({why}): {event.mode} for the account, while NATS is there or not")
    say(f"to go on: remove the file, then `lockgate release --home {home} --reason ...`")
    return OK


async def _engage(event: KillEngaged, home: Path, wait_s: float) -> int:
    who = operator_at(home)
    account = AccountId(who.account)
    async with linked(who) as link:
        journal = JetStreamJournal(link, account)
        seq = await journal.append(subjects.control(account), event)
        say(f"kill switch engaged for {_of(event.scope, account)}: {event.mode} (journal sequence {seq})")
        return OK if not wait_s else await _proved(journal, event, seq, wait_s)


async def _proved(journal: JetStreamJournal, event: KillEngaged, seq: int, wait_s: float) -> int:
    """Show what is told until the proof is there, and wait no longer than asked."""
    waiting = asyncio.create_task(_say_that_we_wait())
    try:
        async with asyncio.timeout(wait_s):
            async for recorded in journal.read(after=seq):
                told = recorded.event
                if not isinstance(told, KillVerified) or not _is_proof_of(told, event, seq):
                    continue
                line = line_of(recorded.seq, told)
                console().tell(line.text, line.style)
                if told.mode is KillMode.BLOCK_NEW or told.flat_after_ms is not None:
                    return OK
    except TimeoutError:
        say(f"NOT PROVED within {wait_s:g} s: the OMS goes on trying; see `lockgate status` and `lockgate tail`")
    finally:
        waiting.cancel()
    return FAILED


def _is_proof_of(told: KillVerified, event: KillEngaged, seq: int) -> bool:
    """Say whether a proof is that of our word, or of a wider one that came in between."""
    return told.scope == event.scope and (told.engaged_seq >= seq or is_wider(told.mode, event.mode))


async def _say_that_we_wait() -> None:
    began_s = time.monotonic()
    while True:
        await asyncio.sleep(SAY_EVERY_S)
        say(f"  waiting for the broker to show that it is done, {time.monotonic() - began_s:.0f} s")


async def _write(event: KillReleased, home: Path) -> tuple[int, AccountId]:
    who = operator_at(home)
    account = AccountId(who.account)
    async with linked(who) as link:
        return await JetStreamJournal(link, account).append(subjects.control(account), event), account


def _of(scope: Scope, account: AccountId) -> str:
    return f"account {account}" if scope == ACCOUNT else f"{scope} of account {account}"


def chosen_scope(text: str) -> Scope:
    """Read a scope; raise `UsageError` on what is none."""
    try:
        parse_scope(text)
    except BadScopeError as error:
        raise UsageError(str(error)) from error
    return switch_of(Scope(text))


def given_reason(reason: str) -> str:
    """Give the reason; raise `UsageError` when it says nothing."""
    if not reason.strip():
        raise UsageError("--reason must say something: it is what the record will show")
    return reason.strip()


def person() -> str:
    """Name the operator for the record."""
    return f"operator {getpass.getuser()}"
