"""Keeping one program running."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable

from services.supervisor.child import Child, Program
from services.supervisor.keeper import STARTUP_DEATHS_MAX, Keeper, UnusableError

SLEEPER = "import time; print('up', flush=True); time.sleep(60)"


class Watcher:
    """Hears what a keeper says."""

    def __init__(self, *, ready: bool = True) -> None:
        self.ready = ready
        self.told: list[str] = []
        self.given_up: list[str] = []
        self.stopped = asyncio.Event()
        self._heard = asyncio.Event()

    async def until(self, holds: Callable[[], bool]) -> None:
        """Look again whenever something was said or has changed."""
        while not holds():
            self._heard.clear()
            await self._heard.wait()

    def line(self, name: str, line: str) -> None:
        """Lines do not matter here."""

    def tell(self, text: str) -> None:
        self.told.append(text)
        self._heard.set()

    def changed(self) -> None:
        self._heard.set()

    def give_up(self, name: str, why: str) -> None:
        self.given_up.append(f"{name}: {why}")
        self.stopped.set()


async def at_once(_: Child) -> None:
    """Be up as soon as it runs."""


def keeping(
    code: str,
    scenario: Callable[[Keeper, Watcher], Awaitable[None]],
    *,
    ready: bool = True,
    come_up: Callable[[Child], Awaitable[None]] = at_once,
) -> None:
    async def run() -> None:
        watcher = Watcher(ready=ready)
        keeper = Keeper(Program("risk", (sys.executable, "-c", code)), watcher, come_up)
        keeping = asyncio.create_task(keeper.keep())
        async with asyncio.timeout(30):
            await scenario(keeper, watcher)
            await keeper.stop(5_000)
            await keeping

    asyncio.run(run())


def test_a_killed_program_is_started_again_and_it_is_said_so() -> None:
    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await keeper.up.wait()
        first = keeper.record.pid
        assert first is not None
        os.kill(first, signal.SIGKILL)
        await watcher.until(lambda: keeper.record.pid not in {first, None} and keeper.up.is_set())
        assert watcher.told[0] == "risk died (signal 9), restart 1 in 0.2 s"
        assert watcher.told[1].startswith("risk is up again")
        assert keeper.record.restarts == 1

    keeping(SLEEPER, scenario)


def test_a_program_that_ends_by_itself_is_started_again_too() -> None:
    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await watcher.until(lambda: keeper.restarts.total >= 2)
        assert watcher.told[0] == "risk died (exit code 0), restart 1 in 0.2 s"

    keeping("pass", scenario)


def test_bad_settings_stop_everything_at_once() -> None:
    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await watcher.stopped.wait()
        assert watcher.given_up == ["risk: bad settings"]
        assert keeper.restarts.total == 1

    keeping("import sys; sys.exit(2)", scenario)


def test_a_program_that_keeps_dying_while_starting_is_given_up() -> None:
    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await watcher.stopped.wait()
        assert watcher.given_up == [f"risk: died {STARTUP_DEATHS_MAX} times while starting (exit code 1)"]

    keeping("import sys; sys.exit(1)", scenario, ready=False)


def test_what_can_never_work_is_given_up_not_restarted() -> None:
    async def never(_: Child) -> None:
        raise UnusableError("stream JOURNAL_paper is not as it should be")

    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await watcher.stopped.wait()
        assert watcher.given_up == ["risk: stream JOURNAL_paper is not as it should be"]

    keeping(SLEEPER, scenario, come_up=never)


def test_a_program_that_does_not_come_up_is_started_afresh() -> None:
    tries: list[int] = []

    async def second_time(child: Child) -> None:
        tries.append(child.pid)
        if len(tries) == 1:
            raise OSError("no answer")

    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await keeper.up.wait()
        assert len(set(tries)) == 2
        assert watcher.told[0] == "risk did not come up: OSError('no answer')"

    keeping(SLEEPER, scenario, come_up=second_time)


def test_a_program_that_cannot_be_started_is_tried_again() -> None:
    async def scenario() -> None:
        watcher = Watcher(ready=False)
        keeper = Keeper(Program("risk", ("/nowhere/at/all",)), watcher, at_once)
        await keeper.keep()
        assert "could not be started" in watcher.told[0]
        assert watcher.given_up == [f"risk: died {STARTUP_DEATHS_MAX} times while starting (exit code 1)"]

    asyncio.run(scenario())


def test_stopping_ends_the_wait_before_the_next_start() -> None:
    async def scenario(keeper: Keeper, watcher: Watcher) -> None:
        await watcher.until(lambda: keeper.restarts.delay_ms >= 800)

    keeping("pass", scenario)
