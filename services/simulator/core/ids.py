"""Identifiers: UUIDs for orders and executions, increasing ULIDs for events."""

import random
import uuid
from datetime import datetime

CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
RANDOM_BITS = 80
ASSETS = uuid.UUID("b6a1c9f4-2c53-5a0e-8f0e-1c1f6a7e5d11")


def asset_id(symbol: str) -> str:
    """Return the id of an asset, derived from its symbol so that it is the same after every start."""
    return str(uuid.uuid5(ASSETS, symbol))


def crockford(value: int, length: int) -> str:
    """Write an integer in Crockford's base 32, most significant first, padded to a length."""
    return "".join(CROCKFORD[(value >> shift) & 31] for shift in range(5 * (length - 1), -1, -5))


def number_of(text: str) -> int:
    """Read an integer in Crockford's base 32."""
    number = 0
    for letter in text:
        number = number << 5 | CROCKFORD.index(letter)
    return number


class Ids:
    """A source of ids; one seeded for replays, the system's randomness otherwise."""

    def __init__(self, chance: random.Random | None = None) -> None:
        """Take ids from a given source of chance."""
        self._chance = chance or random.SystemRandom()
        self._latest = 0

    def uuid(self) -> str:
        """Return a random UUID (version 4)."""
        return str(uuid.UUID(int=self._chance.getrandbits(128), version=4))

    def follow(self, ulid: str) -> None:
        """Give only ULIDs above this one from now on."""
        self._latest = max(self._latest, number_of(ulid))

    def ulid(self, now: datetime) -> str:
        """Return a ULID above every one given before, even when the clock stands or steps back."""
        stamp = int(now.timestamp() * 1000) << RANDOM_BITS
        fresh = stamp | self._chance.getrandbits(RANDOM_BITS)
        self._latest = fresh if fresh > self._latest else self._latest + 1
        return crockford(self._latest, 26)
