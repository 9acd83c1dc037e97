"""The market-data client against a scripted socket."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import aclosing
from datetime import UTC, datetime

from aiohttp import WSMsgType, web

from contracts.ids import Symbol
from contracts.market import Quote
from services.regime.feed import FeedDown, FeedKeys, FeedReport, FeedTimings, MarketFeed
from services.runtime.memory import ManualClock

KEYS = FeedKeys("the-key-id", "the-secret")
PATIENT = FeedTimings(backoff_first_ms=2, backoff_last_ms=8)
IMPATIENT = FeedTimings(backoff_first_ms=2, backoff_last_ms=8, silence_ms=150)
DEADLINE_S = 20
QUOTE = {"T": "q", "S": "AAPL", "bp": 1, "ap": 2, "t": "2026-10-08T14:30:00Z"}
type Talk = Callable[[web.WebSocketResponse], Awaitable[None]]


async def handshake(ws: web.WebSocketResponse, *with_confirmation: object) -> None:
    await ws.send_str('[{"T":"success","msg":"connected"}]')
    assert json.loads((await ws.receive()).data) == {"action": "auth", "key": "the-key-id", "secret": "the-secret"}
    await ws.send_str('[{"T":"success","msg":"authenticated"}]')
    assert json.loads((await ws.receive()).data)["quotes"] == ["AAPL"]
    await ws.send_str(json.dumps([{"T": "subscription", "quotes": ["AAPL"]}, *with_confirmation]))


async def until_gone(ws: web.WebSocketResponse) -> None:
    while (await ws.receive()).type not in {WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.CLOSING, WSMsgType.ERROR}:
        pass


def reports(*talks: Talk, count: int, timings: FeedTimings = PATIENT) -> list[FeedReport]:
    scripts = iter(talks)

    async def handler(request: web.Request) -> web.StreamResponse:
        assert request.headers["Content-Type"] == "application/json"
        ws = web.WebSocketResponse()
        await ws.prepare(request)
        await next(scripts)(ws)
        await ws.close()
        return ws

    async def run() -> list[FeedReport]:
        app = web.Application()
        app.router.add_get("/v2/iex", handler)
        runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        url = f"ws://127.0.0.1:{runner.addresses[0][1]}/v2/iex"
        clock = ManualClock(datetime(2026, 10, 8, 14, 30, tzinfo=UTC))
        feed = MarketFeed(url, KEYS, [Symbol("AAPL")], clock, lambda _: 0, source="iex", timings=timings)
        collected: list[FeedReport] = []
        try:
            async with asyncio.timeout(DEADLINE_S), aclosing(feed.stream()) as stream:
                async for report in stream:
                    collected.append(report)
                    if len(collected) == count:
                        break
        finally:
            await runner.cleanup()
        return collected

    return asyncio.run(run())


def kinds(collected: list[FeedReport]) -> list[str]:
    return [type(report).__name__ for report in collected]


def test_quotes_arrive_from_text_and_binary_frames_even_beside_the_confirmation():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws, QUOTE)
        await ws.send_str(json.dumps([QUOTE, QUOTE]))
        await ws.send_bytes(json.dumps([QUOTE]).encode())
        await until_gone(ws)

    collected = reports(talk, count=5)
    assert kinds(collected) == ["FeedUp", "Quote", "Quote", "Quote", "Quote"]
    assert [report.seq for report in collected if isinstance(report, Quote)] == [1, 2, 3, 4]


def test_counting_goes_on_over_a_broken_link():
    async def short(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await ws.send_str(json.dumps([QUOTE]))

    collected = reports(short, short, count=5)
    assert kinds(collected) == ["FeedUp", "Quote", "FeedDown", "FeedUp", "Quote"]
    last = collected[-1]
    assert isinstance(last, Quote)
    assert last.seq == 2


def test_a_refusal_breaks_the_link_because_the_stream_would_stay_silent():
    async def refused(ws: web.WebSocketResponse) -> None:
        await ws.send_str('[{"T":"success","msg":"connected"}]')
        await ws.receive()
        await ws.send_str('[{"T":"error","code":406,"msg":"connection limit exceeded"}]')
        await until_gone(ws)

    (down,) = reports(refused, count=1)
    assert isinstance(down, FeedDown)
    assert "406" in down.detail
    assert "the-secret" not in down.detail


def test_a_feed_that_falls_silent_counts_as_broken():
    async def mute(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await until_gone(ws)

    assert kinds(reports(mute, count=2, timings=IMPATIENT)) == ["FeedUp", "FeedDown"]


def test_noise_is_said_and_the_link_stands():
    async def talk(ws: web.WebSocketResponse) -> None:
        await handshake(ws)
        await ws.send_str("garbage")
        await ws.send_str(json.dumps([{**QUOTE, "bp": "NaN"}, QUOTE]))
        await until_gone(ws)

    assert kinds(reports(talk, count=4)) == ["FeedUp", "FeedNoise", "FeedNoise", "Quote"]
