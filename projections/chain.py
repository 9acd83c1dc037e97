"""The hash chain over one journal: a digest covers one message and, through the digest before it, all before it.

What is covered: the sequence, the subject, the headers a reader acts on (`traceparent`, which says what caused
what) and the body. What is not: `Nats-Expected-…` and `Nats-Msg-Id` are conditions put to the server, not facts,
and the server's timestamp changes when a journal is carried to another server, while each event holds its own.
Every field stands behind its length, so no byte can move from one field to the next and leave the digest as it was.
"""

import hashlib
import struct
from collections.abc import Iterable

from contracts.base import Value
from contracts.ids import AccountId

DIGEST_BYTES = 32
FINGERPRINT_BYTES = 8
CHAINED_HEADERS = frozenset({"traceparent"})
_GENESIS = b"lockgate.chain.v1"
_LENGTH_BYTES = 8
_TWO_NUMBERS = struct.Struct(">QQ")

type Headers = Iterable[tuple[str, str]]


class ChainGapError(Exception):
    """The next message does not follow the last one, so the journal has a hole and nothing after it can be proved."""


class Chain(Value, frozen=True, kw_only=True):
    """Where the chain stands: the last sequence it covers, and the digest (SHA-256) of everything up to it."""

    seq: int
    digest: bytes


class Link(Value, frozen=True, kw_only=True):
    """One journal message as the chain sees it."""

    seq: int
    subject: str
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


def genesis(account: AccountId) -> Chain:
    """Begin a chain before the first message; the account's name is in it, so no other journal can stand in."""
    return Chain(seq=0, digest=hashlib.sha256(_framed(_GENESIS) + _framed(account.encode())).digest())


def extend(chain: Chain, link: Link) -> Chain:
    """Fold one message into the chain; raise `ChainGapError` unless it is the very next one."""
    if link.seq != chain.seq + 1:
        raise ChainGapError(f"the message after {chain.seq} is {link.seq}, not {chain.seq + 1}")
    return Chain(seq=link.seq, digest=hashlib.sha256(chain.digest + framing(link)).digest())


def fingerprint(link: Link) -> bytes:
    """Give eight bytes that tell one message from another; they find the place, the chain's digest is the proof."""
    return hashlib.sha256(framing(link)).digest()[:FINGERPRINT_BYTES]


def framing(link: Link) -> bytes:
    """Write a message as one byte string that no other message can have."""
    subject, headers = link.subject.encode(), chained_headers(link.headers) if link.headers else []
    if not headers:  # nearly every message, so it is written in one go
        head, tail = _TWO_NUMBERS.pack(link.seq, len(subject)), _TWO_NUMBERS.pack(0, len(link.body))
        return b"".join((head, subject, tail, link.body))
    parts = [_number(link.seq), _framed(subject), _number(len(headers))]
    for name, value in headers:
        parts += (_framed(name.encode()), _framed(value.encode()))
    parts.append(_framed(link.body))
    return b"".join(parts)


def chained_headers(headers: Headers) -> list[tuple[str, str]]:
    """Pick the headers that the chain covers, names in lower case, in one fixed order."""
    return sorted((name.lower(), value) for name, value in headers if name.lower() in CHAINED_HEADERS)


def _framed(field: bytes) -> bytes:
    return _number(len(field)) + field


def _number(number: int) -> bytes:
    return number.to_bytes(_LENGTH_BYTES, "big")
