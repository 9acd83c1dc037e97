"""Publishes in call order with many acknowledgements in flight.

One wildcard inbox collects the acks, a table of futures waits for them. nats-py's `publish_async` is not used: it
loses errors and leaves futures pending for ever when the link breaks.
"""

import asyncio

import msgspec

from services.runtime.connection import Connection
from services.runtime.nats_wire import PubAck
from services.runtime.ports import JournalUnavailableError

ACK_TIMEOUT_S = 5.0
IN_FLIGHT_MAX = 2_048
"""Below the server's inbound limits (100,000 messages, 128 MB a stream) for messages of up to 60 KB."""

_ack_decoder = msgspec.json.Decoder(PubAck)


class Publisher:
    """A way out of one connection: every publish has a future of the server's acknowledgement."""

    def __init__(self, connection: Connection, *, ack_timeout_s: float = ACK_TIMEOUT_S) -> None:
        """Prepare; nothing is subscribed before `open`."""
        self._connection = connection
        self._ack_timeout_s = ack_timeout_s
        self._waiting: dict[bytes, asyncio.Future[PubAck]] = {}
        self._count = 0
        self._queued = 0
        self._turn = asyncio.Lock()
        self._room = asyncio.Event()
        self._inbox = connection.new_inbox()
        self._opened = False

    async def open(self) -> None:
        """Subscribe the inbox once; further calls do nothing."""
        async with self._turn:
            await self._open()

    async def send(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> PubAck:
        """Publish when there is room, in the order of calls, and wait for the acknowledgement."""
        self._queued += 1
        try:
            async with self._turn:
                await self._open()
                await self._wait_for_room()
                acknowledged = self._publish(subject, body, headers)
        finally:
            self._queued -= 1
        return await acknowledged

    @property
    def has_room(self) -> bool:
        """Say whether one more message may go out now without overtaking one that waits."""
        return self._opened and not self._queued and len(self._waiting) < IN_FLIGHT_MAX

    async def wait_for_room(self) -> None:
        """Wait until `start` may be called."""
        while not self.has_room:
            async with self._turn:
                await self._open()
                await self._wait_for_room()

    def start(self, subject: str, body: bytes, headers: dict[str, str] | None = None) -> asyncio.Future[PubAck]:
        """Publish before returning; raise `JournalUnavailableError` when too much is unconfirmed already."""
        if not self.has_room:
            raise JournalUnavailableError(f"not open, or {IN_FLIGHT_MAX} messages unconfirmed: wait_for_room first")
        return self._publish(subject, body, headers)

    async def _open(self) -> None:
        if not self._opened:
            await self._connection.subscribe_raw(f"{self._inbox}.*", self._acknowledged)
            self._connection.listen(down=self._link_lost, up=lambda: None)
            self._opened = True

    async def _wait_for_room(self) -> None:
        while len(self._waiting) >= IN_FLIGHT_MAX:
            self._room.clear()
            await self._room.wait()

    def _publish(self, subject: str, body: bytes, headers: dict[str, str] | None) -> asyncio.Future[PubAck]:
        self._count += 1
        token = b"%d" % self._count
        self._connection.publish_now(subject, body, reply=f"{self._inbox}.{self._count}", headers=headers)
        loop = asyncio.get_running_loop()
        future: asyncio.Future[PubAck] = loop.create_future()
        timer = loop.call_later(self._ack_timeout_s, self._timed_out, token, subject)
        self._waiting[token] = future
        future.add_done_callback(lambda _: self._settled(token, timer))
        return future

    def _settled(self, token: bytes, timer: asyncio.TimerHandle) -> None:
        timer.cancel()
        self._waiting.pop(token, None)
        self._room.set()

    def _acknowledged(self, subject: bytes, _reply: bytes, body: bytes, _headers: bytes | None) -> None:
        future = self._waiting.get(subject.rpartition(b".")[2])
        if future is None or future.done():
            return
        if not body:
            future.set_exception(JournalUnavailableError("no stream takes this subject"))
            return
        try:
            future.set_result(_ack_decoder.decode(body))
        except msgspec.DecodeError as error:
            future.set_exception(JournalUnavailableError(f"unreadable acknowledgement: {error}"))

    def _timed_out(self, token: bytes, subject: str) -> None:
        future = self._waiting.get(token)
        if future is not None and not future.done():
            future.set_exception(JournalUnavailableError(f"{subject} not confirmed within {self._ack_timeout_s:g} s"))

    def _link_lost(self) -> None:
        for future in tuple(self._waiting.values()):
            if not future.done():
                future.set_exception(JournalUnavailableError("the link broke before the confirmation came"))
