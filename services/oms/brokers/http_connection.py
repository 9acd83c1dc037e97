"""One connection to one server: one request at a time, and anything out of turn ends it."""

import asyncio
from collections.abc import Callable
from typing import cast

from services.oms.brokers.http_answer import AnswerReader, HttpAnswer, MalformedAnswerError


class NotSentError(Exception):
    """No connection came about: the request certainly never left."""


class NoAnswerError(Exception):
    """The request may have arrived; no answer came in time."""


class NothingCameError(NoAnswerError):
    """The connection ended before the first byte of an answer."""


class HttpConnection(asyncio.Protocol):
    """Writes a request in one piece and reads its answer.

    An answer that never came whole leaves the connection in the middle of something, so it is closed, whatever the
    cause: time-out, cancellation, or bytes that make no sense.
    """

    def __init__(self, on_lost: Callable[["HttpConnection"], None]) -> None:
        """Tell `on_lost` once, when the connection has ended."""
        self._on_lost = on_lost
        self._loop = asyncio.get_running_loop()
        self._reader = AnswerReader()
        self._waiter: asyncio.Future[HttpAnswer] | None = None
        self._is_ready = False
        self._has_heard = False

    @property
    def is_usable(self) -> bool:
        """Say whether a request may be written: connected, between two answers, and nothing came unasked."""
        return self._is_ready and not self._transport.is_closing()

    async def exchange(self, request: bytes, until_ms: int) -> HttpAnswer:
        """Write a request and give its whole answer, or raise `NoAnswerError`; the time is the loop's own."""
        self._waiter = waiter = self._loop.create_future()
        self._is_ready = self._has_heard = False
        timer = self._loop.call_at(until_ms / 1000, self.abort, "no whole answer in time")
        try:
            self._transport.write(request)
            return await waiter
        except asyncio.CancelledError:
            self._is_ready = False  # even if the answer has just come: nobody is there to keep the connection
            raise
        finally:
            timer.cancel()
            self._waiter = None
            if not self._is_ready:
                self._transport.abort()

    def abort(self, reason: str = "the connection was closed") -> None:
        """End the connection now; who waits for an answer gets none."""
        self._is_ready = False
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_exception(NoAnswerError(reason))
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Be ready for the first request; both loops have set TCP_NODELAY."""
        self._transport = cast("asyncio.Transport", transport)
        self._is_ready = True

    def data_received(self, data: bytes) -> None:
        """Read on; bytes that nobody waits for could only be taken for the answer to something else."""
        waiter = self._waiter
        if waiter is None or waiter.done():
            self.abort()
            return
        self._has_heard = True
        try:
            answer = self._reader.feed(data)
        except MalformedAnswerError as error:
            self.abort(str(error))
            return
        if answer is not None:
            self._is_ready = self._reader.keeps_alive
            waiter.set_result(answer)

    def eof_received(self) -> None:
        """Be picked no more: the server will not answer another request."""
        self._is_ready = False

    def connection_lost(self, exc: Exception | None) -> None:
        """End: an answer without a length is whole now, any other will never be."""
        self._is_ready = False
        self._on_lost(self)
        waiter = self._waiter
        if waiter is None or waiter.done():
            return
        answer = self._reader.end() if exc is None else None
        cause = type(exc).__name__ if exc is not None else "closed"
        if answer is not None:
            waiter.set_result(answer)
        elif self._has_heard:
            waiter.set_exception(NoAnswerError(f"the connection ended within the answer: {cause}"))
        else:
            waiter.set_exception(NothingCameError(f"the connection ended before an answer: {cause}"))
