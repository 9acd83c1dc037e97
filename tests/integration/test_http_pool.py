"""The client for orders on real sockets: connections are kept, and every failure says whether the request left."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvloop

from services.oms.brokers import http_pool
from services.oms.brokers.http_connection import NoAnswerError, NotSentError
from services.oms.brokers.http_pool import HttpPool
from services.oms.brokers.http_request import Address
from tests.integration.scripted_server import WHOLE, Answer, ScriptedServer, always, in_turn, served, silence
from tests.waiting import until

POST = b"POST /v2/orders HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}"
GET = b"GET /v2/orders HTTP/1.1\r\nHost: h\r\n\r\n"
GOODBYE = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}"
UNTIL_THE_END = b"HTTP/1.1 200 OK\r\n\r\n{}"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"
type Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    def run(story: Coroutine[Any, Any, None]) -> None:
        with asyncio.Runner(loop_factory=request.param) as runner:
            runner.run(story)

    return run


@asynccontextmanager
async def pool_at(answer: Answer, *, connect_ms: int = 2_000, answer_ms: int = 5_000):
    async with served(answer) as (server, port), pool_to(port, connect_ms, answer_ms) as pool:
        yield pool, server


@asynccontextmanager
async def pool_to(port: int, connect_ms: int = 2_000, answer_ms: int = 5_000) -> AsyncGenerator[HttpPool]:
    pool = HttpPool(Address.of(f"http://127.0.0.1:{port}"), connect_ms, answer_ms)
    try:
        yield pool
    finally:
        await pool.close()


async def posted(pool: HttpPool) -> bytes:
    return (await pool.send(POST, may_repeat=False)).body


async def got(pool: HttpPool) -> bytes:
    return (await pool.send(GET, may_repeat=True)).body


def idle(pool: HttpPool) -> int:
    return len(pool._idle)


def test_requests_after_each_other_share_a_connection_and_arrive_as_written(run: Run):
    async def story():
        async with pool_at(in_turn(WHOLE, CHUNKED)) as (pool, server):
            assert [await posted(pool), await got(pool), await posted(pool)] == [b"{}"] * 3
            assert server.requests == [POST, GET, POST]
            assert server.connections == 1

    run(story())


def test_requests_at_once_have_connections_of_their_own_and_leave_them_for_later(run: Run):
    async def story():
        async with pool_at(always()) as (pool, server):
            await asyncio.gather(*[posted(pool) for _ in range(5)])
            await asyncio.gather(*[posted(pool) for _ in range(5)])
            assert server.connections == idle(pool) == 5

    run(story())


def test_the_newest_idle_connection_goes_first(run: Run):
    async def story():
        async with pool_at(always()) as (pool, _server):
            await asyncio.gather(posted(pool), posted(pool))
            oldest, newest = pool._idle
            await posted(pool)
            assert list(pool._idle) == [oldest, newest]

    run(story())


@pytest.mark.parametrize("answer", [GOODBYE, UNTIL_THE_END, WHOLE + WHOLE])
def test_a_connection_that_ends_with_its_answer_is_not_used_again(run: Run, answer: bytes):
    async def hanging_up(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async def story():
        async with pool_at(hanging_up) as (pool, server):
            assert [await posted(pool), await posted(pool)] == [b"{}", b"{}"]
            assert (server.connections, idle(pool)) == (2, 0)

    run(story())


def test_a_kept_connection_that_the_server_closed_is_never_picked(run: Run):
    async def story():
        async with pool_at(always()) as (pool, server):
            await posted(pool)
            server.hang_up()
            await until(lambda: idle(pool) == 0)
            assert await posted(pool) == b"{}"
            assert server.connections == 2

    run(story())


def test_bytes_that_nobody_asked_for_end_an_idle_connection(run: Run):
    async def story():
        async with pool_at(in_turn(WHOLE, CHUNKED)) as (pool, server):
            await posted(pool)
            server.say(b"HTTP/1.1 408 Request Timeout\r\nContent-Length: 2\r\n\r\nno")
            await until(lambda: idle(pool) == 0)
            assert await posted(pool) == b"{}"
            assert server.connections == 2

    run(story())


def test_a_post_on_a_kept_connection_that_dies_is_not_sent_again(run: Run):
    async def story():
        async with pool_at(in_turn(WHOLE, None)) as (pool, server):
            await posted(pool)
            with pytest.raises(NoAnswerError, match="ended before an answer"):
                await posted(pool)
            assert server.requests == [POST, POST]

    run(story())


def test_a_get_on_a_kept_connection_that_dies_is_sent_once_more_on_a_fresh_one(run: Run):
    async def story():
        async with pool_at(in_turn(WHOLE, None, WHOLE)) as (pool, server):
            await posted(pool)
            assert await got(pool) == b"{}"
            assert server.requests == [POST, GET, GET]
            assert server.connections == 2

    run(story())


@pytest.mark.parametrize(
    "answers",
    [(None,), (WHOLE, None, None), (WHOLE, b"HTTP/1.1 20" + b"x"), (WHOLE, b"garbage")],
    ids=["fresh connection", "twice", "within the answer", "garbage"],
)
def test_a_get_is_given_up_when_it_was_on_a_fresh_connection_or_an_answer_had_begun(run: Run, answers: Any):
    async def story():
        async with pool_at(in_turn(*answers)) as (pool, server):
            for _ in answers[:1] if answers[0] else ():
                await posted(pool)
            with pytest.raises(NoAnswerError):
                await got(pool)
            assert len(server.requests) == len(answers)

    run(story())


def test_a_repeat_that_finds_no_server_does_not_claim_that_nothing_left(run: Run):
    async def last_words(number: int, writer: asyncio.StreamWriter) -> None:
        if number == 1:
            writer.write(WHOLE)
        else:
            server.listening.close()
            writer.transport.abort()

    async def story():
        nonlocal server
        async with pool_at(last_words) as (pool, server):
            await posted(pool)
            with pytest.raises(NoAnswerError, match="then no connection"):
                await got(pool)

    server: ScriptedServer
    run(story())


@pytest.mark.parametrize(
    "answer", [b"<html>", WHOLE[:-1], UNTIL_THE_END[:10], b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n"]
)
def test_an_answer_that_is_none_leaves_the_fate_open_and_the_connection_closed(run: Run, answer: bytes):
    async def breaking_off(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        writer.close()

    async def story():
        async with pool_at(breaking_off) as (pool, server):
            with pytest.raises(NoAnswerError):
                await posted(pool)
            assert (len(server.requests), idle(pool)) == (1, 0)

    run(story())


def test_an_endless_answer_is_given_up(run: Run):
    async def endless(number: int, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        while True:
            writer.write(b"x" * 1_000_000)
            await writer.drain()

    async def story():
        async with pool_at(endless) as (pool, server):
            with pytest.raises(NoAnswerError, match="more than"):
                await posted(pool)
            await until(lambda: server.ended == 1)

    run(story())


def test_a_late_answer_leaves_the_fate_open_and_is_never_taken_for_the_next_one(run: Run):
    async def slow_at_first(number: int, writer: asyncio.StreamWriter) -> None:
        if number > 1:
            writer.write(WHOLE)

    async def story():
        async with pool_at(slow_at_first, answer_ms=100) as (pool, server):
            with pytest.raises(NoAnswerError, match="in time"):
                await posted(pool)
            await until(lambda: server.ended == 1)
        async with pool_at(slow_at_first) as (pool, server):
            waiting = asyncio.create_task(posted(pool))
            await until(lambda: server.requests)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            assert await posted(pool) == b"{}"
            await until(lambda: server.ended == 1)
            assert server.connections == 2

    run(story())


def test_a_refused_connection_means_that_nothing_was_sent(run: Run):
    async def story():
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            async with pool_to(unused.getsockname()[1]) as pool:
                with pytest.raises(NotSentError, match="no connection to 127"):
                    await got(pool)

    run(story())


def test_a_request_that_finds_every_connection_busy_waits_its_turn_or_was_not_sent(
    run: Run, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(http_pool, "CONNECTIONS_MAX", 1)
    may_answer = asyncio.Event()

    async def when_told(number: int, writer: asyncio.StreamWriter) -> None:
        await may_answer.wait()
        writer.write(WHOLE)

    async def story():
        async with pool_at(when_told, connect_ms=50) as (pool, server):
            first = asyncio.create_task(posted(pool))
            await until(lambda: server.requests)
            with pytest.raises(NotSentError, match="busy"):
                await posted(pool)
            may_answer.set()
            assert await first == b"{}"
        async with pool_at(when_told) as (pool, server):
            assert await asyncio.gather(*[posted(pool) for _ in range(10)]) == [b"{}"] * 10
            assert server.connections == 1

    run(story())


def test_a_canceled_wait_for_a_turn_takes_no_turn(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_pool, "CONNECTIONS_MAX", 1)

    async def story():
        async with pool_at(silence) as (pool, server):
            tasks = [asyncio.create_task(posted(pool)) for _ in range(3)]
            await until(lambda: server.requests)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
            assert not pool._slots.locked()

    run(story())


def test_connections_idle_too_long_are_dropped_oldest_first(run: Run, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(http_pool, "IDLE_MS_MAX", 50)

    async def story():
        async with pool_at(always()) as (pool, server):
            await asyncio.gather(posted(pool), posted(pool))
            await until(lambda: server.ended == 2)
            assert idle(pool) == 0
            await posted(pool)
            await until(lambda: server.ended == 3)

    run(story())


def test_closing_ends_what_waits_and_sends_nothing_more(run: Run):
    async def story():
        async with pool_at(in_turn(WHOLE, b"", b"")) as (pool, server):
            await got(pool)
            waiting = [asyncio.create_task(posted(pool)), asyncio.create_task(got(pool))]
            await until(lambda: len(server.requests) == 3)
            await pool.close()
            await pool.close()
            for task in waiting:
                with pytest.raises(NoAnswerError):
                    await task
            with pytest.raises(NotSentError):
                await posted(pool)
            await until(lambda: server.ended == 2)
            assert len(server.requests) == 3

    run(story())


def test_closing_takes_no_half_of_an_answer_for_the_whole(run: Run):
    async def story():
        async with pool_at(always(UNTIL_THE_END)) as (pool, _server):
            waiting = asyncio.create_task(got(pool))
            await until(lambda: any(connection._has_heard for connection in pool._open))
            await pool.close()
            with pytest.raises(NoAnswerError):
                await waiting

    run(story())


def test_a_caller_canceled_as_the_answer_comes_leaves_no_connection_behind(run: Run):
    async def story():
        async with pool_at(silence) as (pool, server):
            waiting = asyncio.create_task(posted(pool))
            await until(lambda: server.requests)
            (connection,) = pool._open
            connection.data_received(WHOLE)
            waiting.cancel()
            await asyncio.wait([waiting])
            assert waiting.cancelled()
            await until(lambda: server.ended == 1)
            assert not pool._open

    run(story())


def test_a_kept_connection_that_was_reset_unseen_is_never_picked(run: Run):
    async def story():
        async with pool_at(always()) as (pool, server):
            await posted(pool)
            (connection,) = pool._idle
            connection._transport.abort()  # as the loop does on a reset, a step before it tells
            assert await posted(pool) == b"{}"
            assert server.connections == 2

    run(story())


def test_small_writes_are_not_held_back(run: Run):
    async def story():
        async with pool_at(always()) as (pool, _server):
            await posted(pool)
            (connection,) = pool._idle
            wire: socket.socket = connection._transport.get_extra_info("socket")
            assert wire.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0

    run(story())


def test_a_host_of_which_only_one_address_answers_is_reached(run: Run):
    async def story():
        async with served(always()) as (_server, port):
            pool = HttpPool(Address.of(f"http://localhost:{port}"), 2_000, 5_000)
            assert await posted(pool) == b"{}"
            await pool.close()

    run(story())
