"""The edge in one event loop: limits, slow sockets, settings that change who may connect."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestClient, TestServer
from msgspec.structs import replace

from services.simulator.exchange import Exchange
from services.simulator.settings import checked, keys
from services.simulator.tape.library import TapeError
from services.simulator.web.outlet import MOST_QUEUED_FRAMES, Outlet

KEYS = {"APCA-API-KEY-ID": "K", "APCA-API-SECRET-KEY": "S"}
NIGHT = datetime(2026, 11, 24, 3, 0, tzinfo=UTC)  # 22:00 in New York
Client = TestClient[web.Request, web.Application]


@asynccontextmanager
async def exchange(
    folder: Path, clock: Callable[[], datetime] | None = None, **settings: Any
) -> AsyncIterator[Client]:
    given = {"data_dir": folder, "key_id": "K", "secret_key": "S", "control_key": "C", **settings}
    found = checked(given)
    opened = Exchange(found) if clock is None else Exchange(found, clock)
    async with TestClient(TestServer(opened.application()), headers=KEYS) as client:
        yield client
    opened.close()


def run(scenario: Callable[[], Awaitable[None]]) -> None:
    asyncio.run(scenario())  # pyright: ignore[reportArgumentType]  # every scenario is a coroutine function


def test_the_request_after_the_last_allowed_one_is_429(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with exchange(tmp_path, rate_limit_per_minute=3) as client:
            statuses: list[int] = []
            answer = await client.get("/v2/account")
            while answer.status == 200 and len(statuses) < 10:  # a new minute may begin once
                statuses.append(answer.status)
                answer = await client.get("/v2/account")
            assert answer.status == 429
            assert (await answer.json())["code"] == 42910000
            assert answer.headers["X-RateLimit-Remaining"] == "0"
            assert (await client.get("/v2/stocks/quotes/latest?symbols=SPY")).status == 200

    run(scenario)


def test_any_number_of_trade_sockets_may_connect_when_told_so(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with exchange(tmp_path, trade_streams=0) as client:
            sockets = [await client.ws_connect("/stream") for _ in range(5)]
            for socket in sockets:
                await socket.close()

    run(scenario)


def test_at_night_the_exchange_is_closed_and_orders_wait(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with exchange(tmp_path, lambda: NIGHT, market_hours="exchange") as client:
            clock = await (await client.get("/v2/clock")).json()
            assert clock["is_open"] is False
            assert clock["next_open"] == "2026-11-24T09:30:00-05:00"
            order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "market", "time_in_force": "day"}
            answer = await (await client.post("/v2/orders", json=order)).json()
            assert answer["status"] == "accepted"
            assert answer["expires_at"] == "2026-11-24T21:00:00Z"
            bars = await (await client.get("/v2/stocks/bars/latest?symbols=SPY")).json()
            assert bars["bars"]["SPY"]["t"] == "2026-11-24T00:59:00Z"

    run(scenario)


def test_a_bad_page_token_or_timeframe_is_400(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with exchange(tmp_path) as client:
            for query in ("timeframe=1Min&page_token=x", "timeframe=61Min", "timeframe=", "symbols="):
                assert (await client.get(f"/v2/stocks/bars?symbols=SPY&{query}")).status == 400

    run(scenario)


def test_a_tape_that_cannot_value_the_account_is_refused(tmp_path: Path) -> None:
    async def scenario() -> None:
        order = {"symbol": "SPY", "qty": "1", "side": "buy", "type": "limit", "limit_price": "5"}
        async with exchange(tmp_path) as client:
            answer = await client.post("/v2/orders", json={**order, "time_in_force": "gtc"})
            assert answer.status == 200
        with pytest.raises(TapeError, match="SPY"):
            async with exchange(tmp_path, tape="generated:SYMBOLS=1"):
                pass

    run(scenario)


class StuckSocket:
    """A socket whose peer never reads."""

    async def send_bytes(self, _frame: bytes) -> None:
        await asyncio.Event().wait()


class FakeTransport:
    aborted = False

    def abort(self) -> None:
        self.aborted = True


class FakeRequest:
    path = "/stream"

    def __init__(self) -> None:
        self.transport = FakeTransport()


def test_a_socket_that_does_not_read_is_cut_off_and_nobody_waits_for_it() -> None:
    async def scenario() -> None:
        request = FakeRequest()
        outlet = Outlet(request, StuckSocket())  # pyright: ignore[reportArgumentType]  # all that is used
        for _ in range(MOST_QUEUED_FRAMES):
            outlet.put(b"frame", WSMsgType.BINARY)
        assert not request.transport.aborted
        outlet.put(b"one too many", WSMsgType.BINARY)
        assert request.transport.aborted
        outlet.stop()

    run(scenario)


@pytest.mark.parametrize(
    "wrong",
    [
        {"data_dir": ""},
        {"port": "70000"},
        {"speed": "61"},
        {"market_hours": "never"},
        {"multiplier": "3"},
        {"partial_percent": "101"},
        {"ack_ms": "-1"},
        {"cash": "many"},
        {"quotes_per_second": "0"},
        {"gtc_days": "0"},
        {"power_formula": "guess"},
        {"trade_frames": "smoke"},
        {"entitled_tifs": "ioc,day"},
        {"check_order": "id,wash"},
    ],
    ids=str,
)
def test_settings_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r".+"):
        checked({"data_dir": str(tmp_path), **wrong})


def test_keys_that_are_given_win_over_those_that_are_kept(tmp_path: Path) -> None:
    made = keys(checked({"data_dir": str(tmp_path)}))
    given = keys(checked({"data_dir": str(tmp_path), "key_id": "MINE"}))
    assert (given.key_id, given.secret_key) == ("MINE", made.secret_key)


def test_every_open_point_can_be_set_by_a_word(tmp_path: Path) -> None:
    words = {
        "gtc_days": "30",
        "buy_stop_collar": "false",
        "stop_side_checked": "false",
        "replacement_carries_fills": "false",
        "client_id_reuse": "true",
        "done_for_day": "true",
        "entitled_tifs": "ioc",
        "check_order": "power, position, wash, blocks, id",
        "power_formula": "last_equity",
    }
    rules = checked({"data_dir": str(tmp_path), **words}).rules()
    assert rules == replace(
        checked({"data_dir": str(tmp_path)}).rules(),
        gtc_days=30,
        buy_stop_collar=False,
        stop_side_checked=False,
        replacement_carries_fills=False,
        client_id_reuse=True,
        done_for_day=True,
        entitled_tifs=frozenset({"ioc"}),
        check_order=("power", "position", "wash", "blocks", "id"),
        power_formula="last_equity",
    )
