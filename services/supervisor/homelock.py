"""One supervisor per home: a lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
import time
from pathlib import Path
from typing import Self

from services.cli.instance import lock_path, supervisor_pid

ATTEMPTS = 10
BETWEEN_ATTEMPTS_S = 0.05
"""`lockgate status` looks at the lock by taking it for a moment; that must not keep a supervisor from starting."""


class HomeTakenError(Exception):
    """Another supervisor runs on this home."""

    def __init__(self, home: Path, pid: int | None) -> None:
        """Say who runs and what to do."""
        who = f"pid {pid}" if pid else "pid unknown"
        super().__init__(
            f"another supervisor ({who}) already runs on {home}: stop it with `lockgate down --home {home}`, "
            "or choose another --home"
        )


class HomeLock:
    """The exclusive right to run on a home, as long as the object lives."""

    def __init__(self, descriptor: int) -> None:
        """Keep the locked file open."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, home: Path) -> Self:
        """Lock the home or raise `HomeTakenError`."""
        descriptor = os.open(lock_path(home), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        for _ in range(ATTEMPTS):
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(BETWEEN_ATTEMPTS_S)
            else:
                os.ftruncate(descriptor, 0)
                os.write(descriptor, f"{os.getpid()}\n".encode())
                return cls(descriptor)
        os.close(descriptor)
        raise HomeTakenError(home, supervisor_pid(home))

    def release(self) -> None:
        """Let the home go; the file stays, since removing it would let two supervisors lock two files."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
