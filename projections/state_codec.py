"""Account states as bytes and back, for snapshots: the same folds give the same bytes.

Maps are written in the order of their keys, whatever their history. Numbers keep their exponents (1.0 is not written
as 1), because later decisions show them: a snapshot that shortened them would not re-derive byte for byte.
"""

from typing import Any, get_args, get_origin

import msgspec
from immutables import Map

from projections.account import AccountState

SCHEMA = "account-state-6"
"""Change this with the shape of `AccountState` or with what its fold makes of events: a snapshot of another schema
is discarded and replayed."""


def to_plain(value: Any) -> Any:
    """Give the stored form of what JSON does not know, in an order that shows no history."""
    if isinstance(value, Map):
        return {key: value[key] for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    raise NotImplementedError(f"a state holds a {type(value).__name__}, which has no stored form")


def from_plain(wanted: Any, value: Any) -> Any:
    """Give back what `to_plain` stored."""
    if get_origin(wanted) is Map:
        key, item = get_args(wanted)
        return Map(msgspec.convert(value, dict[key, item], dec_hook=from_plain))
    raise NotImplementedError(f"no stored form for {wanted}")


_encoder = msgspec.json.Encoder(enc_hook=to_plain, order="deterministic")
_decoder = msgspec.json.Decoder(AccountState, dec_hook=from_plain)


def encode_state(state: AccountState) -> bytes:
    """Write a state; the order in which its maps were filled does not show."""
    return _encoder.encode(state)


def decode_state(body: bytes) -> AccountState:
    """Read a state back."""
    return _decoder.decode(body)
