"""Alpaca's latest quotes."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from contracts.market import Quote
from services.regime.latest import feed_of
from services.regime.latest_wire import read_latest

ANSWER = b"""{"quotes": {
  "AAPL": {"t":"2026-11-23T14:30:00.123456Z","ap":189.14,"as":2,"bp":189.1,"bs":3,"c":["R"],"z":"C"},
  "BAD": {"t":"yesterday","ap":1,"bp":1},
  "HUGE": {"t":"2026-11-23T14:30:00Z","ap":"NaN","bp":1},
  "not a symbol": {"t":"2026-11-23T14:30:00Z","ap":1,"bp":1}}}"""


def test_latest_quotes_are_read_exactly_and_bad_ones_spoil_only_themselves():
    latest = read_latest(ANSWER, "test")
    assert latest.quotes == (
        Quote(
            symbol="AAPL",
            bid_price=Decimal("189.1"),
            ask_price=Decimal("189.14"),
            bid_size=Decimal(3),
            ask_size=Decimal(2),
            at=datetime(2026, 11, 23, 14, 30, 0, 123456, tzinfo=UTC),
            seq=0,
            source="test",
        ),
    )
    assert [fault.split(":")[0] for fault in latest.unreadable] == ["BAD", "HUGE", "not a symbol"]


@pytest.mark.parametrize("body", [b"", b"[]", b'{"message":"forbidden."}', b'{"quotes":null}', b"\xff"])
def test_an_answer_of_another_form_is_refused(body):
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read_latest(body, "test")


@pytest.mark.parametrize(
    ("url", "feed"),
    [
        ("wss://stream.data.alpaca.markets/v2/iex", "iex"),
        ("wss://stream.data.alpaca.markets/v2/sip/", "sip"),
        ("ws://127.0.0.1:1/stream", None),
    ],
)
def test_feed_is_named_by_the_socket_address(url, feed):
    assert feed_of(url) == feed
