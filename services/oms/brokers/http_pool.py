"""Kept connections to one server: made when needed, lent to one request at a time, dropped when idle too long.

It exists because an order must be cheap and its fate must be known: whatever went wrong before the first byte was
written is `NotSentError`, whatever came after is `NoAnswerError`. No redirects, no proxies, no retries but one.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable

from aiohappyeyeballs import start_connection

from services.oms.brokers.http_answer import HttpAnswer
from services.oms.brokers.http_connection import HttpConnection, NoAnswerError, NothingCameError, NotSentError
from services.oms.brokers.http_request import Address

CONNECTIONS_MAX = 64
IDLE_MS_MAX = 60_000
_NEXT_ADDRESS_S = 0.25
"""How long one of a host's addresses has before the next is tried beside it (RFC 8305)."""


class HttpPool:
    """Sends requests over the newest idle connection, or a new one; create it inside a running event loop."""

    def __init__(self, address: Address, connect_ms: int, answer_ms: int) -> None:
        """Connect nowhere yet; certificates are checked against what the system trusts."""
        self._address = address
        self._tls = ssl.create_default_context() if address.is_tls else None
        self._connect_ms = connect_ms
        self._answer_ms = answer_ms
        self._loop = asyncio.get_running_loop()
        # One slot a request: a connection is made only when none is idle, so there are never more than slots.
        self._slots = asyncio.Semaphore(CONNECTIONS_MAX)
        self._open: set[HttpConnection] = set()
        self._idle: dict[HttpConnection, int] = {}
        self._sweep: asyncio.TimerHandle | None = None
        self._is_closed = False
        self._all_lost = asyncio.Event()
        self._all_lost.set()

    async def send(
        self, request: bytes, *, may_repeat: bool, still_may: Callable[[], bool] | None = None
    ) -> HttpAnswer:
        """Give the answer to a request, all within the time for an answer.

        Waiting for a connection takes its time, so `still_may` is asked in the very step that writes the request.

        A server may close a kept connection at the very moment we write to it. A request that changes nothing when it
        comes twice may then be sent once more on a fresh connection, if no byte of an answer had come.
        """
        until_ms = self._now_ms() + self._answer_ms
        await self._take_slot(until_ms)
        try:
            kept = self._newest_idle()
            if kept is None:
                kept = await self._connect(until_ms)
                may_repeat = False
            if still_may is not None and not still_may():
                self._keep(kept)
                raise NotSentError("called back before it was written")
            try:
                return await self._exchange(kept, request, until_ms)
            except NothingCameError:
                if not may_repeat:
                    raise
            return await self._repeat(request, until_ms)
        finally:
            self._slots.release()

    async def close(self) -> None:
        """Close every connection; who waits for an answer gets none, and nothing is sent from here on."""
        self._is_closed = True
        if self._sweep is not None:
            self._sweep.cancel()
        for connection in tuple(self._open):
            connection.abort()
        await self._all_lost.wait()

    async def _take_slot(self, until_ms: int) -> None:
        if not self._slots.locked():
            await self._slots.acquire()
            return
        try:
            async with asyncio.timeout_at(self._connect_until_ms(until_ms) / 1000):
                await self._slots.acquire()
        except TimeoutError as error:
            raise NotSentError(f"all {CONNECTIONS_MAX} connections are busy") from error

    def _newest_idle(self) -> HttpConnection | None:
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.is_usable:
                return connection
        return None

    async def _exchange(self, connection: HttpConnection, request: bytes, until_ms: int) -> HttpAnswer:
        answer = await connection.exchange(request, until_ms)
        self._keep(connection)
        return answer

    def _keep(self, connection: HttpConnection) -> None:
        """Keep a connection for the next request."""
        if connection.is_usable:
            self._idle[connection] = self._now_ms()
            if self._sweep is None:
                self._sweep = self._loop.call_later(IDLE_MS_MAX / 1000, self._drop_overdue)

    async def _repeat(self, request: bytes, until_ms: int) -> HttpAnswer:
        """Send once more; that nothing left this time says nothing about the first."""
        try:
            connection = await self._connect(until_ms)
        except NotSentError as error:
            raise NoAnswerError(f"the connection ended before an answer; then {error}") from error
        return await self._exchange(connection, request, until_ms)

    async def _connect(self, until_ms: int) -> HttpConnection:
        where = self._address.authority
        try:
            async with asyncio.timeout_at(self._connect_until_ms(until_ms) / 1000):
                connection = await self._dial()
        except TimeoutError as error:
            raise NotSentError(f"no connection to {where} in time") from error
        except (OSError, RuntimeError) as error:  # name, TCP or TLS; uvloop gives some as RuntimeError
            raise NotSentError(f"no connection to {where}: {type(error).__name__}: {error}") from error
        if self._is_closed:
            connection.abort()
        if not connection.is_usable:
            raise NotSentError(f"the connection to {where} was closed at once")
        self._open.add(connection)
        self._all_lost.clear()
        return connection

    async def _dial(self) -> HttpConnection:
        """Resolve, connect to whichever address answers first (uvloop would wait for each in turn), secure."""
        host, port = self._address.host, self._address.port
        found = await self._loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        raw = await start_connection(found, happy_eyeballs_delay=_NEXT_ADDRESS_S)
        _, connection = await self._loop.create_connection(
            lambda: HttpConnection(self._forget), sock=raw, ssl=self._tls, server_hostname=host if self._tls else None
        )
        return connection

    def _forget(self, connection: HttpConnection) -> None:
        """Hear that a connection has ended."""
        self._idle.pop(connection, None)
        self._open.discard(connection)
        if not self._open:
            self._all_lost.set()

    def _drop_overdue(self) -> None:
        """Close what has been idle too long, oldest first, and come back for the next."""
        self._sweep = None
        while self._idle:
            oldest = next(iter(self._idle))
            due_ms = self._idle[oldest] + IDLE_MS_MAX
            if due_ms > self._now_ms():
                self._sweep = self._loop.call_at(due_ms / 1000, self._drop_overdue)
                return
            del self._idle[oldest]
            oldest.abort()

    def _connect_until_ms(self, until_ms: int) -> int:
        return min(self._now_ms() + self._connect_ms, until_ms)

    def _now_ms(self) -> int:
        return int(self._loop.time() * 1000)
