import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contracts.ids import Symbol
from contracts.market import Bar, Quote, SymbolStatus
from services.regime import feed_wire as wire

QUOTE = {
    "T": "q",
    "S": "AAPL",
    "bx": "V",
    "bp": 189.1,
    "bs": 200,
    "ax": "V",
    "ap": 189.12,
    "as": 100,
    "c": ["R"],
    "z": "C",
    "t": "2026-10-08T14:30:00.123456789Z",
}


def read(*entries: object) -> list[wire.Entry]:
    return wire.read_frame(json.dumps(entries), "iex", 7)


def test_a_quote_is_read_exactly_and_counted():
    first, second = read(QUOTE, {**QUOTE, "S": "BRK.B", "bp": 0.1})
    assert first == Quote(
        symbol=Symbol("AAPL"),
        bid_price=Decimal("189.1"),
        ask_price=Decimal("189.12"),
        bid_size=Decimal(200),
        ask_size=Decimal(100),
        at=datetime(2026, 10, 8, 14, 30, 0, 123457, UTC),
        seq=7,
        source="iex",
    )
    assert isinstance(second, Quote)
    assert (second.symbol, second.seq, second.bid_price) == ("BRK.B", 8, Decimal("0.1"))


@pytest.mark.parametrize(("kind", "timeframe"), [("b", "1Min"), ("u", "1Min"), ("d", "1Day")])
def test_bars_carry_their_timeframe(kind: str, timeframe: str):
    bar = {"T": kind, "S": "SPY", "o": 1, "h": 2.5, "l": 0.5, "c": 2, "v": 1000, "n": 5, "vw": 1.7}
    (entry,) = read({**bar, "t": "2026-10-08T14:30:00Z"})
    assert isinstance(entry, Bar)
    assert (entry.timeframe, entry.high, entry.volume) == (timeframe, Decimal("2.5"), Decimal(1000))


def test_halts_keep_the_venues_own_codes():
    halt = {"T": "s", "S": "TSLA", "sc": "H", "sm": "Trading Halt", "rc": "T12", "rm": "More", "z": "C"}
    (entry,) = read({**halt, "t": "2026-10-08T14:30:00Z"})
    assert isinstance(entry, SymbolStatus)
    assert (entry.code, entry.reason_code) == ("H", "T12")


def test_one_bad_entry_costs_itself_and_not_its_frame():
    bad = [
        {**QUOTE, "bp": None},
        {**QUOTE, "S": "not a symbol.>"},
        {**QUOTE, "t": "yesterday"},
        {**QUOTE, "ap": "NaN"},
        {"T": 5},
        "text",
    ]
    entries = read(QUOTE, *bad, QUOTE)
    assert [type(entry).__name__ for entry in entries] == ["Quote", *["Unreadable"] * len(bad), "Quote"]
    last = entries[-1]
    assert isinstance(last, Quote)
    assert last.seq == 8


@pytest.mark.parametrize("frame", ["", "{}", b"\xff", "null"])
def test_a_frame_that_is_no_list_is_unreadable(frame: bytes | str):
    (entry,) = wire.read_frame(frame, "iex", 1)
    assert isinstance(entry, wire.Unreadable)


def test_control_entries_say_how_far_we_are():
    entries = read(
        {"T": "success", "msg": "connected"},
        {"T": "success", "msg": "authenticated"},
        {"T": "subscription", "quotes": ["AAPL"]},
        {"T": "success", "msg": "something new"},
        {"T": "n", "headline": "news"},
        {"T": "error", "code": 406, "msg": "connection limit exceeded"},
    )
    assert entries == [
        wire.Stage.CONNECTED,
        wire.Stage.AUTHENTICATED,
        wire.Stage.SUBSCRIBED,
        wire.FeedRefused(406, "connection limit exceeded"),
    ]


def test_requests_are_what_alpaca_documents():
    assert json.loads(wire.authenticate("k", "s")) == {"action": "auth", "key": "k", "secret": "s"}
    assert json.loads(wire.subscribe([Symbol("AAPL")])) == {
        "action": "subscribe",
        "quotes": ["AAPL"],
        "bars": ["AAPL"],
        "statuses": ["AAPL"],
    }
