"""What each thing a server can do to a request means for the order, on real sockets."""

import asyncio
import json
import socket
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from aiohttp import web

from contracts.enums import OrderType, Side
from contracts.ids import OrderId, Symbol
from contracts.orders import OrderTerms
from contracts.reasons import RejectionCode
from services.oms.brokers.alpaca import AlpacaBroker
from services.oms.brokers.alpaca_http import AlpacaHttp, AlpacaKeys, HttpTimeouts
from services.oms.brokers.alpaca_updates import AlpacaUpdates
from services.oms.brokers.port import (
    Accepted,
    Ambiguous,
    BrokerUnreachableError,
    CancelAccepted,
    CancelRefused,
    NotSent,
    RateLimited,
    Rejected,
)

KEYS = AlpacaKeys("the-key-id", "the-secret")
ORDER_ID = OrderId("lg-1")
TERMS = OrderTerms(
    symbol=Symbol("AAPL"), side=Side.BUY, order_type=OrderType.LIMIT, qty=Decimal(10), limit_price=Decimal("9.5")
)
BOOKED = {"id": "b-1", "client_order_id": "lg-1", "status": "pending_new", "symbol": "AAPL", "side": "buy"}
type Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class FixedClock:
    def now(self) -> datetime:
        return datetime(2026, 11, 23, 14, 30, tzinfo=UTC)

    def monotonic_ms(self) -> int:
        return 0

    def trading_day(self, at: datetime) -> date:
        return at.date()


