import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from contracts.enums import LegRole, OrderClass, OrderType, Side, TimeInForce
from contracts.ids import OrderId, Symbol
from contracts.intents import StopLoss, TakeProfit
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from services.oms.brokers import alpaca_requests_wire as requests
from services.oms.brokers import alpaca_wire as wire
from services.oms.brokers.port import Changes

ORDER = {
    "id": "61e69015-8549-4bfd-b9c3-01e75843f47d",
    "client_order_id": "lg-abc",
    "created_at": "2026-10-08T14:30:00.123456789Z",
    "updated_at": "2026-10-08T14:30:00.2Z",
    "submitted_at": "2026-10-08T10:30:00.123456789-04:00",
    "filled_at": None,
    "asset_id": "b0b6dd9d-8b9b-48a9-ba46-b9d54906e415",
    "symbol": "AAPL",
    "asset_class": "us_equity",
    "notional": None,
    "qty": "10",
    "filled_qty": "0",
    "filled_avg_price": None,
    "order_class": "",
    "order_type": "limit",
    "type": "limit",
    "side": "buy",
    "time_in_force": "day",
    "limit_price": "189.12",
    "stop_price": None,
    "status": "pending_new",
    "extended_hours": False,
    "legs": None,
    "something_new": {"nested": [1, 2]},
}


def order(**changes: object) -> bytes:
    return json.dumps({**ORDER, **changes}).encode()


def test_an_order_is_read_with_exact_numbers_and_utc_times():
    report = wire.read_order(order())
    assert report.broker_order_id == ORDER["id"]
    assert report.client_order_id == "lg-abc"
    assert report.status == "pending_new"
    assert report.submitted_at == datetime(2026, 10, 8, 14, 30, 0, 123457, UTC)
    assert report.terms == OrderTerms(
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        qty=Decimal(10),
        limit_price=Decimal("189.12"),
        time_in_force=TimeInForce.DAY,
    )


def test_numbers_may_come_as_json_numbers_and_are_read_from_their_text():
    body = order().replace(b'"filled_qty": "0"', b'"filled_qty": 0.30000000000000004')
    body = body.replace(b'"filled_avg_price": null', b'"filled_avg_price": 1e-09')
    report = wire.read_order(body)
    assert report.filled_qty == Decimal("0.30000000000000004")
    assert report.filled_avg_price == Decimal("1E-9")


def test_unknown_statuses_survive_and_unknown_types_only_cost_the_terms():
    report = wire.read_order(order(status="teleported", type="quantum", order_type="quantum"))
    assert report.status == "teleported"
    assert report.terms is None
    assert report.side is Side.BUY


def test_missing_fields_are_tolerated_as_long_as_the_order_can_be_named():
    report = wire.read_order(b'{"id": "b-1", "client_order_id": "c-1"}')
    assert (report.status, report.filled_qty, report.terms) == ("", Decimal(0), None)


def test_a_notional_order_has_terms_once_it_has_filled():
    assert wire.read_order(order(qty=None, notional="500")).terms is None
    filled = wire.read_order(order(qty=None, notional="500", filled_qty="2.5", filled_avg_price="200"))
    assert filled.terms is not None
    assert filled.terms.qty == Decimal("2.5")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"id": "x"}', order(filled_qty="NaN"), order(limit_price="Infinity"), b"\xff\xfe"],
)
def test_nonsense_is_reported_and_never_guessed(body: bytes):
    with pytest.raises(wire.UnreadableReportError):
        wire.read_order(body)


def test_a_request_holds_plain_strings_and_only_what_is_set():
    terms = OrderTerms(
        symbol=Symbol("BRK.B"),
        side=Side.SELL,
        order_type=OrderType.LIMIT,
        qty=Decimal("1E+2"),
        limit_price=Decimal("0.0000001"),
    )
    assert json.loads(requests.order_request(OrderId("lg-1"), terms)) == {
        "symbol": "BRK.B",
        "side": "sell",
        "type": "limit",
        "time_in_force": "day",
        "qty": "100",
        "limit_price": "0.0000001",
        "client_order_id": "lg-1",
    }


