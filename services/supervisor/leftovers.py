"""Ends what an earlier supervisor of this home left behind when it was killed.

On Linux the kernel ends children with their parent; elsewhere nobody does. A process is ours only if its command
line names the home, so a process id that now belongs to a stranger is left alone.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from pathlib import Path

from services.cli.instance import read_instance

_PS_TIMEOUT_S = 5


def end_leftovers(home: Path) -> list[str]:
    """Kill them and give their names."""
    instance = read_instance(home)
    ended: list[str] = []
    for record in instance.processes if instance else ():
        if record.pid is not None and str(home) in command_line(record.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(record.pid, signal.SIGKILL)
                ended.append(record.name)
    return ended


def command_line(pid: int) -> str:
    """Give a process's command line, empty when there is no such process."""
    table = Path("/proc")
    if (table / "self").exists():
        try:
            return (table / str(pid) / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:
            return ""
    ps = shutil.which("ps")
    if ps is None:
        return ""
    command = [ps, "-o", "command=", "-p", str(pid)]
    return subprocess.run(command, capture_output=True, text=True, timeout=_PS_TIMEOUT_S, check=False).stdout  # noqa: S603 - a fixed program and a number
