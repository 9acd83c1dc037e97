"""The request budget in front of a server that counts: new risk halts, exits go on, reads wait."""

import asyncio
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from aiohttp import web

from contracts.ids import OrderId
from services.oms.brokers.port import Accepted, BrokerThrottledError, CancelAccepted, RateLimited
from tests.integration.test_alpaca_adapter import BOOKED, ORDER_ID, TERMS, serving

HELD = {"symbol": "AAPL", "qty": "10", "avg_entry_price": "9.5", "side": "long"}
LONG_AGO = datetime(2026, 11, 1, tzinfo=UTC)


def refusing_first(count: int, seen: list[str]):
    """Answer the first requests with 429, and the later ones as asked."""

    async def handler(request: web.Request) -> web.Response:
        seen.append(request.method)
        if len(seen) <= count:
            return web.json_response({"code": 42910000}, status=429, headers={"Retry-After": "30"})
        if request.method == "DELETE":
            return web.Response(status=204)
        return web.json_response(BOOKED if request.method == "POST" else [HELD])

    return handler


def test_a_429_halts_new_risk_here_and_lets_exits_through():
    seen: list[str] = []

    async def run():
        async with serving(refusing_first(1, seen)) as broker:
            first = await broker.submit(ORDER_ID, TERMS)
            second = await broker.submit(OrderId("lg-2"), TERMS)
            with pytest.raises(BrokerThrottledError) as throttled:
                await broker.positions()
            exits = await broker.cancel("b-1"), await broker.submit(OrderId("lg-3"), TERMS, reduces=True)
            return first, second, throttled.value.retry_after_ms, exits

    first, second, read_wait_ms, (cancel, reducing) = asyncio.run(run())
    assert first == second == RateLimited(retry_after_ms=30_000)
    assert read_wait_ms == 30_000
    assert cancel == CancelAccepted()
    assert isinstance(reducing, Accepted)
    assert seen == ["POST", "DELETE", "POST"]


def test_an_exit_that_meets_a_429_is_asked_again_soon():
    async def run():
        async with serving(refusing_first(10, [])) as broker:
            return await broker.cancel("b-1")

    assert asyncio.run(run()) == RateLimited(retry_after_ms=1_000)


def test_a_broker_whose_count_is_nearly_spent_hears_only_exits():
    posts: list[str] = []

    async def handler(request: web.Request) -> web.Response:
        posts.append((await request.json())["client_order_id"])
        reset = str(int(datetime(2026, 11, 23, 14, 30, 40, tzinfo=UTC).timestamp()))
        told = {"X-RateLimit-Limit": "200", "X-RateLimit-Remaining": "60", "X-RateLimit-Reset": reset}
        return web.json_response(BOOKED, headers=told)

    async def run():
        async with serving(handler) as broker:
            await broker.submit(OrderId("lg-1"), TERMS)
            refused = await broker.submit(OrderId("lg-2"), TERMS)
            return refused, await broker.submit(OrderId("lg-3"), TERMS, reduces=True)

    refused, reducing = asyncio.run(run())
    assert refused == RateLimited(retry_after_ms=40_000)
    assert isinstance(reducing, Accepted)
    assert posts == ["lg-1", "lg-3"]


def test_activities_that_are_no_trades_are_listed_page_by_page_without_canceled_ones():
    def activity(number: int) -> dict[str, object]:
        status = "canceled" if number % 50 == 49 else "executed"
        return {"id": f"a-{number:03}", "activity_type": "DIV", "net_amount": "1.02", "status": status}

    async def handler(request: web.Request) -> web.Response:
        assert request.query["category"] == "non_trade_activity"
        token = request.query.get("page_token")
        start = int(token[2:]) + 1 if token else 0
        return web.json_response([activity(number) for number in range(start, min(start + 100, 150))])

    async def run():
        async with serving(handler) as broker:
            return await broker.activities_after(LONG_AGO)

    found = asyncio.run(run())
    assert len({one.activity_id for one in found}) == 147
    assert (found[0].kind, found[0].amount_usd) == ("DIV", Decimal("1.02"))
