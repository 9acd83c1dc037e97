"""Alpaca's assets and calendar."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from contracts.broker import Asset
from services.oms.brokers.alpaca_listing_wire import read_asset, read_assets, read_calendar
from services.oms.brokers.alpaca_wire import UnreadableReportError

ASSET = b"""{"id":"b0b6dd9d-8b9b-48a9-ba46-b9d54906e415","class":"us_equity","exchange":"NASDAQ","symbol":"AAPL",
"name":"Apple","status":"active","tradable":true,"marginable":true,"maintenance_margin_requirement":25,
"margin_requirement_long":"30","shortable":true,"easy_to_borrow":true,"fractionable":true,"attributes":[]}"""


def test_an_asset_is_read() -> None:
    assert read_asset(ASSET) == Asset(
        symbol="AAPL",
        tradable=True,
        shortable=True,
        easy_to_borrow=True,
        fractionable=True,
        marginable=True,
        maintenance_pct=Decimal(30),
    )
    assert read_assets(b"[" + ASSET + b"]") == [read_asset(ASSET)]


def test_an_inactive_asset_is_not_tradable_and_what_is_not_said_is_not_allowed() -> None:
    assert not read_asset(ASSET.replace(b'"active"', b'"inactive"')).tradable
    assert read_asset(b'{"symbol":"X","tradable":true}') == Asset(symbol="X", tradable=False)


def test_a_calendar_is_read_in_new_york_time_oldest_first() -> None:
    body = b"""[{"date":"2026-11-27","open":"09:30","close":"13:00","session_open":"0400","session_close":"1700"},
    {"date":"2026-07-06","open":"09:30","close":"16:00"}]"""
    summer, early = read_calendar(body)
    assert (summer.open_at, summer.close_at) == (
        datetime(2026, 7, 6, 13, 30, tzinfo=UTC),
        datetime(2026, 7, 6, 20, 0, tzinfo=UTC),
    )
    assert (early.trading_day, early.close_at) == (date(2026, 11, 27), datetime(2026, 11, 27, 18, 0, tzinfo=UTC))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'[{"date":"2026-11-27"}]',
        b'[{"date":"2026-11-27","open":"half past","close":"13:00"}]',
        b'[{"date":"2026-11-27","open":"13:00","close":"09:30"}]',
        b"\xff",
    ],
)
def test_a_calendar_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(UnreadableReportError):
        read_calendar(body)
