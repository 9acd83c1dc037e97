"""Brings the whole system up in order, keeps it up, and takes it down in order."""

import asyncio
import os
import signal
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from services.cli.instance import Instance, Urls, instance_path, write_instance
from services.runtime.settings import Settings
from services.supervisor.console import Screen
from services.supervisor.crew import Crew
from services.supervisor.household import Household, http_url
from services.supervisor.keeper import Keeper
from services.supervisor.logfile import LogFile, last_lines
from services.supervisor.programs import STOP_ORDER

UP_S_MAX = 60
LINES_SHOWN = 12
OPENAPI_PATH = "/openapi.json"


class NotUpError(Exception):
    """The system did not come up, or cannot go on; the message says which process and why."""


class Supervisor:
    """One running system."""

    def __init__(self, settings: Settings, household: Household, env: Mapping[str, str], console: Screen) -> None:
        """Prepare; nothing is started before `run`."""
        self.ready = False
        self._settings = settings
        self._household = household
        self._console = console
        self._logs = {name: LogFile(self._log_path(name)) for name in STOP_ORDER}
        self._started_at = datetime.now(UTC)
        self._stop = asyncio.Event()
        self._given_up: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._crew = Crew(settings, household, env, self)
        self._tasks: list[asyncio.Task[None]] = []

    async def run(self, on_ready: Callable[[str], None]) -> None:
        """Come up, say so, and go on until a signal; raise `NotUpError` when it cannot."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            asyncio.get_running_loop().add_signal_handler(number, self._asked_to_stop)
        try:
            await self._until_told_otherwise(asyncio.create_task(self._come_up()))
            if not self._stop.is_set():
                self.ready = True
                self.changed()
                on_ready(self.ready_line())
                await self._until_told_otherwise(asyncio.create_task(self._stop.wait()))
        finally:
            await self._take_down()

    def line(self, name: str, line: str) -> None:
        """Keep a line that a program printed, and show it."""
        self._logs[name].write(line)
        self._console.show(name, line)
        self._crew.heard(name, line)

    def tell(self, text: str) -> None:
        """Say something as the supervisor."""
        self._console.show("supervisor", text)

    def changed(self) -> None:
        """Describe the system anew for the other commands; a full disk is no reason to stop."""
        try:
            write_instance(self._instance())
        except OSError as error:
            self.tell(f"cannot describe the system for `lockgate status`: {error}")

    def give_up(self, name: str, why: str) -> None:
        """Stop everything, because one program will not do."""
        if not self._given_up.done():
            self._given_up.set_exception(NotUpError(self._with_last_lines(name, why)))

    def ready_line(self) -> str:
        """Say in one line where everything is."""
        urls, broker = self._urls(), self._settings.broker
        simulator = f" simulator={urls.simulator}" if urls.simulator else ""
        return (
            f"lockgate ready: http={urls.http} openapi={urls.openapi} nats={urls.nats}{simulator} "
            f"account={self._settings.account} mode={broker.mode} broker={broker.source} "
            f"home={self._settings.home} credentials={self._settings.credentials_dir} pid={os.getpid()}"
        )

    async def _come_up(self) -> None:
        """Start in order of need: the log, the broker, then everything that uses them, all at once."""
        for stage in self._crew.stages:
            for keeper in stage:
                task = asyncio.create_task(keeper.keep(), name=keeper.name)
                task.add_done_callback(self._keeper_ended)
                self._tasks.append(task)
            await self._wait_for(stage)

    async def _wait_for(self, stage: list[Keeper]) -> None:
        try:
            async with asyncio.timeout(UP_S_MAX):
                for keeper in stage:
                    await keeper.up.wait()
        except TimeoutError:
            late = [keeper.name for keeper in stage if not keeper.up.is_set()]
            self.give_up(late[0], f"not ready after {UP_S_MAX} s (waiting for {', '.join(late)})")

    async def _until_told_otherwise(self, work: asyncio.Task[object]) -> None:
        """Wait for the work, a signal, or the end of all hope; raise what failed."""
        stopping = asyncio.create_task(self._stop.wait())
        await asyncio.wait({work, stopping, self._given_up}, return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if self._given_up.done():
            work.cancel()
            self._given_up.result()
        if work.done():
            work.result()
        work.cancel()

    async def _take_down(self) -> None:
        """Stop one after another, writers before what they write to."""
        keepers = self._crew.keepers
        for name in STOP_ORDER:
            if name in keepers:
                await keepers[name].stop()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._crew.hang_up()
        for log in self._logs.values():
            log.close()
        instance_path(self._settings.home).unlink(missing_ok=True)

    def _asked_to_stop(self) -> None:
        if self._stop.is_set():
            self.tell("asked again: killing what still runs")
            for keeper in self._crew.keepers.values():
                keeper.kill()
            return
        self.tell("stopping")
        self._stop.set()

    def _keeper_ended(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self.give_up(task.get_name(), f"could not be kept running: {error!r}")

    def _instance(self) -> Instance:
        settings = self._settings
        return Instance(
            pid=os.getpid(),
            home=str(settings.home),
            account=settings.account,
            mode=settings.broker.mode,
            broker=settings.broker.source,
            started_at=self._started_at,
            ready=self.ready,
            urls=self._urls(),
            processes=tuple(keeper.record for keeper in self._crew.keepers.values()),
        )

    def _urls(self) -> Urls:
        http, simulator = http_url(self._settings), self._household.simulator
        return Urls(
            http=http,
            openapi=http + OPENAPI_PATH,
            nats=self._settings.nats_url,
            simulator=simulator.base_url if simulator else None,
        )

    def _with_last_lines(self, name: str, why: str) -> str:
        path = self._log_path(name)
        shown = "".join(f"\n    {line}" for line in last_lines(path, LINES_SHOWN))
        return f"{name}: {why}; its last lines (all in {path}):{shown}"

    def _log_path(self, name: str) -> Path:
        return self._settings.home / "logs" / f"{name}.log"