@asynccontextmanager
async def serving(handler: Handler, *, answer_ms: int = 5_000):
    """Run one handler for every request, and a broker adapter that talks to it."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handler)
    runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    broker = adapter(f"http://127.0.0.1:{port}", answer_ms)
    try:
        yield broker
    finally:
        await broker.close()
        await runner.cleanup()


def adapter(url: str, answer_ms: int = 5_000) -> AlpacaBroker:
    clock = FixedClock()
    http = AlpacaHttp(url, KEYS, clock, HttpTimeouts(connect_ms=2_000, answer_ms=answer_ms))
    return AlpacaBroker(http, AlpacaUpdates("ws://127.0.0.1:1/stream", KEYS, clock))


def answering(status: int, body: object = None, headers: dict[str, str] | None = None) -> Handler:
    async def handler(request: web.Request) -> web.Response:
        text = body if isinstance(body, str) else json.dumps(body)
        return web.Response(status=status, text=text, headers=headers)

    return handler


def submitted_to(handler: Handler, *, answer_ms: int = 5_000):
    async def run():
        async with serving(handler, answer_ms=answer_ms) as broker:
            return await broker.submit(ORDER_ID, TERMS)

    return asyncio.run(run())


def test_a_submit_sends_the_order_once_with_the_keys_in_headers_only():
    seen: list[tuple[str, str, str | None, object]] = []

    async def handler(request: web.Request) -> web.Response:
        seen.append((request.method, request.path_qs, request.headers.get("APCA-API-KEY-ID"), await request.json()))
        return web.json_response(BOOKED)

    outcome = submitted_to(handler)
    assert isinstance(outcome, Accepted)
    assert outcome.order.broker_order_id == "b-1"
    ((method, path, key, body),) = seen
    assert (method, path, key) == ("POST", "/v2/orders", "the-key-id")
    assert "the-key-id" not in json.dumps(body)


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (500, "<html>oops</html>"),
        (503, {"message": "busy"}),
        (504, ""),
        (302, ""),
        (200, "not json"),
        (200, {"id": None}),
        (408, ""),
    ],
)
def test_an_answer_that_leaves_the_fate_open_is_ambiguous(status: int, body: object):
    assert isinstance(submitted_to(answering(status, body)), Ambiguous)


def test_a_stalled_answer_is_ambiguous():
    async def handler(request: web.Request) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    assert isinstance(submitted_to(handler, answer_ms=100), Ambiguous)


def test_a_connection_lost_after_the_send_is_ambiguous_and_the_order_is_not_sent_again():
    posts = 0

    async def handler(request: web.Request) -> web.StreamResponse:
        nonlocal posts
        posts += 1
        assert request.transport is not None
        request.transport.abort()
        await asyncio.sleep(30)
        raise AssertionError

    assert isinstance(submitted_to(handler), Ambiguous)
    assert posts == 1


def test_a_refused_connection_means_that_nothing_was_sent():
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        async def run():
            broker = adapter(url)
            try:
                return await broker.submit(ORDER_ID, TERMS), await broker.cancel("b-1")
            finally:
                await broker.close()

        submit, cancel = asyncio.run(run())
    assert isinstance(submit, NotSent)
    assert isinstance(cancel, NotSent)
    assert "the-secret" not in submit.detail


@pytest.mark.parametrize(
    ("headers", "wait_ms"),
    [
        ({"Retry-After": "3"}, 3_000),
        ({"X-RateLimit-Reset": str(int(datetime(2026, 11, 23, 14, 30, 7, tzinfo=UTC).timestamp()))}, 7_000),
        ({"X-RateLimit-Reset": "1"}, 100),
        ({"Retry-After": "86400"}, 60_000),
        ({"Retry-After": "soon"}, 1_000),
        ({"Retry-After": "9" * 5_000}, 1_000),
        ({}, 1_000),
    ],
)
def test_a_429_says_how_long_to_wait_and_decides_nothing(headers: dict[str, str], wait_ms: int):
    outcome = submitted_to(answering(429, {"code": 42910000, "message": "too many requests."}, headers))
    assert outcome == RateLimited(retry_after_ms=wait_ms)


def test_a_rejection_carries_the_brokers_code():
    outcome = submitted_to(answering(403, {"code": 40310000, "message": "insufficient buying power"}))
    assert outcome == Rejected(
        code=RejectionCode.FORBIDDEN, broker_code="403/40310000", message="insufficient buying power"
    )


def a_422_then(lookup: Handler) -> Handler:
    async def handler(request: web.Request) -> web.StreamResponse:
        if request.method == "POST":
            return web.json_response({"code": 40010001, "message": "client_order_id must be unique"}, status=422)
        assert request.path_qs == "/v2/orders:by_client_order_id?client_order_id=lg-1"
        return await lookup(request)

    return handler


def test_a_repeated_id_is_the_order_that_has_it():
    outcome = submitted_to(a_422_then(answering(200, {**BOOKED, "status": "filled"})))
    assert isinstance(outcome, Accepted)
    assert outcome.order.status == "filled"


def test_the_same_code_for_a_malformed_body_stays_a_rejection():
    outcome = submitted_to(a_422_then(answering(404, {"code": 40410000, "message": "order not found"})))
    assert isinstance(outcome, Rejected)


def test_a_repeated_id_that_cannot_be_looked_up_is_ambiguous():
    assert isinstance(submitted_to(a_422_then(answering(503, ""))), Ambiguous)


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (204, "", CancelAccepted()),
        (422, {"code": 42210000, "message": 'order is already in "filled" state'}, True),
        (404, {"code": 40410000, "message": "order not found"}, False),
    ],
)
def test_a_cancel_is_taken_or_refused(status: int, body: object, outcome: object):
    async def run():
        async with serving(answering(status, body)) as broker:
            return await broker.cancel("b-1")

    answer = asyncio.run(run())
    if isinstance(answer, CancelRefused):
        assert answer.already_terminal is outcome
    else:
        assert answer == outcome


@pytest.mark.parametrize(("status", "kind"), [(504, Ambiguous), (429, RateLimited)])
def test_a_cancel_may_be_ambiguous_or_rate_limited_too(status: int, kind: type):
    async def run():
        async with serving(answering(status, "")) as broker:
            return await broker.cancel("b-1")

    assert isinstance(asyncio.run(run()), kind)


def test_a_look_up_tells_not_found_from_no_answer():
    async def run(handler: Handler):
        async with serving(handler) as broker:
            return await broker.order_by_client_id(ORDER_ID)

    assert asyncio.run(run(answering(404, {"code": 40410000, "message": "order not found"}))) is None
    for status in (500, 401, 429, 302):
        with pytest.raises(BrokerUnreachableError):
            asyncio.run(run(answering(status, "")))
    with pytest.raises(BrokerUnreachableError):
        asyncio.run(run(answering(200, "[]")))


def test_a_rate_limited_question_says_when_to_ask_again():
    async def run():
        async with serving(answering(429, "", {"Retry-After": "2"})) as broker:
            await broker.account()

    with pytest.raises(BrokerUnreachableError) as refused:
        asyncio.run(run())
    assert refused.value.retry_after_ms == 2_000


def paged(count: int, queries: list[dict[str, str]]) -> Handler:
    ids = [f"b-{number:04}" for number in range(count)]

    async def handler(request: web.Request) -> web.Response:
        query = dict(request.query)
        queries.append(query)
        after = query.get("after_order_id")
        start = ids.index(after) + 1 if after else 0
        page = ids[start : start + int(query["limit"])]
        return web.json_response([{"id": one, "client_order_id": f"c-{one}", "status": "new"} for one in page])

    return handler


def test_open_orders_are_listed_to_the_last_page():
    queries: list[dict[str, str]] = []

    async def run():
        async with serving(paged(1_100, queries)) as broker:
            return await broker.open_orders()

    orders = asyncio.run(run())
    assert len({order.broker_order_id for order in orders}) == 1_100
    assert [query.get("after_order_id") for query in queries] == [None, "b-0499", "b-0999"]


def test_later_pages_go_on_by_id_because_alpaca_takes_no_time_beside_it():
    queries: list[dict[str, str]] = []

    async def run():
        async with serving(paged(600, queries)) as broker:
            return await broker.orders_after(datetime(2026, 11, 23, tzinfo=UTC))

    assert len(asyncio.run(run())) == 600
    assert queries[0]["after"] == "2026-11-23T00:00:00+00:00"
    assert "after" not in queries[1]


def test_paging_that_goes_in_circles_is_given_up():
    page = [{"id": f"b-{number}", "client_order_id": f"c-{number}"} for number in range(500)]

    async def run():
        async with serving(answering(200, page)) as broker:
            return await broker.open_orders()

    with pytest.raises(BrokerUnreachableError, match="repeats"):
        asyncio.run(run())


def test_fills_are_paged_and_sorted_by_time_then_quantity():
    def fill(number: int) -> dict[str, str]:
        return {
            "id": f"a-{number:03}",
            "order_id": "b-1",
            "symbol": "AAPL",
            "side": "buy",
            "qty": "1",
            "price": "10",
            "cum_qty": str(150 - number),
            "transaction_time": "2026-11-23T14:30:00.000001Z",
        }

    async def handler(request: web.Request) -> web.Response:
        token = request.query.get("page_token")
        start = int(token[2:]) + 1 if token else 0
        return web.json_response([fill(number) for number in range(start, min(start + 100, 150))])

    async def run():
        async with serving(handler) as broker:
            return await broker.fills_after(datetime(2026, 11, 23, tzinfo=UTC))

    fills = asyncio.run(run())
    assert [int(fill.cum_qty) for fill in fills] == list(range(1, 151))


def test_the_keys_show_in_no_representation():
    assert "secret" not in repr(KEYS)
    assert "key-id" not in repr(KEYS)
