"""Whatever an agent sends becomes one decision that every reader can read and anyone can decide again."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.codec import decode_event, encode
from contracts.decisions import Decision
from contracts.enums import Outcome
from contracts.ids import OrderId
from contracts.intents import INTENT_BYTES_MAX
from contracts.orders import OrderWorking
from services.risk.decider import decide
from tests.risk_world import NOW, STAMP, body, bought, evidence, limits_set, observed, quote, state_of, stated

SEEN = evidence(quote())
OWN = decide(state_of(limits_set(), observed()), stated(body("own"), "own"), SEEN, STAMP)
OWN_ID = OrderId(str(OWN.order_id))
WORKS = OrderWorking(epoch=1, at=NOW, order_id=OWN_ID, broker_status="new")
STATE = state_of(limits_set(), observed(), bought("10"), OWN, WORKS)
DECISION_BYTES_MAX = 10 * INTENT_BYTES_MAX
"""A tenth of what a stream's message may be is far more than the longest intent can make of itself."""
CANCEL = b'{"type":"intent.cancel.v1","intent_id":"i","order_id":"x","junk":%s}'


def recorded(content: bytes) -> Decision:
    """Decide, and hold the decision to every promise at once."""
    decision = decide(STATE, stated(content), SEEN, STAMP)
    stored = encode(decision)
    assert json.loads(stored)["type"] == "decision.v1"
    assert len(stored) < DECISION_BYTES_MAX
    read = decode_event(stored)
    assert isinstance(read, Decision)
    assert encode(read) == stored
    kept = bytes(read.intent) if read.malformed is None else read.malformed
    assert encode(decide(STATE, stated(kept), read.evidence, STAMP)) == stored
    return decision


@given(st.binary(max_size=400))
def test_any_bytes_get_a_denial_on_record(content: bytes) -> None:
    assert recorded(content).outcome is Outcome.DENIED


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
NUMBERS = st.decimals(allow_nan=None, allow_infinity=None).map(str) | st.integers() | st.text(max_size=8)
FIELDS: dict[str, Any] = {
    "intent_id": st.just("i") | JSON_VALUES,
    "symbol": st.just("AAPL") | st.text(max_size=30),
    "side": st.sampled_from(["buy", "sell", "both"]),
    "qty": NUMBERS,
    "notional_usd": NUMBERS,
    "limit_price": NUMBERS,
    "stop_price": NUMBERS,
    "order_type": st.sampled_from(["market", "limit", "stop", "stop_limit", "trailing_stop", "x"]),
    "time_in_force": st.sampled_from(["day", "gtc", "ioc", "opg", "x"]),
    "trail_price": NUMBERS,
    "trail_percent": NUMBERS,
    "trail": NUMBERS,
    "percent": NUMBERS,
    "order_class": st.sampled_from(["simple", "bracket", "oco", "oto", "x"]),
    "take_profit": st.fixed_dictionaries({}, optional={"limit_price": NUMBERS}) | JSON_VALUES,
    "stop_loss": st.fixed_dictionaries({}, optional={"stop_price": NUMBERS, "limit_price": NUMBERS}) | JSON_VALUES,
    "extended_hours": st.booleans(),
    "order_id": st.just(OWN_ID) | st.text(max_size=30),
    "meta": JSON_VALUES,
    "junk": JSON_VALUES,
}
TYPES = st.sampled_from(
    [f"intent.{kind}" for kind in ("submit.v1", "cancel.v1", "cancel_all.v1", "close.v1", "replace.v1", "submit.v9")]
)


@given(TYPES, st.fixed_dictionaries({}, optional=FIELDS))
def test_any_fields_get_a_decision_on_record(kind: str, fields: dict[str, Any]) -> None:
    recorded(msgspec.json.encode({"type": kind, "intent_id": "i"} | fields))


