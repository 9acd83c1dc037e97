"""NATS user keys: a seed that its owner keeps, and a public key that the server knows."""

import os
from pathlib import Path

import nkeys

from services.runtime.ids import new_seed_bytes

PRIVATE_MODE = 0o600
PRIVATE_DIRECTORY_MODE = 0o700


def new_seed() -> str:
    """Make a NATS user's seed (`SU...`)."""
    return nkeys.encode_seed(new_seed_bytes(), nkeys.PREFIX_BYTE_USER).decode()


def public_key(seed: str) -> str:
    """Give the public key (`U...`) of a seed."""
    key: bytes = nkeys.from_seed(bytearray(seed.encode())).public_key  # pyright: ignore[reportAssignmentType] - its hint is wrong
    return key.decode()


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner can read, whole or not at all."""
    path.parent.mkdir(mode=PRIVATE_DIRECTORY_MODE, parents=True, exist_ok=True)
    fresh = path.with_name(f".{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, PRIVATE_MODE), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def seed_at(path: Path) -> str:
    """Read the seed kept in a file, or make one and keep it there."""
    if not path.exists():
        write_private(path, new_seed() + "\n")
    return path.read_text().strip()
