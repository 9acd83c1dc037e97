"""The trade_updates client against a scripted socket: what it survives and what it says."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, date, datetime

from aiohttp import WSMsgType, web

from services.oms.brokers.alpaca_http import AlpacaKeys
from services.oms.brokers.alpaca_updates import AlpacaUpdates, LinkTimings
from services.oms.brokers.port import BrokerUpdate, LinkDown, LinkUp, StreamReport

KEYS = AlpacaKeys("the-key-id", "the-secret")
PATIENT = LinkTimings(backoff_first_ms=2, backoff_last_ms=8)
QUICK = LinkTimings(handshake_ms=300, ping_every_ms=100, backoff_first_ms=2, backoff_last_ms=8)
DEADLINE_S = 20
type Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 14, 30, tzinfo=UTC)

    def monotonic_ms(self) -> int:
        return 0

    def trading_day(self, at: datetime) -> date:
        return at.date()


def frame(event: str, **data: object) -> str:
    order = {"id": "b-1", "client_order_id": "lg-1", "status": "new"}
    return json.dumps({"stream": "trade_updates", "data": {"event": event, "order": order, **data}})


async def handshake(ws: web.WebSocketResponse) -> None:
    request = json.loads((await ws.receive()).data)
    assert request == {"action": "authenticate", "data": {"key_id": "the-key-id", "secret_key": "the-secret"}}
    await ws.send_str('{"stream":"authorization","data":{"status":"authorized","action":"authenticate"}}')
    assert json.loads((await ws.receive()).data)["action"] == "listen"
    await ws.send_bytes(b'{"stream":"listening","data":{"streams":["trade_updates"]}}')


async def until_gone(ws: web.WebSocketResponse) -> None:
    while (await ws.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
        pass


def reports(
    *connections: Talk | int,
    count: int,
    autoping: bool = True,
    timings: LinkTimings = PATIENT,
    renewed_after: int = 0,
) -> list[StreamReport]:
    """Serve one script per connection (a number refuses it with that status) and collect the first reports."""
    scripts = iter(connections)

    async def handler(request: web.Request) -> web.StreamResponse:
        script = next(scripts)
        if isinstance(script, int):
            return web.Response(status=script)
        ws = web.WebSocketResponse(autoping=autoping)
        await ws.prepare(request)
        await script(ws)
        await ws.close()
        return ws

    async def run() -> list[StreamReport]:
        app = web.Application()
        app.router.add_get("/stream", handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/stream"
        client = AlpacaUpdates(url, KEYS, FixedClock(), timings)
        collected: list[StreamReport] = []
        try:
            async with asyncio.timeout(DEADLINE_S), aclosing(client.stream()) as stream:
                async for report in stream:
                    collected.append(report)
                    if len(collected) == count:
                        break
                    if len(collected) == renewed_after:
                        await client.renew()
        finally:
            await runner.cleanup()
        return collected

    return asyncio.run(run())


def kinds(collected: list[StreamReport]) -> list[str]:
    return [report.event if isinstance(report, BrokerUpdate) else type(report).__name__ for report in collected]


def test_text_and_binary_updates_arrive_and_empty_frames_do_not_matter():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await ws.send_str(frame("new"))
        await ws.send_str('{"stream":"trade_updates","data":null}')
        await ws.send_bytes(frame("unheard_of", novelty=1).encode())
        await until_gone(ws)

    assert kinds(reports(talk, count=3)) == ["LinkUp", "new", "unheard_of"]


def test_a_closed_link_is_said_and_made_again():
    async def short(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await ws.send_str(frame("new"))

    async def long(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    collected = reports(short, short, long, count=7)
    assert kinds(collected) == ["LinkUp", "new", "LinkDown", "LinkUp", "new", "LinkDown", "LinkUp"]


def test_a_refused_handshake_is_tried_again():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    collected = reports(429, 429, talk, count=3)
    assert kinds(collected) == ["LinkDown", "LinkDown", "LinkUp"]
    assert isinstance(collected[0], LinkDown)
    assert "429" in collected[0].detail


def test_refused_keys_are_said_without_showing_them():
    async def talk(ws: web.WebSocketResponse) -> None:
        await ws.receive()
        await ws.send_str('{"stream":"authorization","data":{"status":"unauthorized","action":"authenticate"}}')
        await until_gone(ws)

    (down,) = reports(talk, count=1)
    assert isinstance(down, LinkDown)
    assert "keys" in down.detail
    assert "the-secret" not in down.detail


def test_a_server_that_never_answers_the_handshake_is_left():
    async def silent(ws: web.WebSocketResponse) -> None:
        await until_gone(ws)

    (down,) = reports(silent, count=1, timings=QUICK)
    assert isinstance(down, LinkDown)
    assert "Timeout" in down.detail


def test_a_dead_peer_is_noticed_by_its_missing_pong():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    quick_pings = LinkTimings(ping_every_ms=100, backoff_first_ms=2, backoff_last_ms=8)
    collected = reports(talk, count=2, autoping=False, timings=quick_pings)
    assert kinds(collected) == ["LinkUp", "LinkDown"]


def test_a_frame_that_cannot_be_read_breaks_the_link_so_that_reconciliation_follows():
    async def garbled(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await ws.send_str('{"stream":"trade_updates","data":{"event":"fill"}}')
        await until_gone(ws)

    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    collected = reports(garbled, talk, count=3)
    assert kinds(collected) == ["LinkUp", "LinkDown", "LinkUp"]
    assert collected[0] == LinkUp()


def test_a_link_that_is_given_up_is_made_again():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    collected = reports(talk, talk, count=3, renewed_after=1)
    assert kinds(collected) == ["LinkUp", "LinkDown", "LinkUp"]


def test_a_broker_that_still_holds_our_last_socket_is_asked_less_and_less_often():
    client = AlpacaUpdates("ws://127.0.0.1:1", KEYS, FixedClock())
    timings = LinkTimings()
    waits = [client.backoff_ms(failures, timings.limited_last_ms) for failures in range(1, 9)]
    assert waits == [250, 500, 1_000, 2_000, 4_000, 8_000, 15_000, 15_000]
    assert client.backoff_ms(100, timings.backoff_last_ms) == 2_000
