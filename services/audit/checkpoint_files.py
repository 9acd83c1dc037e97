"""Where signed checkpoints are kept outside the store: a line of JSON each, in files that are only ever added to."""

import os
from pathlib import Path

import msgspec

from contracts.audit import SignedCheckpoint
from contracts.codec import encode
from contracts.ids import AccountId
from services.audit.checkpoints import CheckpointFaultError
from services.runtime.keys import PRIVATE_DIRECTORY_MODE, PRIVATE_MODE

CHECKPOINTS_PER_FILE = 5_000
_decoder = msgspec.json.Decoder(SignedCheckpoint)


class CheckpointFiles:
    """The checkpoints of one account in one folder."""

    def __init__(self, folder: Path, account: AccountId) -> None:
        """Name the folder; it is made when the first checkpoint is kept."""
        self.folder = folder
        self._account = account

    def keep(self, checkpoint: SignedCheckpoint) -> None:
        """Add one line; it is on the disk when this returns."""
        self.folder.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
        path = self.folder / f"{self._account}.{checkpoint.number // CHECKPOINTS_PER_FILE:06d}.jsonl"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, PRIVATE_MODE)
        with os.fdopen(descriptor, "ab") as file:
            _cut_torn_line(descriptor, path)
            file.write(encode(checkpoint) + b"\n")
            file.flush()  # all of it, or an error: a bare write may stop half-way and say so in a number
            os.fsync(descriptor)

    def all(self) -> list[SignedCheckpoint]:
        """Read them all, oldest first; raise `CheckpointFaultError` on a line that is none."""
        return [one for path in self._paths() for one in _read(path)]

    def last(self) -> SignedCheckpoint | None:
        """Read the newest."""
        for path in reversed(self._paths()):
            found = _read(path)
            if found:
                return found[-1]
        return None

    def _paths(self) -> list[Path]:
        return sorted(self.folder.glob(f"{self._account}.??????.jsonl"))


def _cut_torn_line(file: int, path: Path) -> None:
    """Drop what a crash left of a line that was never confirmed."""
    size = os.fstat(file).st_size
    if size and os.pread(file, 1, size - 1) != b"\n":
        os.ftruncate(file, path.read_bytes().rfind(b"\n") + 1)


def _read(path: Path) -> list[SignedCheckpoint]:
    found: list[SignedCheckpoint] = []
    *lines, _torn = path.read_bytes().split(b"\n")
    for number, line in enumerate(lines, start=1):
        try:
            found.append(_decoder.decode(line))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            seq = found[-1].upto_seq + 1 if found else 1
            raise CheckpointFaultError(seq, f"{path} line {number} is no checkpoint: {error}") from error
    return found
