"""Keeps one program running: starts it, waits until it is up, starts it again when it dies, and says so."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import UTC, datetime
from typing import Protocol

from services.cli.instance import ProcessRecord
from services.runtime.process import EXIT_BAD_SETTINGS, EXIT_BROKEN, EXIT_RESTART_ME
from services.supervisor.child import STOP_WAIT_MS, Child, Program
from services.supervisor.restarts import Restarts, after_death, cause_of

STARTUP_DEATHS_MAX = 5


class UnusableError(Exception):
    """The program runs but can never do its work as things are; starting it again would not help."""


class Overseer(Protocol):
    """Whoever keeps several programs and hears of what happens to them."""

    ready: bool

    def line(self, name: str, line: str) -> None:
        """Take one line that a program printed."""
        ...

    def tell(self, text: str) -> None:
        """Say something to whoever watches."""
        ...

    def changed(self) -> None:
        """Note that a program was started or died."""
        ...

    def give_up(self, name: str, why: str) -> None:
        """Stop everything, because this program will not do."""
        ...


type ComeUp = Callable[[Child], Awaitable[None]]
"""Waits until a started program does its work; raises `UnusableError` when it never will."""


class Keeper:
    """One program kept running."""

    def __init__(self, program: Program, overseer: Overseer, come_up: ComeUp) -> None:
        """Prepare; nothing runs before `keep`."""
        self.program = program
        self.name = program.name
        self.up = asyncio.Event()
        self.restarts = Restarts()
        self._overseer = overseer
        self._come_up = come_up
        self._child: Child | None = None
        self._started_at: datetime | None = None
        self._leaving = asyncio.Event()

    @property
    def record(self) -> ProcessRecord:
        """Describe the program as it stands."""
        pid = self._child.pid if self._child else None
        return ProcessRecord(name=self.name, pid=pid, started_at=self._started_at, restarts=self.restarts.total)

    async def keep(self) -> None:
        """Run the program until `stop` or until it is given up."""
        while not self._leaving.is_set():
            code, ran_ms = await self._live()
            if self._leaving.is_set() or not self._may_return(code, ran_ms):
                return
            told = f"restart {self.restarts.total} in {self.restarts.delay_ms / 1000:g} s"
            self._overseer.tell(f"{self.name} died ({cause_of(code)}), {told}")
            with suppress(TimeoutError):
                async with asyncio.timeout(self.restarts.delay_ms / 1000):
                    await self._leaving.wait()

    async def stop(self, wait_ms: int = STOP_WAIT_MS) -> None:
        """Ask it to end, wait, then end it by force."""
        self._leaving.set()
        if self._child is not None and not await self._child.stop(wait_ms):
            self._overseer.tell(f"{self.name} did not stop within {wait_ms / 1000:g} s and was killed")

    def kill(self) -> None:
        """End it by force, now."""
        if self._child is not None:
            self._child.kill()

    async def _live(self) -> tuple[int, int]:
        """Start it and see it through to its end; give its exit code and how long it ran, in milliseconds."""
        try:
            child = await Child.start(self.program, lambda line: self._overseer.line(self.name, line))
        except OSError as error:  # the machine is short of something; it may not be the next time
            self._overseer.tell(f"{self.name} could not be started: {error}")
            return EXIT_BROKEN, 0
        self._child, self._started_at = child, datetime.now(UTC)
        self._overseer.changed()
        coming_up = asyncio.create_task(self._watch_coming_up(child))
        if self._leaving.is_set():  # asked to stop while it was being started
            await child.stop()
        code = await child.ended()
        coming_up.cancel()
        await asyncio.gather(coming_up, return_exceptions=True)
        self.up.clear()
        self._child = None
        self._overseer.changed()
        return code, child.ran_ms

    async def _watch_coming_up(self, child: Child) -> None:
        try:
            await self._come_up(child)
        except UnusableError as error:
            self._overseer.give_up(self.name, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the cure is a fresh start
            self._overseer.tell(f"{self.name} did not come up: {error!r}")
            await child.stop()
            return
        self.up.set()
        if self.restarts.total:
            self._overseer.tell(f"{self.name} is up again, {child.ran_ms / 1000:.1f} s after its start")
        self._overseer.changed()

    def _may_return(self, code: int, ran_ms: int) -> bool:
        """Count a death, and say whether another start makes sense."""
        self.restarts = after_death(self.restarts, ran_ms)
        if code == EXIT_BAD_SETTINGS:
            self._overseer.give_up(self.name, "bad settings")
            return False
        hopeless = not self._overseer.ready and self.restarts.in_a_row >= STARTUP_DEATHS_MAX
        if hopeless and code != EXIT_RESTART_ME:
            self._overseer.give_up(
                self.name, f"died {self.restarts.in_a_row} times while starting ({cause_of(code)})"
            )
            return False
        return True
