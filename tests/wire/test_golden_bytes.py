"""Bytes once published can be read for ever: every message type has golden lines, which are only ever added to."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from contracts import retired
from contracts.base import Message
from contracts.codec import UndecodableError, decode_event, decode_intent, decode_market, decode_regime, encode
from tests.wire.samples import EVENTS, INTENTS, MARKET, REGIMES, SAMPLES

GOLDEN = Path(__file__).parent / "golden"
LINES = [(file.stem, line) for file in sorted(GOLDEN.glob("*.jsonl")) for line in file.read_bytes().splitlines()]


def leaves(root: type[Message]) -> Iterator[type[Message]]:
    children = root.__subclasses__()
    if not children:
        yield root
    for child in children:
        yield from leaves(child)


def tag_of(kind: type[msgspec.Struct]) -> str:
    return str(kind.__struct_config__.tag)


def is_published(kind: type[Message]) -> bool:
    return kind.__module__.startswith("contracts.")


PUBLISHED = {tag_of(kind) for kind in leaves(Message) if is_published(kind)}


def decode(tag: str, line: bytes) -> Any:
    family = tag.split(".", maxsplit=1)[0]
    special = {"intent": decode_intent, "regime": decode_regime}
    special |= dict.fromkeys(("quote", "bar", "status", "stats"), decode_market)
    return special.get(family, decode_event)(line)


@pytest.mark.parametrize("tag", sorted({tag for tag, _ in LINES}))
def test_a_golden_line_reads_as_a_sample_and_writes_back_as_a_golden_line(tag: str) -> None:
    for line in (line for found, line in LINES if found == tag):
        message = decode(tag, line)
        assert message in SAMPLES
        assert (tag_of(type(message)), encode(message)) in LINES


@pytest.mark.parametrize("tag", sorted(PUBLISHED))
def test_every_sample_of_a_type_writes_exactly_a_golden_line(tag: str) -> None:
    bodies = [encode(sample) for sample in SAMPLES if tag_of(type(sample)) == tag]
    assert bodies
    assert all((tag, body) in LINES for body in bodies)


def test_every_message_type_has_golden_lines_under_its_own_tag() -> None:
    assert {tag for tag, _ in LINES} == PUBLISHED | {tag_of(kind) for kind in retired.RETIRED}


def test_every_tag_ends_with_a_version() -> None:
    assert all(tag.rpartition(".v")[2].isdigit() for tag in PUBLISHED)


READERS = {"intents": (decode_intent, INTENTS), "market": (decode_market, MARKET), "regime": (decode_regime, REGIMES)}
READERS["events"] = (decode_event, EVENTS)


@pytest.mark.parametrize("family", sorted(READERS))
def test_a_family_of_messages_is_read_by_its_own_decoder_and_by_no_other(family: str) -> None:
    reader, own = READERS[family]
    for sample in SAMPLES:
        if sample in own:
            assert reader(encode(sample)) == sample
        else:
            with pytest.raises(UndecodableError):
                reader(encode(sample))
