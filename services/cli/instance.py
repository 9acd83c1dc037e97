"""What a running supervisor says of itself in its home, and what every command reads there."""

import fcntl
import os
from datetime import datetime
from pathlib import Path

import msgspec

from services.runtime.keys import write_private


class ProcessRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One supervised process; `pid` is None between its death and its next start."""

    name: str
    pid: int | None
    started_at: datetime | None
    restarts: int = 0


class Urls(msgspec.Struct, frozen=True, kw_only=True):
    """Where the instance is reached; the simulator's is None when the broker is Alpaca."""

    http: str
    openapi: str
    nats: str
    simulator: str | None = None


class Instance(msgspec.Struct, frozen=True, kw_only=True):
    """One supervisor and what it has started."""

    pid: int
    home: str
    account: str
    mode: str
    broker: str
    started_at: datetime
    ready: bool
    urls: Urls
    processes: tuple[ProcessRecord, ...]


def instance_path(home: Path) -> Path:
    """Name the file in which the supervisor of this home describes itself."""
    return home / "run" / "supervisor.json"


def lock_path(home: Path) -> Path:
    """Name the file that the supervisor of this home keeps locked; its process id stands in it."""
    return home / "run" / "supervisor.lock"


def write_instance(instance: Instance) -> None:
    """Replace the description in one step, so that a reader never sees half of it."""
    write_private(instance_path(Path(instance.home)), msgspec.json.format(msgspec.json.encode(instance)).decode())


def read_instance(home: Path) -> Instance | None:
    """Read the description, None when there is none; it may be that of a supervisor that was killed."""
    try:
        return msgspec.json.decode(instance_path(home).read_bytes(), type=Instance)
    except FileNotFoundError:
        return None


def supervisor_pid(home: Path) -> int | None:
    """Give the running supervisor's process id, None when none runs: only a live process can hold the lock."""
    try:
        descriptor = os.open(lock_path(home), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        text = os.read(descriptor, 32).decode("ascii", "replace").strip()
        return int(text) if text.isdigit() else None
    finally:
        os.close(descriptor)
    return None


def running_instance(home: Path) -> Instance | None:
    """Give the description of the supervisor that runs on this home now."""
    pid = supervisor_pid(home)
    instance = read_instance(home)
    return instance if instance is not None and instance.pid == pid else None
