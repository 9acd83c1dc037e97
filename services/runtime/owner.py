"""Who holds a lease: a text that tells whether its process can still be alive."""

import os
import socket
from pathlib import Path

_STATE = 0
_START_TIME = 19
"""Fields 3 and 22 of /proc/<pid>/stat, counted from the field after the command's closing parenthesis."""
_ENDED = frozenset({"Z", "X", "x"})
"""A zombie has ended and only waits for its parent to notice."""


def this_owner() -> str:
    """Name this process as `<hostname>/<pid>/<process start time>`.

    The host is told apart by its process table too, because two containers may share a host name.
    """
    pid = os.getpid()
    return f"{_host()}/{pid}/{_start_time(pid)}"


def is_dead(owner: str) -> bool:
    """Say whether the owner ran on this host and is certainly gone; False whenever that cannot be known."""
    host, _, rest = owner.partition("/")
    pid_text, _, started = rest.partition("/")
    if host != _host() or not (pid_text.isascii() and pid_text.isdigit()):
        return False
    pid = int(pid_text)
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, OverflowError):
        return True
    except PermissionError:
        return False
    return _start_time(pid) != started


def _host() -> str:
    try:
        table = Path("/proc/self/ns/pid").stat().st_ino
    except OSError:
        table = 0
    return f"{socket.gethostname()}-{table}"


def _start_time(pid: int) -> str:
    """Read when a process started, in ticks since boot; `0` where the system does not tell, `ended` for a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    fields = stat.rpartition(")")[2].split()
    return "ended" if fields[_STATE] in _ENDED else fields[_START_TIME]
