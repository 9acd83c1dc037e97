"""One way to be a process: settings, logs, link, health, signals, drain, and a telling exit code."""

import asyncio
import gc
import os
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NoReturn

import uvloop
from nats.errors import Error as NatsError

from contracts.ids import AccountId
from services.runtime import settings as settings_module
from services.runtime import telemetry
from services.runtime.clock import SystemClock
from services.runtime.connection import Connection, ErrorSink, connect
from services.runtime.health import Health, ProcessState
from services.runtime.jetstream import JetStreamInbox, JetStreamJournal, NatsSnapshots
from services.runtime.ports import (
    Clock,
    ConflictError,
    Inbox,
    Journal,
    JournalUnavailableError,
    LeaseLostError,
    Snapshots,
)
from services.runtime.setting_values import SettingsError
from services.runtime.settings import Settings

EXIT_CLEAN = 0
EXIT_BROKEN = 1
EXIT_BAD_SETTINGS = 2
EXIT_RESTART_ME = 75
DRAIN_S_MAX = 5.0
"""How long `serve` may go on after a signal before it is cancelled."""
WRITERS = frozenset({"risk", "oms"})
"""Processes whose journal order must equal their order of decisions: a broken link ends them, a restart recovers."""

_TEMPORARY = (JournalUnavailableError, LeaseLostError, ConflictError)

type Serve = Callable[["Runtime"], Awaitable[None]]
type Beside = Callable[[Settings, Any], Coroutine[Any, Any, None]]
"""What goes on from the start of a process, with NATS or without; given the settings and a log."""


class Runtime:
    """What a process is given: its ports and its place in the world."""

    def __init__(self, name: str, settings: Settings, connection: Connection) -> None:
        """Bind the ports to a connection."""
        self.name = name
        self.settings = settings
        self.account: AccountId = settings.account
        self.connection = connection
        self.clock: Clock = SystemClock()
        self.log = telemetry.get_logger(name)
        self.journal: Journal = JetStreamJournal(connection, settings.account)
        self.inbox: Inbox = JetStreamInbox(connection, settings.account)
        self.snapshots: Snapshots = NatsSnapshots(connection, name, settings.account)
        self.stopping = asyncio.Event()
        self.failed: asyncio.Future[NoReturn] = asyncio.get_running_loop().create_future()
        self._facts: dict[str, Any] = {}
        self._fresh: list[Callable[[], dict[str, Any]]] = []
        self._tasks: set[asyncio.Task[None]] = set()
        self._endings = AsyncExitStack()
        self._health = Health(
            connection,
            name=name,
            version=settings.code_version,
            account=settings.account,
            started=self.clock.now(),
            facts=self.facts,
        )

    def mark_ready(self) -> None:
        """Say that the process is caught up and serves; what lives now is not garbage."""
        gc.collect()
        gc.freeze()
        self._health.state = ProcessState.READY
        self.log.info("ready", **self.facts())

    def report(self, **facts: Any) -> None:
        """Set figures that health shows, such as the last journal sequence, the lag or the epoch."""
        self._facts.update(facts)

    def freshly(self, figures: Callable[[], dict[str, Any]]) -> None:
        """Ask for these figures whenever health is asked: who has just changed something sees it."""
        self._fresh.append(figures)

    def facts(self) -> dict[str, Any]:
        """Give every figure as it is now."""
        facts = dict(self._facts)
        for figures in self._fresh:
            facts |= figures()
        return facts

    def spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        """Run work beside `serve` until the process ends; if it fails, the process fails."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._finished)

    def fail(self, error: BaseException) -> None:
        """End the process because of this error."""
        if not self.failed.done():
            self.failed.set_exception(error)

    def at_end(self, action: Callable[[], Awaitable[None]]) -> None:
        """Do this before the link closes, in reverse order of registration."""
        self._endings.push_async_callback(action)

    async def live(self, serve: Serve) -> None:
        """Serve until told to stop, until done, or until something fails; raise what failed."""
        await self._health.start()
        serving = asyncio.ensure_future(serve(self))
        stopping = asyncio.ensure_future(self.stopping.wait())
        ended = asyncio.ensure_future(self.connection.ended.wait())
        try:
            await asyncio.wait({serving, stopping, ended, self.failed}, return_when=asyncio.FIRST_COMPLETED)
            if stopping.done() and not serving.done():
                await self._drain({serving, self.failed, ended})
            self._raise_failure(serving, ended)
        finally:
            await _cancel({serving, stopping, ended, *self._tasks})
            if not self.failed.cancel():
                self.failed.exception()  # told already, or second to another failure

    async def _drain(self, ends: set[asyncio.Future[Any]]) -> None:
        """Let `serve` finish what it has begun; one that was never ready has begun nothing."""
        was_ready, self._health.state = self._health.state is ProcessState.READY, ProcessState.DRAINING
        if was_ready:
            done, _ = await asyncio.wait(ends, timeout=DRAIN_S_MAX, return_when=asyncio.FIRST_COMPLETED)
            if not done:
                self.log.warning("cancelled: still serving after the signal", seconds=DRAIN_S_MAX)

    async def close(self) -> None:
        """Give back what is held and close the link; a link that is gone cannot be told."""
        try:
            if not self.connection.is_closed:
                await self._endings.aclose()
                await self.connection.drain()
        except (JournalUnavailableError, NatsError, OSError) as error:
            self.log.warning("did not end in good order", error=str(error))

    def _raise_failure(self, serving: asyncio.Future[None], ended: asyncio.Future[Any]) -> None:
        if self.failed.done():
            self.failed.result()
        if serving.done():
            serving.result()
        if ended.done():
            raise JournalUnavailableError("the link to NATS closed")

    def _finished(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)


def run(name: str, serve: Serve, *, reconnect: bool | None = None, beside: Beside | None = None) -> NoReturn:
    """Be the process `name` until it ends, and exit with a code its supervisor understands.

    `reconnect` says whether a broken link may come back within the life of the process; unless given, it
    may for all but the writers of the journal. A process that has something to do `beside` it waits for NATS as long
    as it takes, for that goes on meanwhile.
    """
    try:
        settings = settings_module.load_settings(_home(sys.argv[1:]))
        seed = _read_seed(settings.seed_path(name))
    except SettingsError as error:
        sys.stderr.write(f"{name}: {error}\n")
        sys.exit(EXIT_BAD_SETTINGS)
    telemetry.configure(settings.log_level, settings.log_format, process=name, account=settings.account)
    may_reconnect = name not in WRITERS if reconnect is None else reconnect
    being = _be(name, settings, seed, serve, reconnect=may_reconnect, patient=beside is not None)
    sys.exit(uvloop.run(being if beside is None else _with(beside(settings, telemetry.get_logger(name)), being)))


class _LinkLog:
    """Says what NATS complains of, once for each complaint in a row: attempts to reconnect come four a second."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self._last = ""

    def heard(self, error: Exception) -> None:
        text = str(error) or repr(error)
        if text != self._last:
            self._last = text
            self._log.warning("nats", error=text)


