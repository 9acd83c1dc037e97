"""Snapshots as bytes and back: a large state is compressed, so that it fits into a message; a small one is not."""

import zlib

import msgspec

from services.runtime.ports import Snapshot

COMPRESSED_FROM_BYTES = 100_000
STATE_BYTES_MAX = 1 << 28
"""More than this is not unpacked: whatever claims to hold it is no state of ours."""
_LEVEL = 1
"""The quickest: a state is JSON full of repetitions, which even this makes several times as small."""


class _Saved(msgspec.Struct, frozen=True, omit_defaults=True):
    """One of `state` and `zlib` is there; a reader that knows only the first finds none, and replays."""

    sequence: int
    schema: str
    state: bytes | None = None
    zlib: bytes | None = None


_decoder = msgspec.json.Decoder(_Saved)


def pack(snapshot: Snapshot) -> bytes:
    """Write a snapshot; a large one takes its time (10 ms a megabyte) and holds no lock of the interpreter's."""
    sequence, schema, state = snapshot.sequence, snapshot.schema, snapshot.state
    if len(state) < COMPRESSED_FROM_BYTES:
        return msgspec.json.encode(_Saved(sequence, schema, state))
    return msgspec.json.encode(_Saved(sequence, schema, zlib=zlib.compress(state, _LEVEL)))


def unpack(body: bytes) -> Snapshot | None:
    """Read a snapshot; None when it was written by a version that we do not know: the journal has everything."""
    try:
        saved = _decoder.decode(body)
        state = saved.state if saved.zlib is None else _inflated(saved.zlib)
    except (msgspec.DecodeError, zlib.error):
        return None
    return None if state is None else Snapshot(saved.sequence, saved.schema, state)


def _inflated(compressed: bytes) -> bytes | None:
    inflating = zlib.decompressobj()
    state = inflating.decompress(compressed, STATE_BYTES_MAX)
    return state if inflating.eof else None
