"""One supervisor per home: a lock that the kernel lets go of when its holder dies, however it dies."""

import fcntl
import os
from pathlib import Path
from typing import Self


class HomeTakenError(Exception):
    """Another supervisor runs on this home; `pid` is its process id, None when it is not known."""

    def __init__(self, home: Path, pid: int | None) -> None:
        """Say who runs and what to do."""
        who = f"pid {pid}" if pid else "pid unknown"
        super().__init__(
            f"another supervisor ({who}) already runs on {home}: stop it with `lockgate down --home {home}`, "
            "or choose another --home"
        )
        self.pid = pid


class HomeLock:
    """The exclusive right to run on a home, as long as the object lives."""

    def __init__(self, descriptor: int) -> None:
        """Keep the locked file open."""
        self._descriptor = descriptor

    @classmethod
    def take(cls, home: Path) -> Self:
        """Lock the home or raise `HomeTakenError` at once."""
        path = home / "run" / "supervisor.lock"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            text = os.read(descriptor, 32).decode("ascii", "replace").strip()
            os.close(descriptor)
            raise HomeTakenError(home, int(text) if text.isdigit() else None) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        return cls(descriptor)

    def release(self) -> None:
        """Let the home go; the file stays, since removing it would let two supervisors lock two files."""
        os.ftruncate(self._descriptor, 0)
        os.close(self._descriptor)