async def _with(beside: Coroutine[Any, Any, None], being: Coroutine[Any, Any, int]) -> int:
    """Be a process, and do something beside it until it ends; what breaks there breaks the process."""
    task, life = asyncio.ensure_future(beside), asyncio.ensure_future(being)
    try:
        await asyncio.wait({task, life}, return_when=asyncio.FIRST_COMPLETED)
        if task.done():
            task.result()
        return await life
    finally:
        await _cancel({task, life})


async def _connected(
    settings: Settings, name: str, seed: str, on_error: ErrorSink, *, reconnect: bool, patient: bool
) -> Connection:
    while True:
        try:
            return await connect(settings.nats_url, name, seed, reconnect=reconnect, on_error=on_error)
        except JournalUnavailableError:
            if not patient:
                raise


async def _be(
    name: str, settings: Settings, seed: str, serve: Serve, *, reconnect: bool, patient: bool = False
) -> int:
    log = telemetry.get_logger(name)
    try:
        link_log = _LinkLog(log)
        heard = link_log.heard
        connection = await _connected(settings, name, seed, heard, reconnect=reconnect, patient=patient)
        runtime = Runtime(name, settings, connection)
        _stop_on_signals(runtime)
        try:
            await runtime.live(serve)
        finally:
            await runtime.close()
    except SettingsError as error:
        log.error("bad settings", error=str(error))  # noqa: TRY400 - a wrong setting has no traceback worth reading
        return EXIT_BAD_SETTINGS
    except Exception as error:
        if is_temporary(error):
            log.warning("must restart", reason=type(error).__name__, error=str(error))
            return EXIT_RESTART_ME
        log.exception("broken")
        return EXIT_BROKEN
    log.info("stopped")
    return EXIT_CLEAN


def is_temporary(error: BaseException) -> bool:
    """Say whether a restart is the cure: every cause, in a group too, is a lost journal, lease or race."""
    if isinstance(error, BaseExceptionGroup):
        return all(is_temporary(part) for part in error.exceptions)
    return isinstance(error, _TEMPORARY)


def _stop_on_signals(runtime: Runtime) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, runtime.stopping.set)


async def _cancel(tasks: set[asyncio.Future[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _home(arguments: list[str]) -> Path:
    match arguments:
        case []:
            return settings_module.home_from(None, os.environ)
        case ["--home", home]:
            return settings_module.home_from(home, os.environ)
        case _:
            raise SettingsError("arguments", " ".join(arguments), "--home DIR, or nothing")


def _read_seed(path: Path) -> str:
    try:
        return path.read_text().strip()
    except OSError as error:
        raise SettingsError(
            str(path), f"not readable ({error.strerror})", "the file that `lockgate up` writes"
        ) from None
