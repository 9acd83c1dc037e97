"""What the supervisor shows: its own words and every process's lines, each under its coloured name.

Lines are written by a thread of their own through a bounded queue: a terminal that is held (Ctrl-S, a stuck pipe)
must never hold up the processes, so lines that find the queue full are counted and left out.
"""

import os
import sys
import threading
from datetime import UTC, datetime
from queue import Empty, Full, Queue
from typing import Protocol, TextIO

from services.supervisor.logfile import LogFile

QUEUED_LINES_MAX = 10_000
CLOSE_WAIT_S = 1
NAME_WIDTH = 10
SUPERVISOR = "supervisor"
_COLOURS = {
    SUPERVISOR: 1,
    "nats": 90,
    "simulator": 35,
    "gateway": 36,
    "risk": 31,
    "oms": 32,
    "regime": 34,
    "audit": 33,
}


def prefixed(name: str, line: str, *, coloured: bool) -> str:
    """Put a process's name before its line."""
    label = f"{name:<{NAME_WIDTH}} |"
    return f"\x1b[{_COLOURS.get(name, 37)}m{label}\x1b[0m {line}" if coloured else f"{label} {line}"


class Screen(Protocol):
    """Where the supervisor shows what happens."""

    def show(self, name: str, line: str) -> None:
        """Show one line of one process."""
        ...

    def plain(self, line: str) -> None:
        """Show one line as it is."""
        ...

    def close(self) -> None:
        """Show what is still to be shown, and end."""
        ...


class BackgroundLog:
    """The supervisor's own words in a file; the processes' lines are in theirs."""

    def __init__(self, file: LogFile) -> None:
        """Write to this file."""
        self._file = file

    def show(self, name: str, line: str) -> None:
        """Write a line of the supervisor with its time."""
        if name == SUPERVISOR:
            self.plain(line)

    def plain(self, line: str) -> None:
        """Write one line with its time."""
        self._file.write(f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ} {line}")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


class Console:
    """The terminal (or the file that stands for it), written in the background."""

    def __init__(self, stream: TextIO = sys.stdout) -> None:
        """Begin writing; colours only where a person looks at a terminal and has not declined them."""
        self._stream = stream
        self._coloured = self._stream.isatty() and "NO_COLOR" not in os.environ
        self._lines: Queue[str | None] = Queue(QUEUED_LINES_MAX)
        self._left_out = 0
        self._writer = threading.Thread(target=self._write, name="console", daemon=True)
        self._writer.start()

    def show(self, name: str, line: str) -> None:
        """Show one line of one process, or leave it out when the terminal does not keep up."""
        try:
            self._lines.put_nowait(prefixed(name, line, coloured=self._coloured))
        except Full:
            self._left_out += 1

    def plain(self, line: str) -> None:
        """Show one line as it is."""
        try:
            self._lines.put_nowait(line)
        except Full:
            self._left_out += 1

    def close(self) -> None:
        """Write what is queued, but wait for a stuck terminal no longer than a second."""
        try:
            self._lines.put(None, timeout=CLOSE_WAIT_S)
        except Full:
            return
        self._writer.join(CLOSE_WAIT_S)

    def _write(self) -> None:
        while (line := self._lines.get()) is not None:
            try:
                self._stream.write(self._with_gap(line))
                if self._lines.empty():
                    self._stream.flush()
            except (OSError, ValueError):  # nobody reads any more; the log files have every line
                self._discard()
                return

    def _with_gap(self, line: str) -> str:
        if not self._left_out:
            return line + "\n"
        gap, self._left_out = self._left_out, 0
        return f"... {gap} lines left out here, they are in the log files\n{line}\n"

    def _discard(self) -> None:
        while True:
            try:
                if self._lines.get(timeout=CLOSE_WAIT_S) is None:
                    return
            except Empty:
                continue
