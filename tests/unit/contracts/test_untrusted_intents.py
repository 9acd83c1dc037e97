"""What an agent may send: any bytes at all. They are read, or refused as undecodable; nothing else can happen."""

from contextlib import suppress

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import NESTING_MAX, UndecodableError, decode_intent, decode_market, encode, is_recordable
from contracts.intents import INTENT_BYTES_MAX
from contracts.market import Quote
from tests.wire.samples import QUOTE

CANCEL = b'{"type":"intent.cancel.v1","intent_id":"a","order_id":"x","junk":%s}'


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    with suppress(UndecodableError):
        decode_intent(body)


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from(["type", "intent_id", "symbol", "side", "order_type", "qty"]), JSON_VALUES))
def test_any_json_is_read_or_refused(fields: dict[str, object]) -> None:
    for body in (msgspec.json.encode(fields), msgspec.json.encode({"type": "intent.submit.v1"} | fields)):
        with suppress(UndecodableError):
            decode_intent(body)


@pytest.mark.parametrize("depth", [NESTING_MAX, 9_990, 9_998, 16_000])
def test_nesting_deeper_than_its_bound_is_refused_so_that_no_reader_of_the_decision_fails_on_it(depth: int) -> None:
    body = CANCEL % (b"[" * depth + b"]" * depth)
    assert len(body) < INTENT_BYTES_MAX
    with pytest.raises(UndecodableError, match="brackets"):
        decode_intent(body)


def test_nesting_up_to_its_bound_is_read() -> None:
    depth = NESTING_MAX - 1
    assert decode_intent(CANCEL % (b"[" * depth + b"]" * depth)).intent_id == "a"


@pytest.mark.parametrize("junk", [b'"\xff"', b'"\xed\xa0\x80"', b'"\xc0\xaf"'])
def test_bytes_that_are_not_utf8_are_refused_even_in_fields_we_ignore(junk: bytes) -> None:
    with pytest.raises(UndecodableError, match="utf-8"):
        decode_intent(CANCEL % junk)


@pytest.mark.parametrize("body", [b"", b"\xff", b"{", b"[" * 2000, b"1" * 5000, b"\xef\xbb\xbf{}", b"{} {}"])
def test_what_no_reader_could_read_back_is_not_recordable_as_json(body: bytes) -> None:
    assert not is_recordable(body)


@pytest.mark.parametrize("body", [b"{}", b"null", b"5", b' {"a":"\xc3\xa9"} ', b'{"a":1,"a":2}', b'"\\u2028"'])
def test_any_other_json_is_recordable(body: bytes) -> None:
    assert is_recordable(body)


def test_a_time_without_a_zone_is_refused_because_it_names_no_moment() -> None:
    body = encode(QUOTE)
    assert isinstance(decode_market(body), Quote)
    with pytest.raises(UndecodableError, match="timezone"):
        decode_market(body.replace(b"125000Z", b"125000"))