@given(st.fixed_dictionaries({}, optional=FIELDS), st.data())
def test_an_intent_with_broken_bytes_gets_a_decision_on_record(fields: dict[str, Any], data: st.DataObject) -> None:
    whole = body(**{name: value for name, value in fields.items() if name != "intent_id"})
    place = data.draw(st.integers(0, len(whole) - 1))
    recorded(whole[:place] + data.draw(st.binary(max_size=3)) + whole[place + data.draw(st.integers(0, 2)) :])


NOISE = {
    "blanks around": b" \t\r\n" + body() + b"\n\n ",
    "blanks alone": b"   ",
    "indented": json.dumps(json.loads(body()), indent=2).encode(),
    "nothing": b"",
    "null": b"null",
    "a number": b"5",
    "a long number": b"1" * 30_000,
    "a list": b"[" + body() + b"]",
    "two intents": body() + body(),
    "keys twice": body()[:-1] + b',"qty":"1","qty":"2","intent_id":"i"}',
    "a byte order mark": b"\xef\xbb\xbf" + body(),
    "not UTF-8 in an unknown field": CANCEL % b'"\xff"',
    "half a surrogate": CANCEL % b'"\\ud800"',
    "raw surrogate": CANCEL % b'"\xed\xa0\x80"',
    "a long unknown number": CANCEL % (b"1" * 5_000),
    "a huge exponent": body(qty="1e999999999999999999"),
    "a long quantity": body(qty="1." + "0" * 30_000),
    "a long symbol": body(symbol="\U0001f4a3" * 2_500),
    "a long id": body("\u0000" * 5_000),
    "a long order id": CANCEL.replace(b'"x"', b'"' + b"\\u0000" * 5_000 + b'"') % b"1",
    "a long enum": body(side="\x01" * 5_000),
    "a long type": b'{"type":"' + b"x" * 30_000 + b'"}',
    "line separators": body(meta={"reason": "\u2028\u2029\u202e\x7f"}),
    "zero bytes": b"\x00" * 30_000,
    "noise": bytes(range(256)) * 128,
}


@pytest.mark.parametrize("kind", sorted(NOISE))
def test_noise_gets_a_decision_on_record(kind: str) -> None:
    assert len(NOISE[kind]) <= INTENT_BYTES_MAX
    recorded(NOISE[kind])


@pytest.mark.parametrize("depth", [1, 100, 255, 256, 1_000, 9_990, 9_994, 9_995, 9_996, 9_997, 9_998, 9_999, 16_000])
@pytest.mark.parametrize("brackets", ["[]", "{}"])
def test_no_nesting_makes_a_decision_that_cannot_be_read(depth: int, brackets: str) -> None:
    opening, closing = (b"[", b"]") if brackets == "[]" else (b'{"":', b"}")
    inside = opening * depth + b"1" + closing * depth
    for content in (CANCEL % inside, inside):
        if len(content) <= INTENT_BYTES_MAX:
            recorded(content)


def test_what_is_no_json_is_kept_as_bytes_and_what_is_json_as_itself() -> None:
    broken, readable = recorded(b"\xff{"), recorded(b' {"type":"x"} ')
    assert (broken.malformed, bytes(broken.intent)) == (b"\xff{", b"null")
    assert (readable.malformed, bytes(readable.intent)) == (None, b'{"type":"x"}')


@pytest.mark.parametrize("qty", ["1E+1", "1e1", "10.000", "1." + "0" * 30_000])
def test_the_terms_state_a_quantity_the_plain_way(qty: str) -> None:
    terms = recorded(body(qty=qty)).terms
    assert terms is not None
    assert str(terms.qty) == ("1" if qty.startswith("1.") else "10")


def test_an_agents_words_are_repeated_shortened() -> None:
    for content in (NOISE["a long symbol"], NOISE["a long id"], NOISE["a long enum"], NOISE["a long type"]):
        reason = recorded(content).reason
        assert reason is not None
        assert len(reason.message) < 500
