"""Alpaca's bars."""

from datetime import UTC, datetime
from decimal import Decimal

import msgspec
import pytest

from services.regime.bars_wire import read_latest_bars, read_page

PAGE = b"""{"bars": {"AAPL": [
  {"t":"2026-11-20T05:00:00Z","o":255.21,"h":257.93,"l":255.01,"c":257.92,"v":23260252,"n":1,"vw":256.9},
  {"t":"2026-11-21T05:00:00Z","o":1,"h":0.5,"l":2,"c":1,"v":1},
  {"t":"2026-11-22T05:00:00Z","o":0,"h":1,"l":0,"c":1,"v":1},
  {"t":"2026-11-23T05:00:00Z","o":1,"h":"NaN","l":1,"c":1,"v":1},
  {"o":1,"h":1,"l":1,"c":1,"v":1}], "not a symbol": [
  {"t":"2026-11-20T05:00:00Z","o":1,"h":1,"l":1,"c":1,"v":1}]}, "next_page_token": "QUFQTA=="}"""


def test_a_page_of_bars_is_read_exactly_and_bad_ones_spoil_only_themselves() -> None:
    (bar,), token = read_page(PAGE, "1Day", "test")
    assert (bar.symbol, bar.timeframe, bar.source, token) == ("AAPL", "1Day", "test", "QUFQTA==")
    prices = bar.open, bar.high, bar.low, bar.close, bar.volume
    assert prices == tuple(map(Decimal, ("255.21", "257.93", "255.01", "257.92", "23260252")))
    assert bar.at == datetime(2026, 11, 20, 5, tzinfo=UTC)


def test_a_last_page_and_an_empty_one_have_no_next() -> None:
    assert read_page(b'{"bars": {}, "next_page_token": null}', "1Day", "test") == ([], None)
    assert read_page(b'{"bars": null}', "1Day", "test") == ([], None)


def test_the_newest_bar_of_each_symbol_is_read() -> None:
    body = b'{"bars": {"SPY": {"t":"2026-11-23T15:50:00Z","o":367.46,"h":367.62,"l":367.36,"c":367.4,"v":4078}}}'
    (bar,) = read_latest_bars(body, "1Min", "test")
    assert (bar.symbol, bar.close, bar.timeframe) == ("SPY", Decimal("367.4"), "1Min")


@pytest.mark.parametrize("body", [b"", b"[]", b'{"bars": 5}', b"\xff"])
def test_an_answer_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read_page(body, "1Day", "test")
    with pytest.raises((msgspec.DecodeError, UnicodeDecodeError)):
        read_latest_bars(body, "1Day", "test")
