"""Both sockets and the REST edge, byte for byte as Alpaca's clients meet them."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import WSMsgType

from tests.unit.simulator.process import RunningSimulator

KEYS = {"APCA-API-KEY-ID": "KEY", "APCA-API-SECRET-KEY": "SECRET"}
AUTHENTICATE = {"action": "authenticate", "data": {"key_id": "KEY", "secret_key": "SECRET"}}
LISTEN = {"action": "listen", "data": {"streams": ["trade_updates"]}}
WAIT_S = 15.0


@pytest.fixture(scope="module")
def simulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningSimulator]:
    flags = ("--quotes-per-second", "4", "--rate-limit-per-minute", "100000")
    running = RunningSimulator(tmp_path_factory.mktemp("simulator") / "data", *flags)
    yield running
    running.close()


@asynccontextmanager
async def socket(url: str, headers: dict[str, str] | None = None) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with (
        asyncio.timeout(WAIT_S),
        aiohttp.ClientSession() as session,
        session.ws_connect(url, headers=headers) as connected,
    ):
        yield connected


async def frame(connected: aiohttp.ClientWebSocketResponse) -> Any:
    message = await connected.receive()
    assert message.type in {WSMsgType.TEXT, WSMsgType.BINARY}, message
    return json.loads(message.data)


def run[T](scenario: Any) -> T:
    return asyncio.run(scenario)


def test_trade_updates_come_as_json_in_binary_frames(simulator: RunningSimulator) -> None:
    async def scenario() -> None:
        simulator.pin("AAPL", "249.90", "250.00")
        async with socket(simulator.ready["stream_url"]) as stream:
            await stream.send_json(AUTHENTICATE)
            assert await frame(stream) == {
                "stream": "authorization",
                "data": {"status": "authorized", "action": "authenticate"},
            }
            await stream.send_bytes(json.dumps(LISTEN).encode())
            assert await frame(stream) == {"stream": "listening", "data": {"streams": ["trade_updates"]}}
            async with aiohttp.ClientSession(headers=KEYS) as session:
                body = {"symbol": "AAPL", "qty": "3", "side": "buy", "type": "market", "time_in_force": "day"}
                async with session.post(f"{simulator.url}/v2/orders", json=body) as answer:
                    assert answer.status == 200
                    order = await answer.json()
            message = await stream.receive()
            assert message.type is WSMsgType.BINARY
            pending = json.loads(message.data)["data"]
            new, fill = (await frame(stream))["data"], (await frame(stream))["data"]
        assert [pending["event"], new["event"], fill["event"]] == ["pending_new", "new", "fill"]
        assert "execution_id" not in pending
        assert {"price", "qty", "position_qty"}.isdisjoint(new)
        assert new["execution_id"] != fill["execution_id"]
        assert (fill["price"], fill["qty"], fill["position_qty"]) == ("250", "3", "3")
        assert set(fill) >= {"at", "event_id", "timestamp", "settle_date", "order"}
        assert fill["order"]["id"] == order["id"]
        assert set(fill["order"]) == set(order) | {"cancel_requested_at"}

    run(scenario())


def test_listening_before_authenticating_is_unauthorized(simulator: RunningSimulator) -> None:
    async def scenario() -> None:
        async with socket(simulator.ready["stream_url"]) as stream:
            await stream.send_json(LISTEN)
            answer = await frame(stream)
            assert (answer["data"]["status"], answer["data"]["action"]) == ("unauthorized", "listen")
            await stream.send_json({"action": "authenticate", "data": {"key_id": "KEY", "secret_key": "no"}})
            assert (await frame(stream))["data"]["status"] == "unauthorized"

    run(scenario())


def test_a_second_trade_socket_is_refused_until_the_first_is_gone(simulator: RunningSimulator) -> None:
    async def scenario() -> None:
        url = simulator.ready["stream_url"]
        async with socket(url) as first:
            with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
                async with socket(url):
                    pass
            assert refused.value.status == 429
            await first.close()
        async with socket(url) as again:
            await again.send_json(AUTHENTICATE)
            assert (await frame(again))["data"]["status"] == "authorized"

    run(scenario())


def test_a_trade_socket_that_asks_for_msgpack_gets_msgpack(simulator: RunningSimulator) -> None:
    async def scenario() -> None:
        url, headers = simulator.ready["stream_url"], {"Content-Type": "application/msgpack"}
        async with socket(url, headers) as stream:
            await stream.send_bytes(msgspec.msgpack.encode(AUTHENTICATE))
            answer = msgspec.msgpack.decode((await stream.receive()).data)
            assert answer["data"]["status"] == "authorized"

    run(scenario())


async def data_login(stream: aiohttp.ClientWebSocketResponse) -> None:
    assert await frame(stream) == [{"T": "success", "msg": "connected"}]
    await stream.send_json({"action": "auth", "key": "KEY", "secret": "SECRET"})
    assert await frame(stream) == [{"T": "success", "msg": "authenticated"}]


def test_the_data_socket_speaks_json_text_to_those_who_do_not_ask_for_msgpack(
    simulator: RunningSimulator,
) -> None:
    async def scenario() -> None:
        async with socket(simulator.ready["data_stream_url"]) as stream:
            await data_login(stream)
            await stream.send_json({"action": "subscribe", "quotes": ["SPY"], "bars": ["*"]})
            (listing,) = await frame(stream)
            assert (listing["T"], listing["quotes"], listing["bars"]) == ("subscription", ["SPY"], ["*"])
            message = await stream.receive()
            assert message.type is WSMsgType.TEXT
            quote = json.loads(message.data)[0]
            assert set(quote) == {"T", "S", "t", "bx", "bp", "bs", "ax", "ap", "as", "c", "z"}
            assert quote["t"].endswith("Z")
            await stream.send_json({"action": "unsubscribe", "quotes": ["SPY"]})
            listing = await frame(stream)
            while listing[0]["T"] != "subscription":
                listing = await frame(stream)
            assert listing[0]["quotes"] == []

    run(scenario())


def test_the_data_socket_says_what_is_wrong_by_number(simulator: RunningSimulator) -> None:
    async def scenario() -> list[int]:
        codes: list[int] = []
        async with socket(simulator.ready["data_stream_url"]) as stream:
            await frame(stream)
            for message in (
                "not json",
                json.dumps({"action": "subscribe", "quotes": ["SPY"]}),
                json.dumps({"action": "auth", "key": "KEY", "secret": "no"}),
            ):
                await stream.send_str(message)
                codes.append((await frame(stream))[0]["code"])
            await stream.send_json({"action": "auth", "key": "KEY", "secret": "SECRET"})
            await frame(stream)
            await stream.send_json({"action": "auth", "key": "KEY", "secret": "SECRET"})
            codes.append((await frame(stream))[0]["code"])
            async with socket(simulator.ready["data_stream_url"]) as second:
                await frame(second)
                await second.send_json({"action": "auth", "key": "KEY", "secret": "SECRET"})
                codes.append((await frame(second))[0]["code"])
        return codes

    assert run(scenario()) == [400, 401, 402, 403, 406]


def test_a_quote_set_by_hand_is_streamed_at_once(simulator: RunningSimulator) -> None:
    async def scenario() -> None:
        async with socket(simulator.ready["data_stream_url"]) as stream:
            await data_login(stream)
            await stream.send_json({"action": "subscribe", "quotes": ["XOM"]})
            simulator.pin("XOM", "1.23", "1.25")
            quotes = await frame(stream)
            while quotes[0].get("bp") != 1.23:
                quotes = await frame(stream)
            assert quotes[0]["ap"] == 1.25
        simulator.control("release", symbols=["XOM"])

    run(scenario())


async def answered(url: str, method: str = "GET", **options: Any) -> tuple[int, Any, Any]:
    async with (
        aiohttp.ClientSession(headers=options.pop("headers", KEYS)) as session,
        session.request(method, url, **options) as answer,
    ):
        return answer.status, await answer.json(), answer.headers


def test_every_answer_carries_a_request_id_and_the_rate_limit(simulator: RunningSimulator) -> None:
    status, body, headers = run(answered(f"{simulator.url}/v2/account"))
    assert (status, body["multiplier"], body["currency"]) == (200, "4", "USD")
    assert headers["X-RateLimit-Limit"] == "100000"
    assert 0 < int(headers["X-RateLimit-Remaining"]) < 100000
    assert headers["X-Request-ID"]


def test_a_request_without_keys_is_unauthorized(simulator: RunningSimulator) -> None:
    for path in ("/v2/account", "/v2/orders", "/v2/stocks/quotes/latest?symbols=SPY", "/control/state"):
        status, body, _ = run(answered(simulator.url + path, headers={}))
        assert (status, body) == (401, {"message": "unauthorized."})


def test_bad_bodies_and_paths_get_alpacas_answers(simulator: RunningSimulator) -> None:
    orders = f"{simulator.url}/v2/orders"
    cases = [
        (run(answered(orders, "POST", data=b"{")), (400, 40010000)),
        (run(answered(orders, "POST", data=b"[]")), (422, 40010001)),
        (run(answered(f"{orders}/not-a-uuid")), (422, 40010001)),
        (run(answered(f"{orders}/00000000-0000-4000-8000-000000000000")), (404, 40410000)),
        (run(answered(f"{orders}:by_client_order_id?client_order_id=nobody")), (404, 40410000)),
        (run(answered(f"{orders}?status=odd")), (422, 40010001)),
        (run(answered(f"{orders}?limit=501")), (422, 40010001)),
        (run(answered(f"{simulator.url}/v2/positions/SPY")), (404, 40410000)),
    ]
    for (status, body, _), expected in cases:
        assert (status, body["code"]) == expected
    assert run(answered(f"{simulator.url}/v2/nowhere"))[0] == 404


def test_health_needs_no_keys_and_keys_do_not_open_the_control_port(simulator: RunningSimulator) -> None:
    assert run(answered(f"{simulator.url}/health", headers={}))[0] == 200
    assert run(answered(f"{simulator.url}/control/state"))[0] == 401


def test_booleans_and_repeated_keys_are_read_in_both_clients_ways(simulator: RunningSimulator) -> None:
    for query in ("cancel_orders=True", "cancel_orders=true", "cancel_orders=False"):
        assert run(answered(f"{simulator.url}/v2/positions?{query}", "DELETE"))[0] == 207
    for query in ("symbols=AAPL,SPY", "symbols=AAPL&symbols=SPY"):
        _, body, _ = run(answered(f"{simulator.url}/v2/stocks/quotes/latest?{query}"))
        assert set(body["quotes"]) == {"AAPL", "SPY"}
