"""What the wire answers beside orders: activities, history, calendars, watchlists by name, lists of orders."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from services.simulator.web.portfolio import default_frame, history, thinned
from tests.unit.simulator.test_edge import Client, exchange

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)  # a Monday in New York
CONTROL = {"X-Control-Key": "C"}
LIMIT = {"symbol": "AAPL", "qty": "2", "side": "buy", "type": "limit", "limit_price": "5", "time_in_force": "gtc"}
type Scenario = Callable[[Client], Awaitable[None]]


def run(folder: Path, scenario: Scenario, **settings: Any) -> None:
    async def play() -> None:
        async with exchange(folder, lambda: NOON, **settings) as client:
            await scenario(client)

    asyncio.run(play())


async def ask(client: Client, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, Any]:
    async with client.request(method, path, json=body, **options) as answer:
        return answer.status, None if answer.status == 204 else await answer.json()


def test_cash_moves_as_activities_of_their_own_kind_and_pages_go_on_after_the_last_id(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        for amount, kind in (("1000", "CSD"), ("12.5", "DIV"), ("-0.02", "FEE")):
            moved = {"amount": amount, "activity_type": kind, "symbol": "AAPL"}
            assert (await ask(client, "POST", "/control/cash", moved, headers=CONTROL))[0] == 200
        _, account = await ask(client, "GET", "/v2/account")
        assert account["cash"] == "101012.48"
        _, first = await ask(client, "GET", "/v2/account/activities?direction=asc&page_size=2")
        assert [(one["activity_type"], one["net_amount"]) for one in first] == [("CSD", "1000"), ("DIV", "12.5")]
        _, rest = await ask(client, "GET", f"/v2/account/activities?direction=asc&page_token={first[-1]['id']}")
        assert [one["activity_type"] for one in rest] == ["FEE"]
        assert rest[0]["date"] == "2026-11-23"
        _, dividends = await ask(client, "GET", "/v2/account/activities/DIV")
        assert [one["symbol"] for one in dividends] == ["AAPL"]
        _, fills = await ask(client, "GET", "/v2/account/activities?category=trade_activity")
        assert fills == []

    run(tmp_path, scenario)


@pytest.mark.parametrize(
    "path",
    [
        "/v2/account/activities?activity_types=FILL&category=trade_activity",
        "/v2/account/activities?activity_types=NOTHING",
        "/v2/account/activities?page_token=unknown",
        "/v2/account/activities?page_size=101",
        "/v2/account/activities?date=2026-11-23&after=2026-11-22",
        "/v2/account/portfolio/history?period=1X",
        "/v2/account/portfolio/history?period=1D&start=2026-11-01&end=2026-11-02",
        "/v2/account/portfolio/history?timeframe=2Min",
        "/v2/account/portfolio/history?period=1A&timeframe=1H",
        "/v2/account/portfolio/history?pnl_reset=weekly",
        "/v2/orders?after_order_id=a&before_order_id=b",
        "/v2/orders?after_order_id=a&after=2026-11-23",
        "/v2/orders?side=hold",
        "/v2/calendar?date_type=LUNAR",
        "/v2/corporate_actions/announcements?ca_types=gift&since=2026-11-01&until=2026-11-02",
        "/v2/corporate_actions/announcements?ca_types=split&since=2026-01-01&until=2026-11-02",
    ],
)
def test_a_parameter_that_makes_no_sense_is_422(tmp_path: Path, path: str) -> None:
    async def scenario(client: Client) -> None:
        status, body = await ask(client, "GET", path)
        assert (status, body["code"]) == (422, 40010001)

    run(tmp_path, scenario)


def test_the_newer_clock_and_calendar_tell_phases_and_days(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        _, answer = await ask(client, "GET", "/v3/clock?markets=NYSE,XNAS&time=2026-11-23T12:00:00-05:00")
        assert [(one["market"]["mic"], one["phase"]) for one in answer["clocks"]] == [
            ("XNYS", "core"),
            ("XNAS", "core"),
        ]
        _, night = await ask(client, "GET", "/v3/clock?time=2026-11-27T21:00:00-05:00")
        (clock,) = night["clocks"]
        assert (clock["phase"], clock["phase_until"]) == ("closed", "2026-11-30T04:00:00-05:00")
        _, found = await ask(client, "GET", "/v3/calendar/XNYS?start=2026-11-26&end=2026-11-27&timezone=UTC")
        assert [(day["date"], day["core_end"]) for day in found["calendar"]] == [
            ("2026-11-27", "2026-11-27T18:00:00Z")
        ]
        assert (await ask(client, "GET", "/v3/calendar/LSE"))[0] == 400

    run(tmp_path, scenario, market_hours="exchange")


def test_a_watchlist_is_found_changed_and_deleted_by_name(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        path = "/v2/watchlists:by_name?name=tech"
        assert (await ask(client, "GET", path))[0] == 404
        await ask(client, "POST", "/v2/watchlists", {"name": "tech", "symbols": ["AAPL"]})
        _, longer = await ask(client, "POST", path, {"symbol": "SPY"})
        assert [asset["symbol"] for asset in longer["assets"]] == ["AAPL", "SPY"]
        _, renamed = await ask(client, "PUT", path, {"name": "chips"})
        assert renamed["name"] == "chips"
        assert (await ask(client, "DELETE", "/v2/watchlists:by_name?name=chips"))[0] == 204
        assert (await ask(client, "GET", "/v2/watchlists"))[1] == []

    run(tmp_path, scenario)


def test_legs_hang_on_a_parent_in_the_list_and_stand_alone_without_it(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        exits = {"take_profit": {"limit_price": "6"}, "stop_loss": {"stop_price": "4"}}
        _, entry = await ask(client, "POST", "/v2/orders", {**LIMIT, "order_class": "bracket", **exits})
        _, flat = await ask(client, "GET", "/v2/orders")
        assert [order["legs"] for order in flat] == [None, None, None]
        _, nested = await ask(client, "GET", "/v2/orders?nested=True")
        assert [len(order["legs"]) for order in nested] == [2]
        _, sells = await ask(client, "GET", "/v2/orders?nested=true&side=sell")
        assert [order["group_id"] for order in sells] == [entry["group_id"]] * 2
        _, simple = await ask(client, "POST", "/v2/orders", LIMIT)
        assert "group_id" not in simple

    run(tmp_path, scenario)


def test_a_switched_off_account_says_so_and_takes_no_level_above_three(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        path = "/v2/account/configurations"
        assert (await ask(client, "PATCH", path, {"max_options_trading_level": 4}))[0] == 422
        await ask(client, "PATCH", path, {"no_shorting": True, "max_options_trading_level": 1, "dtbp_check": None})
        _, account = await ask(client, "GET", "/v2/account")
        assert (account["shorting_enabled"], account["options_trading_level"]) == (False, 1)

    run(tmp_path, scenario)


def test_options_are_refused_and_not_ignored(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        contract = "AAPL261218C00250000"
        for verb in ("exercise", "do-not-exercise"):
            assert (await ask(client, "POST", f"/v2/positions/{contract}/{verb}"))[0] == 403
        assert (await ask(client, "GET", "/v2/positions/BTC/USD"))[1]["code"] == 40410000
        special = {**LIMIT, "advanced_instructions": {"algorithm": "VWAP"}}
        assert (await ask(client, "POST", "/v2/orders", special))[0] == 403

    run(tmp_path, scenario)


def test_trade_updates_come_in_text_frames_when_told_so(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        async with client.ws_connect("/stream") as socket:
            await socket.send_json({"action": "listen", "data": {"streams": ["trade_updates"]}})
            assert (await socket.receive_json())["data"]["streams"] == ["trade_updates"]

    run(tmp_path, scenario, trade_frames="text")


def test_a_429_says_what_it_was_told_to_say(tmp_path: Path) -> None:
    async def scenario(client: Client) -> None:
        answers = [await ask(client, "GET", "/v2/clock") for _ in range(3)]  # a new minute may begin once
        assert "rate limit exceeded" in [body.get("message") for status, body in answers if status == 429]

    run(tmp_path, scenario, rate_limit_per_minute=1, rate_limit_message="rate limit exceeded")


def test_equity_is_sampled_at_the_end_of_each_window_and_profit_starts_anew_each_day() -> None:
    at = int(NOON.timestamp())
    samples = [(at, 100), (at + 60, 110), (at + 300, 120), (at + 86_400, 150), (at + 86_460, 90)]
    found = thinned([(stamp, Decimal(dollars)) for stamp, dollars in samples], "5Min")
    assert [(stamp - at, int(equity)) for stamp, equity in found] == [(0, 110), (300, 120), (86_400, 90)]
    daily = history(found, "5Min", resets_daily=True)
    assert ([int(one) for one in daily["profit_loss"]], daily["base_value"]) == ([0, 10, 0], 110)
    assert [int(one) for one in history(found, "5Min", resets_daily=False)["profit_loss"]] == [0, 10, -20]


@pytest.mark.parametrize(("days", "frame"), [(6, "1Min"), (7, "15Min"), (29, "15Min"), (30, "1D")])
def test_the_timeframe_follows_the_period(days: int, frame: str) -> None:
    assert default_frame(timedelta(days=days)) == frame
