"""Wire tags, read from stored bytes without decoding the rest."""

from functools import cache

import msgspec

_USUAL_START = b'{"type":"'


class _Tagged(msgspec.Struct):
    type: str


_tag_decoder = msgspec.json.Decoder(_Tagged)


def tag_of(body: bytes) -> str:
    """Give a message's tag as it was stored; our own encoder writes it first, so the rest need not be looked at."""
    if body.startswith(_USUAL_START):
        tag = body[len(_USUAL_START) : body.index(b'"', len(_USUAL_START))]
        if b"\\" not in tag:
            return tag.decode()
    return _tag_decoder.decode(body).type


@cache
def split_tag(tag: str) -> tuple[str, int]:
    """Split a wire tag into its name and version: `order.filled.v1` is `order.filled`, 1."""
    name, _, version = tag.rpartition(".v")
    return name, int(version)