def test_a_request_says_extended_hours_only_when_asked_for():
    terms = OrderTerms(
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        order_type=OrderType.STOP_LIMIT,
        qty=Decimal(1),
        limit_price=Decimal(2),
        stop_price=Decimal(1),
        time_in_force=TimeInForce.GTC,
        extended_hours=True,
    )
    body = json.loads(requests.order_request(OrderId("lg-1"), terms))
    assert body["extended_hours"] is True
    assert (body["stop_price"], body["time_in_force"]) == ("1", "gtc")


@pytest.mark.parametrize(
    ("status", "body", "code", "broker_code"),
    [
        (403, b'{"code": 40310000, "message": "insufficient buying power"}', RejectionCode.FORBIDDEN, "403/40310000"),
        (422, b'{"code": 42210000, "message": "sub-penny"}', RejectionCode.INVALID_ORDER, "422/42210000"),
        (401, b'{"message": "unauthorized."}', RejectionCode.UNAUTHORIZED, "401/-"),
        (400, b"<html>bad</html>", RejectionCode.BAD_REQUEST, "400/-"),
        (404, b"", RejectionCode.NOT_FOUND, "404/-"),
        (418, b'{"code": "tea"}', RejectionCode.BROKER_DECISION, "418/tea"),
    ],
)
def test_a_rejection_is_told_by_status_and_code(status: int, body: bytes, code: RejectionCode, broker_code: str):
    rejected = wire.rejection(status, body)
    assert (rejected.code, rejected.broker_code) == (code, broker_code)


def test_a_short_position_is_negative_even_when_its_quantity_is_written_positive():
    body = b"""[
      {"symbol": "AAPL", "qty": "10", "side": "long", "avg_entry_price": "100.5", "current_price": null},
      {"symbol": "TSLA", "qty": "3", "side": "short", "avg_entry_price": "250", "current_price": "251.5"},
      {"symbol": "JPM", "qty": "-4", "side": "short", "avg_entry_price": "200"}
    ]"""
    assert [position.qty for position in wire.read_positions(body)] == [Decimal(10), Decimal(-3), Decimal(-4)]


def test_the_account_counts_any_block_as_blocked():
    body = b"""{"equity": "100000.12", "last_equity": "99999", "cash": "-5.5", "buying_power": 200000,
      "status": "ACTIVE", "trading_blocked": false, "account_blocked": true, "new_field": 1}"""
    account = wire.read_account(body)
    assert account.trading_blocked
    assert account.equity_usd == Decimal("100000.12")
    assert account.cash_usd == Decimal("-5.5")


def test_an_account_without_its_equity_is_unreadable():
    with pytest.raises(wire.UnreadableReportError):
        wire.read_account(b'{"cash": "1", "buying_power": "1", "last_equity": "1"}')


def test_the_clock_comes_in_new_york_time_and_leaves_in_utc():
    body = b"""{"timestamp": "2026-10-08T10:30:00.123456789-04:00", "is_open": true,
      "next_open": "2026-10-09T09:30:00-04:00", "next_close": "2026-10-08T16:00:00-04:00"}"""
    clock = wire.read_clock(body)
    assert clock.next_close == datetime(2026, 10, 8, 20, 0, tzinfo=UTC)
    assert clock.at.tzinfo is UTC


@pytest.mark.parametrize("stamp", ["9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"])
def test_a_time_that_is_none_in_utc_is_unreadable(stamp: str):
    body = f'{{"timestamp": "{stamp}", "is_open": true, "next_open": "{stamp}", "next_close": "{stamp}"}}'
    with pytest.raises(wire.UnreadableReportError):
        wire.read_clock(body.encode())


