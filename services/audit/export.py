"""Journal messages as lines and rows, byte for byte, and the manifest that says and signs what a file of them holds.

A line of JSON holds the message's own bytes as they stand; bytes that could not be read back from inside a line are
written in base64 instead.
"""

import base64
import hashlib
from collections.abc import Iterator
from datetime import datetime
from enum import StrEnum
from typing import Any

import msgspec

from contracts.base import Value
from contracts.codec import UndecodableError, decode_event
from contracts.ids import AccountId
from projections.chain import Chain, Link, extend, genesis
from projections.tags import split_tag, tag_of
from projections.trail import subject_of
from services.runtime.ports import Received

MANIFEST_NAME = "manifest.json"


class Format(StrEnum):
    """What an export is written as; only JSON Lines can be imported and read again."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


class ExportFaultError(Exception):
    """An export is not what its manifest says, or not of a kind that can be read."""


_NOT_HERE = msgspec.Raw()


class Line(Value, frozen=True, kw_only=True, omit_defaults=True):
    """One message as a line of an export; exactly one of `event` and `base64` is given."""

    seq: int
    subject: str
    at: datetime
    headers: dict[str, str] = msgspec.field(default_factory=dict[str, str])
    event: msgspec.Raw = _NOT_HERE
    base64: str | None = None


COLUMNS = (
    "seq",
    "subject",
    "at",
    "event_at",
    "type",
    "version",
    "agent",
    "intent_id",
    "order_id",
    "symbol",
    "epoch",
    "correlation_id",
    "causation_seq",
    "traceparent",
    "digest",
    "body",
)
"""The columns of a row, in CSV and Parquet alike; `digest` is the hash chain (hex) with the message in it."""


class Tally:
    """Counts messages into the chain, as a manifest needs it."""

    def __init__(self, account: AccountId, first_seq: int) -> None:
        """Begin before the first message of the journal, whichever is the first that is exported."""
        self.chain: Chain = genesis(account)
        self.start: Chain = self.chain
        self.first_seq = first_seq

    def take(self, received: Received) -> bool:
        """Fold one message; say whether it belongs to the export."""
        if received.seq == self.first_seq:
            self.start = self.chain
        self.chain = extend(self.chain, link(received))
        return received.seq >= self.first_seq


def link(received: Received) -> Link:
    """Give a stored message as the chain sees it."""
    return Link(seq=received.seq, subject=received.subject, body=received.body, headers=received.headers)


_line_decoder = msgspec.json.Decoder(Line)


def line_of(received: Received) -> bytes:
    """Write one message as a line, without its line break."""
    plain = _stands_in_a_line(received.body)
    return msgspec.json.encode(
        Line(
            seq=received.seq,
            subject=received.subject,
            at=received.at,
            headers=dict(received.headers),
            event=msgspec.Raw(received.body) if plain else _NOT_HERE,
            base64=None if plain else base64.b64encode(received.body).decode(),
        )
    )


def received_of(line: bytes) -> Received:
    """Read a line back to the very message; raise `ExportFaultError` when it is none."""
    try:
        read = _line_decoder.decode(line)
        body = bytes(read.event) if read.base64 is None else base64.b64decode(read.base64, validate=True)
    except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
        raise ExportFaultError(f"{line[:80]!r} is no line of an export: {error}") from error
    return Received(read.seq, read.subject, read.at, body, tuple(read.headers.items()))


def row_of(received: Received, digest: bytes) -> dict[str, Any]:
    """Spread one message over the columns; of one that is no journal event only the bytes are told."""
    row: dict[str, Any] = dict.fromkeys(COLUMNS)
    row |= {"seq": received.seq, "subject": received.subject, "at": received.at, "digest": digest.hex()}
    row |= {
        "traceparent": dict(received.headers).get("traceparent"),
        "body": received.body.decode("utf-8", "replace"),
    }
    try:
        event = decode_event(received.body)
    except UndecodableError:
        return row
    about = subject_of(event, received.subject)
    row["type"], row["version"] = split_tag(tag_of(received.body))
    row |= {name: getattr(about, name) for name in ("agent", "intent_id", "order_id", "symbol")}
    row |= {name: getattr(event, name) for name in ("epoch", "correlation_id", "causation_seq")}
    return row | {"event_at": event.at}


def sha256_of(pieces: Iterator[bytes]) -> str:
    """Give the SHA-256 (hex) of a file read in pieces."""
    running = hashlib.sha256()
    for piece in pieces:
        running.update(piece)
    return running.hexdigest()


def _stands_in_a_line(body: bytes) -> bool:
    """Say whether bytes come back unchanged from inside a JSON line."""
    if b"\n" in body or b"\r" in body or body.strip() != body:
        return False
    try:
        msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True
