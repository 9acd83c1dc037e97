"""A log file that cannot fill the disk: at its size limit it becomes `.1`, the one before `.2`, and so on."""

import os
from pathlib import Path

LOG_BYTES_MAX = 5_000_000
OLDER_FILES_KEPT = 2
_PRIVATE = 0o600


class LogFile:
    """One process's log, appended line by line."""

    def __init__(self, path: Path, bytes_max: int = LOG_BYTES_MAX) -> None:
        """Open the file for appending, readable by its owner only."""
        self._path = path
        self._bytes_max = bytes_max
        self._descriptor = self._open()
        self._size = os.fstat(self._descriptor).st_size
        self._lost = 0

    def write(self, line: str) -> None:
        """Append one line; what a full disk cannot take is counted, and told once there is room again.

        A log must never hold up the process that writes it.
        """
        note = f"... {self._lost} lines were lost here\n" if self._lost else ""
        try:
            self._append(f"{note}{line}\n".encode("utf-8", "replace"))
        except OSError:
            self._lost += 1
        else:
            self._lost = 0

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)

    def _append(self, data: bytes) -> None:
        if self._size and self._size + len(data) > self._bytes_max:
            self._rotate()
        self._size += os.write(self._descriptor, data)

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, _PRIVATE)

    def _rotate(self) -> None:
        for age in range(OLDER_FILES_KEPT, 0, -1):
            younger = self._older(age - 1) if age > 1 else self._path
            if younger.exists():
                younger.replace(self._older(age))
        full, self._descriptor = self._descriptor, self._open()
        self._size = 0
        os.close(full)  # last, so that a failure on the way never leaves us with a closed file

    def _older(self, age: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{age}")


def last_lines(path: Path, count: int) -> list[str]:
    """Give the last lines of a log, none when there is no log yet."""
    if not path.exists():
        return []
    with path.open("rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(file.tell() - count * 1_000, 0))
        return file.read().decode("utf-8", "replace").splitlines()[-count:]
