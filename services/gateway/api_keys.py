"""Who may call: bearer keys as a file of hashes, read again whenever it changes.

A key's text is `<key_id>.<secret>`; only the SHA-256 of the whole text is stored, so the file lets nobody in.
"""

import hashlib
import hmac
from enum import StrEnum
from pathlib import Path

import msgspec

from contracts.ids import AccountId, AgentId

type FileMark = tuple[int, int, int]
"""Modification time (ns), size and inode: what changes when the file does."""

_NO_DIGEST = "0" * 64


class Scope(StrEnum):
    """What a key may be used for."""

    READ = "read"
    TRADE = "trade"
    CONTROL = "control"


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """One key: the person or program that holds it (`subject`), and the agent as which it acts."""

    key_id: str
    sha256: str
    subject: str
    account: AccountId
    agent: AgentId
    scopes: frozenset[Scope]

    def may_see(self, agent: AgentId | None) -> bool:
        """Say whether this key may read an agent's intents and orders: its own, or with `control` everybody's."""
        return agent == self.agent or Scope.CONTROL in self.scopes


class KeysUnreadableError(Exception):
    """The file of keys is missing or broken: nobody can be let in until it is mended."""


_decoder = msgspec.json.Decoder(list[ApiKey])


def digest_of(key_text: str) -> str:
    """Give the hash under which a key is stored."""
    return hashlib.sha256(key_text.encode()).hexdigest()


class KeyRing:
    """The keys of one file, as the file stands now."""

    def __init__(self, path: Path) -> None:
        """Name the file; it is first read when the first key is shown."""
        self._path = path
        self._mark: FileMark | None = None
        self._keys: dict[str, ApiKey] = {}

    def find(self, key_text: str) -> ApiKey | None:
        """Give the key that this text proves, None when there is none; raise `KeysUnreadableError`."""
        self._refresh()
        key = self._keys.get(key_text.partition(".")[0])
        # An unknown key id costs the same comparison, so that answer times tell nothing about ids.
        matches = hmac.compare_digest(digest_of(key_text), key.sha256 if key is not None else _NO_DIGEST)
        return key if matches else None

    def _refresh(self) -> None:
        try:
            status = self._path.stat()
            mark = (status.st_mtime_ns, status.st_size, status.st_ino)
            if mark != self._mark:
                self._keys = {key.key_id: key for key in _decoder.decode(self._path.read_bytes())}
                self._mark = mark
        except (OSError, ValueError) as error:
            self._keys, self._mark = {}, None  # a key that was revoked must not live on because the file broke
            raise KeysUnreadableError(f"{self._path.name} cannot be read: {error}") from error
