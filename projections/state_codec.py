"""Account states as bytes and back, for snapshots: equal states give equal bytes."""

from typing import Any, get_args, get_origin

import msgspec
from immutables import Map

from projections.account import AccountState

SCHEMA = "account-state-1"
"""Change this with the shape of `AccountState`: a snapshot of another schema is discarded and replayed."""


def _to_plain(value: Any) -> Any:
    if isinstance(value, Map):
        return {key: value[key] for key in sorted(value)}
    if isinstance(value, frozenset):
        return sorted(value)
    raise NotImplementedError(f"a state holds a {type(value).__name__}, which has no stored form")


def _from_plain(wanted: Any, value: Any) -> Any:
    if get_origin(wanted) is Map:
        key, item = get_args(wanted)
        return Map(msgspec.convert(value, dict[key, item], dec_hook=_from_plain))
    raise NotImplementedError(f"no stored form for {wanted}")


_encoder = msgspec.json.Encoder(enc_hook=_to_plain, order="deterministic")
_decoder = msgspec.json.Decoder(AccountState, dec_hook=_from_plain)


def encode_state(state: AccountState) -> bytes:
    """Write a state; two equal states give the same bytes, whatever their history."""
    return _encoder.encode(state)


def decode_state(body: bytes) -> AccountState:
    """Read a state back."""
    return _decoder.decode(body)
