"""Who holds a lease: a text that tells whether its process can still be alive."""

import os
import socket
from pathlib import Path

_STAT_START_TIME = 19
"""Field 22 of /proc/<pid>/stat, counted from the field after the command's closing parenthesis."""


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
    if host != _host() or not pid_text.isdigit():
        return False
    pid = int(pid_text)
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
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
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return "0"
    return stat.rpartition(")")[2].split()[_STAT_START_TIME]
