"""A real PostgreSQL for tests, from the binaries of this machine: own folder, a Unix socket, no port.

`DATABASE_URL` names another one to use instead; tests that kill the server start their own all the same.
"""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

DEBIAN_BINARIES = "/usr/lib/postgresql"
START_S_MAX = 30.0
POLL_S = 0.05
OWNER = "lockgate"
UNPRIVILEGED = ("postgres", "nobody")
SETTINGS = {
    "listen_addresses": "",
    "fsync": "off",  # tests kill processes, not machines
    "shared_buffers": "64MB",
    "max_connections": "50",
    "log_min_messages": "warning",
}


class NoPostgresError(Exception):
    """There is no PostgreSQL to test against; tests fail rather than pass without one."""


def binaries() -> Path:
    """Find the folder of initdb and postgres: the newest of Debian's, else the one on the path."""
    versions = sorted(Path(DEBIAN_BINARIES).glob("*/bin/initdb"), key=lambda found: int(found.parts[-3]))
    on_path = shutil.which("initdb")
    if not versions and on_path is None:
        raise NoPostgresError(
            "no PostgreSQL here: install one (Debian: apt-get install postgresql), or set DATABASE_URL"
        )
    return versions[-1].parent if versions else Path(str(on_path)).resolve().parent


def _unprivileged() -> str | None:
    """PostgreSQL refuses to run as root; then another user owns the server."""
    if os.geteuid() != 0:
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in UNPRIVILEGED if name in known)


class PostgresServer:
    """One server process; it may be killed and started again on the same folder."""

    def __init__(self) -> None:
        self._user = _unprivileged()
        self._bin = binaries()
        self.folder = Path(tempfile.mkdtemp(prefix="lockgate-pg-"))
        self._process: subprocess.Popen[bytes] | None = None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "-D", self._data, "-U", OWNER, "--auth=trust", "--no-sync", "--encoding=UTF8")

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str = "postgres", user: str = OWNER) -> str:
        return f"postgresql://{user}@/{database}?host={self.folder}"

    def start(self) -> None:
        """Start, and wait until it answers."""
        options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
        command = [self._bin / "postgres", "-D", self._data, "-k", self.folder, *options]
        deadline = time.monotonic() + START_S_MAX
        while time.monotonic() < deadline:
            if self._process is None or self._process.poll() is not None:  # a killed one's children may hold on
                with (self.folder / "log").open("ab") as log:
                    self._process = subprocess.Popen(
                        command, stdout=log, stderr=log, user=self._user, cwd=self.folder, start_new_session=True
                    )
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(self.url(), connect_timeout=2).close()
                return
            time.sleep(POLL_S)
        raise NoPostgresError((self.folder / "log").read_text())

    def kill(self) -> None:
        """End all of it as a power cut would."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None

    def remove(self) -> None:
        """Kill it and forget its data."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        command = [self._bin / program, *arguments]
        done = subprocess.run(command, user=self._user, cwd=self.folder, capture_output=True, text=True, check=False)
        if done.returncode:
            raise NoPostgresError(done.stderr)
