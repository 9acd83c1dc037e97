"""Started programs: their lines, their end, and that none outlives its supervisor."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from services.supervisor.child import LINE_BYTES_MAX, Child, Program

ROOT = Path(__file__).parents[3]
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('up', flush=True); time.sleep(60)"
)
POLITE = "import time; print('up', flush=True); time.sleep(60)"


def with_child(code: str, scenario: Callable[[Child, list[str], asyncio.Event], Awaitable[None]]) -> None:
    """Start Python with this code, hand over the child, its lines so far, and an event set by its first line."""

    async def run() -> None:
        lines: list[str] = []
        spoke = asyncio.Event()

        def hear(line: str) -> None:
            lines.append(line)
            spoke.set()

        child = await Child.start(Program("test", (sys.executable, "-c", code)), hear)
        async with asyncio.timeout(30):
            await scenario(child, lines, spoke)

    asyncio.run(run())


def test_a_child_hands_on_what_it_prints_up_to_its_last_words() -> None:
    async def scenario(child: Child, lines: list[str], _: asyncio.Event) -> None:
        assert await child.ended() == 3
        assert lines == ["out", "err", "no newline"]

    with_child(
        "import sys; print('out', flush=True); print('err', file=sys.stderr, flush=True);"
        "sys.stdout.write('no newline'); sys.stdout.flush(); sys.exit(3)",
        scenario,
    )


def test_a_line_without_end_is_cut_into_bounded_pieces() -> None:
    async def scenario(child: Child, lines: list[str], _: asyncio.Event) -> None:
        await child.ended()
        assert "".join(lines) == "x" * 100_000
        assert max(map(len, lines)) <= LINE_BYTES_MAX

    with_child("import sys; sys.stdout.write('x' * 100_000)", scenario)


def test_a_killed_child_ends_with_its_signal() -> None:
    async def scenario(child: Child, _: list[str], spoke: asyncio.Event) -> None:
        await spoke.wait()
        os.kill(child.pid, signal.SIGKILL)
        assert await child.ended() == -signal.SIGKILL

    with_child(POLITE, scenario)


def test_a_polite_child_stops_by_itself() -> None:
    async def scenario(child: Child, _: list[str], spoke: asyncio.Event) -> None:
        await spoke.wait()
        assert await child.stop(10_000)
        assert await child.ended() == -signal.SIGTERM

    with_child(POLITE, scenario)


def test_a_stubborn_child_is_killed_after_its_time() -> None:
    async def scenario(child: Child, _: list[str], spoke: asyncio.Event) -> None:
        await spoke.wait()
        assert not await child.stop(50)
        assert await child.ended() == -signal.SIGKILL

    with_child(STUBBORN, scenario)


def test_a_child_that_has_ended_is_not_signalled_again() -> None:
    async def scenario(child: Child, _: list[str], __: asyncio.Event) -> None:
        assert await child.ended() == 0
        assert await child.stop(10)
        child.kill()

    with_child("pass", scenario)


def test_children_die_with_a_supervisor_that_is_killed() -> None:
    parent = (
        "import asyncio, sys\n"
        "from services.supervisor.child import Child, Program\n"
        "async def main():\n"
        f"    child = await Child.start(Program('x', (sys.executable, '-c', {POLITE!r})), lambda line: None)\n"
        "    print(child.pid, flush=True)\n"
        "    await child.ended()\n"
        "asyncio.run(main())\n"
    )
    supervisor = subprocess.Popen([sys.executable, "-c", parent], stdout=subprocess.PIPE, text=True, cwd=ROOT)
    assert supervisor.stdout is not None
    pid = int(supervisor.stdout.readline())
    supervisor.kill()
    supervisor.wait()
    supervisor.stdout.close()
    assert ended(pid)


def ended(pid: int) -> bool:
    """Say whether a process is gone (or a zombie nobody has reaped) within ten seconds."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            return True
        if state == "Z":
            return True
        time.sleep(0.02)
    return False
