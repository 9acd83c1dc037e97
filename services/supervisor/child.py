"""One running process of ours: its start, its lines, its end. It never outlives the supervisor."""

import asyncio
import contextlib
import ctypes
import os
import re
import signal
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Self

LINE_BYTES_MAX = 16_384
READ_BYTES = 65_536
OUTPUT_WAIT_S = 1
STOP_WAIT_MS = 8_000
_STEERING = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]|[\x00-\x08\x0a-\x1f\x7f-\x9f]")
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None) if sys.platform == "linux" else None


@dataclass(frozen=True, slots=True)
class Program:
    """What is started, under which name, with which environment."""

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=lambda: dict(os.environ))


class Child:
    """A started program."""

    def __init__(self, program: Program, process: asyncio.subprocess.Process, on_line: Callable[[str], None]) -> None:
        """Begin to read its output and to wait for its end."""
        self.program = program
        self.pid = process.pid
        self.started_ms = monotonic_ms()
        self._process = process
        self._output = asyncio.create_task(_read_lines(process.stdout, on_line))
        self._end = asyncio.create_task(self._ended())

    @classmethod
    async def start(cls, program: Program, on_line: Callable[[str], None]) -> Self:
        """Start a program in a process group of its own, so that Ctrl-C reaches it only through us."""
        process = await asyncio.create_subprocess_exec(
            *program.argv,
            env=dict(program.env),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            process_group=0,
            preexec_fn=_die_with(os.getpid()),
        )
        return cls(program, process, on_line)

    @property
    def ran_ms(self) -> int:
        """Give how long ago it was started, in milliseconds."""
        return monotonic_ms() - self.started_ms

    async def ended(self) -> int:
        """Wait for the end and give the exit code, negative for a signal; its last lines have been read then."""
        return await asyncio.shield(self._end)

    async def stop(self, wait_ms: int = STOP_WAIT_MS) -> bool:
        """Ask it to end and wait, then end it by force; say whether it went by itself."""
        self._signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(wait_ms / 1000):
                await self.ended()
                return True
        self.kill()
        await self.ended()
        return False

    def kill(self) -> None:
        """End it by force."""
        self._signal(signal.SIGKILL)

    def _signal(self, number: signal.Signals) -> None:
        if self._end.done():
            return  # its process id may belong to a stranger by now
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, number)

    async def _ended(self) -> int:
        code = await self._process.wait()
        # A grandchild could hold the pipe open for ever.
        await asyncio.wait({self._output}, timeout=OUTPUT_WAIT_S)
        self._output.cancel()
        return code


def monotonic_ms() -> int:
    """Give milliseconds that never go back."""
    return time.monotonic_ns() // 1_000_000


async def _read_lines(stream: asyncio.StreamReader | None, on_line: Callable[[str], None]) -> None:
    """Hand on line after line; one longer than the bound is cut into pieces."""
    if stream is None:
        return
    pending = b""
    while chunk := await stream.read(READ_BYTES):
        *lines, pending = (pending + chunk).split(b"\n")
        for line in lines:
            on_line(_text(line))
        while len(pending) >= LINE_BYTES_MAX:
            on_line(_text(pending[:LINE_BYTES_MAX]))
            pending = pending[LINE_BYTES_MAX:]
    if pending:
        on_line(_text(pending))


def _text(line: bytes) -> str:
    """Take out what would steer a terminal: log lines may quote what agents wrote."""
    return _STEERING.sub("", line.decode("utf-8", "replace"))


def _die_with(parent_pid: int) -> Callable[[], None] | None:
    """Make what runs in the child before the program: Linux kills it when we die, even by `kill -9`.

    Elsewhere a later start ends what was left over, see `leftovers`.
    """
    libc = _LIBC
    if libc is None:
        return None

    def ask_the_kernel() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent_pid:  # we died before the kernel knew
            os._exit(1)

    return ask_the_kernel