def test_fill_activities_are_read_and_a_short_sale_is_a_sell():
    body = b"""[{"activity_type": "FILL", "id": "20261008103000123::u", "order_id": "o-1", "symbol": "AAPL",
      "side": "sell_short", "type": "partial_fill", "qty": "1.5", "price": "10.01", "cum_qty": "1.5",
      "leaves_qty": "0.5", "transaction_time": "2026-10-08T14:30:00.123456Z", "order_status": "partially_filled"}]"""
    (fill,) = wire.read_fills(body)
    assert (fill.side, fill.qty, fill.cum_qty) == (Side.SELL, Decimal("1.5"), Decimal("1.5"))
    assert fill.at == datetime(2026, 10, 8, 14, 30, 0, 123456, UTC)


def test_a_fill_with_an_unknown_side_is_unreadable():
    body = b"""[{"id": "a", "order_id": "o", "symbol": "AAPL", "side": "sideways", "qty": "1", "price": "1",
      "cum_qty": "1", "transaction_time": "2026-10-08T14:30:00Z"}]"""
    with pytest.raises(wire.UnreadableReportError):
        wire.read_fills(body)


def test_a_bracket_names_its_exits_and_an_amount_replaces_the_quantity():
    bracket = OrderTerms(
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        order_type=OrderType.MARKET,
        qty=Decimal(5),
        order_class=OrderClass.BRACKET,
        take_profit=TakeProfit(limit_price=Decimal(120)),
        stop_loss=StopLoss(stop_price=Decimal(80), limit_price=Decimal("79.5")),
    )
    body = json.loads(requests.order_request(OrderId("lg-1"), bracket))
    assert (body["order_class"], body["take_profit"]) == ("bracket", {"limit_price": "120"})
    assert body["stop_loss"] == {"stop_price": "80", "limit_price": "79.5"}
    amount = OrderTerms(
        symbol=Symbol("AAPL"),
        side=Side.BUY,
        order_type=OrderType.MARKET,
        qty=Decimal(5),
        notional_usd=Decimal("99.5"),
    )
    body = json.loads(requests.order_request(OrderId("lg-1"), amount))
    assert (body["notional"], "qty" in body) == ("99.5", False)


def test_a_trailing_stop_is_asked_for_by_its_distance():
    trailing = OrderTerms(
        symbol=Symbol("AAPL"),
        side=Side.SELL,
        order_type=OrderType.TRAILING_STOP,
        qty=Decimal(5),
        trail_percent=Decimal("1.5"),
    )
    body = json.loads(requests.order_request(OrderId("lg-1"), trailing))
    assert (body["type"], body["trail_percent"], "stop_price" in body) == ("trailing_stop", "1.5", False)


def test_a_replacement_says_only_what_changes_and_under_which_id():
    changes = Changes(qty=Decimal(12), trail=Decimal("0.5"), time_in_force=TimeInForce.GTC)
    assert json.loads(requests.replace_request(OrderId("lg-1-r7"), changes)) == {
        "client_order_id": "lg-1-r7",
        "qty": "12",
        "trail": "0.5",
        "time_in_force": "gtc",
    }


def test_exits_are_read_with_their_roles_or_with_those_that_their_types_tell():
    take = {**ORDER, "id": "t", "order_class": "bracket", "side": "sell", "status": "held"}
    stop = {**take, "id": "s", "type": "stop", "limit_price": None, "stop_price": "80", "group_role": "stop_loss"}
    report = wire.read_order(order(order_class="bracket", group_role="entry", legs=[take, stop]))
    assert report.role is None
    assert [(leg.broker_order_id, leg.role) for leg in report.legs] == [
        ("t", LegRole.TAKE_PROFIT),
        ("s", LegRole.STOP_LOSS),
    ]


def test_where_a_trailing_stop_stands_is_none_of_its_terms():
    report = wire.read_order(
        order(type="trailing_stop", limit_price=None, stop_price="97", trail_price="2", hwm="99")
    )
    assert report.terms is not None
    assert (report.terms.stop_price, report.terms.trail_price) == (None, 2)


def test_totals_that_are_left_out_are_told_apart_from_nothing_filled():
    assert wire.read_order(order()).has_totals
    assert not wire.read_order(order(filled_qty=None)).has_totals
