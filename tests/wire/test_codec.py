"""What the codec promises beside golden bytes: tolerance forwards, loudness on the unknown, exact numbers."""

from decimal import Decimal

import msgspec
import pytest

from contracts import codec, retired
from contracts.base import Event
from contracts.codec import UndecodableError, decode_event, decode_intent, encode
from contracts.controls import KillReleased
from contracts.decisions import Decision
from contracts.intents import SubmitIntent
from contracts.upcast import STEPS as CURRENT_STEPS
from contracts.upcast import upcast
from tests.wire.samples import EVENTS, INTENTS, STAMP

SUBMIT = b'{"type":"intent.submit.v1","intent_id":"a","symbol":"AAPL","side":"buy","order_type":"market","qty":%s}'


class PlantedV1(Event, frozen=True, kw_only=True, tag="test.planted.v1"):
    """A version that is no longer written."""

    why: str


class PlantedV2(Event, frozen=True, kw_only=True, tag="test.planted.v2"):
    """A version in between, so that two steps are needed."""

    reason: str


STEPS = {
    PlantedV1: lambda old: PlantedV2(epoch=old.epoch, at=old.at, reason=old.why),
    PlantedV2: lambda old: KillReleased(epoch=old.epoch, at=old.at, by="unrecorded", reason=old.reason),
}


def test_a_retired_version_comes_up_to_the_current_type_step_by_step() -> None:
    old = PlantedV1(epoch=1, at=STAMP["at"], why="looked at it")
    assert upcast(old, STEPS) == KillReleased(epoch=1, at=STAMP["at"], by="unrecorded", reason="looked at it")


def test_a_current_message_is_left_as_it_is() -> None:
    for event in EVENTS:
        assert upcast(event, STEPS) is event


def test_retired_types_stay_readable_beside_the_current_ones(monkeypatch: pytest.MonkeyPatch) -> None:
    body = encode(PlantedV1(epoch=1, at=STAMP["at"], why="x"))
    with pytest.raises(UndecodableError):
        decode_event(body)
    monkeypatch.setattr("contracts.retired.RETIRED", (PlantedV1, PlantedV2))
    with_retired = codec._with_retired(codec.JournalEvent.__value__)
    assert msgspec.json.decode(body, type=with_retired) == PlantedV1(epoch=1, at=STAMP["at"], why="x")
    assert msgspec.json.decode(encode(EVENTS[0]), type=with_retired) == EVENTS[0]


def test_every_retired_type_reaches_a_current_one() -> None:
    assert set(retired.RETIRED) == set(CURRENT_STEPS)


@pytest.mark.parametrize(
    "body",
    [
        b'{"type":"order.invented.v1","epoch":1}',
        b'{"type":"order.filled.v2","epoch":1}',
        b'{"epoch":1}',
        b"{}",
        b"[]",
        b"null",
        b"",
        b"\xff",
        b'{"type":"intent.submit.v1"}',
    ],
)
def test_what_is_not_a_known_event_stops_the_reader_loudly(body: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_event(body)


@pytest.mark.parametrize("checks", [b'{"name": "quote"}', b"null", b"7", b'["\xff"]'])
def test_a_decision_whose_checks_are_no_list_of_text_stops_the_reader_loudly(checks: bytes) -> None:
    decision = next(event for event in EVENTS if isinstance(event, Decision))
    body = encode(decision)
    assert body.count(bytes(decision.checks)) == 1
    with pytest.raises(UndecodableError):
        decode_event(body.replace(bytes(decision.checks), checks))


def test_fields_of_a_later_writer_are_ignored() -> None:
    for event in EVENTS:
        body = encode(event)
        assert decode_event(body[:-1] + b',"added_later":{"deep":[1,2,{"x":null}]}}') == event
    for intent in INTENTS:
        assert decode_intent(encode(intent)[:-1] + b',"note":"mine"}') == intent


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (b"0.1", "0.1"),
        (b'"0.1"', "0.1"),
        (b"1e2", "1E+2"),
        (b"1E-7", "1E-7"),
        (b"10.10", "10.10"),
        (b"0.1000000000000000055511151231257827", "0.1000000000000000055511151231257827"),
        (b"9007199254740993", "9007199254740993"),
        (b"123456789012345678901234567890.123456789", "123456789012345678901234567890.123456789"),
        (b"1e400", "1E+400"),
        (b"-0.0", "-0.0"),
    ],
)
def test_a_number_is_read_from_its_text_and_never_through_a_float(written: bytes, meant: str) -> None:
    intent = decode_intent(SUBMIT % written)
    assert isinstance(intent, SubmitIntent)
    assert isinstance(intent.qty, Decimal)
    assert str(intent.qty) == meant


@pytest.mark.parametrize(
    "written",
    [b"NaN", b"Infinity", b'"ten"', b'""', b"true", b"[1]", b"{}", b"1e99999999999999999999", b"01", b"1.", b"0x10"],
)
def test_what_is_no_number_is_refused_by_the_decoder(written: bytes) -> None:
    with pytest.raises(UndecodableError):
        decode_intent(SUBMIT % written)


def test_a_duplicate_key_counts_as_its_last_value() -> None:
    intent = decode_intent(SUBMIT[:-1] % b"1" + b',"qty":2}')
    assert isinstance(intent, SubmitIntent)
    assert intent.qty == 2
