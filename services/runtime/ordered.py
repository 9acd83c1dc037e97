"""Reads a stream in order and without gaps, for ever: an ordered consumer that heals itself.

The server pushes with flow control; a missing message, a silence or a restored link throws the consumer away and
starts a new one after the last message handed out. Nothing is durable at the server: acknowledgements only let it
send on. Flow control alone lets 32 MB come ahead, seconds of folding behind which leases would not be renewed.
"""

import asyncio
from collections import deque
from typing import Any, Self

from nats.aio.subscription import Subscription

from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.nats_wire import ACK_PREFIX, FLOW_PREFIX, STALLED_HEADER, delivery, header_value
from services.runtime.ports import JournalGapError, JournalUnavailableError

HEARTBEAT_S = 1.0
SILENCE_S_MAX = 2.5 * HEARTBEAT_S
CONSUMER_IDLE_S = 10.0
BATCH_MAX = 512
AHEAD_MAX = 2 * BATCH_MAX
"""So many messages may come before the first is taken: whatever else comes over the link waits behind them."""
NEVER_S = 86_400.0
"""How long the server waits for a confirmation before it gives a message up; nothing is ever sent twice."""
RESTARTS_MAX = 20
"""Attempts while the link is up; while it is down a reader just waits, or ends with the link."""
RESTART_WAIT_S = 0.25
_NS = 1_000_000_000

type Arrival = tuple[bytes, bytes, bytes, bytes | None]
type Delivered = tuple[int, int, bytes, bytes, bytes | None]
"""Stream sequence, server time in ns, subject, body, raw headers."""


class OrderedReader:
    """One ordered subscription on one stream; use as an async context manager."""

    def __init__(
        self, connection: Connection, stream: str, after: int, *, subject: str | None = None, contiguous: bool = False
    ) -> None:
        """Read after a sequence; `contiguous` is for readers of a whole stream that never deletes."""
        self._connection = connection
        self._stream = stream
        self._subject = subject
        self._contiguous = contiguous
        self._last_seq = after
        self._delivered = 0
        self._acknowledged = 0
        self._arrived: deque[Arrival] = deque()
        self._wake: asyncio.Future[None] | None = None
        self._subscription: Subscription | None = None
        self._stale = True
        self._backlogged = False

    async def __aenter__(self) -> Self:
        """Listen for the link; the consumer itself starts with the first batch."""
        self._stop_listening = self._connection.listen(down=self._link_changed, up=self._link_changed)
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the subscription; the server drops the consumer when it notices."""
        self._stop_listening()
        await self._unsubscribe()

    async def next_batch(self) -> list[Delivered]:
        """Wait for messages and give all that have come, at most `BATCH_MAX`, never an empty list."""
        if self._backlogged:
            await asyncio.sleep(0)  # a long replay must not keep leases, health or the kill switch waiting
        while True:
            if self._stale:
                await self._restart()
            batch = self._take()
            if batch:
                self._backlogged = len(batch) == BATCH_MAX
                return batch
            if not self._arrived and not self._stale:
                await self._wait()

    def _take(self) -> list[Delivered]:
        batch: list[Delivered] = []
        arrived = self._arrived
        while arrived and len(batch) < BATCH_MAX:
            subject, reply, body, headers = arrived.popleft()
            if not reply.startswith(ACK_PREFIX):
                self._control(reply, headers)
                continue
            seq, consumer_seq, at_ns = delivery(reply)
            if consumer_seq != self._delivered + 1:
                self._stale = True
                break
            self._check(seq)
            self._delivered = consumer_seq
            self._last_seq = seq
            self._let_send_on(reply)
            batch.append((seq, at_ns, subject, body, headers))
        return batch

    def _let_send_on(self, reply: bytes) -> None:
        """Acknowledge all up to here, when half of what may be ahead was taken."""
        if self._delivered - self._acknowledged >= AHEAD_MAX // 2:
            self._acknowledged = self._delivered
            self._connection.publish_now(reply.decode(), b"")

    def _check(self, seq: int) -> None:
        if seq <= self._last_seq or (self._contiguous and seq != self._last_seq + 1):
            raise JournalGapError(f"{self._stream} went from sequence {self._last_seq} to {seq}")

    def _control(self, reply: bytes, headers: bytes | None) -> None:
        if reply.startswith(FLOW_PREFIX):
            self._connection.publish_now(reply.decode(), b"")
        elif headers is not None and (stalled := header_value(headers, STALLED_HEADER)):
            self._connection.publish_now(stalled, b"")

    async def _wait(self) -> None:
        self._wake = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(SILENCE_S_MAX):
                await self._wake
        except TimeoutError:
            self._stale = True
        finally:
            self._wake = None

    def _arrive(self, subject: bytes, reply: bytes, body: bytes, headers: bytes | None) -> None:
        self._arrived.append((subject, reply, body, headers))
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _link_changed(self) -> None:
        self._stale = True
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    async def _restart(self) -> None:
        failure: Exception | None = None
        for _ in range(RESTARTS_MAX):
            await self._connection.wait_until_up_or_closed()
            if self._connection.is_closed:
                raise JournalUnavailableError(f"the link closed while reading {self._stream}")
            try:
                await self._start()
            except (JournalUnavailableError, stream_api.RefusedError) as error:
                failure = error
                await asyncio.sleep(RESTART_WAIT_S)
            else:
                return
        raise JournalUnavailableError(f"{self._stream} cannot be read: {failure}")

    async def _start(self) -> None:
        await self._unsubscribe()
        self._arrived.clear()
        self._delivered = self._acknowledged = 0
        self._stale = False
        inbox = self._connection.new_inbox()
        self._subscription = await self._connection.subscribe_raw(inbox, self._arrive)
        await stream_api.create_consumer(self._connection, self._stream, self._consumer(inbox))

    async def _unsubscribe(self) -> None:
        if self._subscription is not None:
            subscription, self._subscription = self._subscription, None
            await self._connection.unsubscribe_raw(subscription)

    def _consumer(self, inbox: str) -> dict[str, Any]:
        config: dict[str, Any] = {
            "deliver_subject": inbox,
            "deliver_policy": "by_start_sequence",
            "opt_start_seq": self._last_seq + 1,
            "ack_policy": "all",
            "ack_wait": int(NEVER_S * _NS),
            "max_ack_pending": AHEAD_MAX,
            "max_deliver": 1,
            "replay_policy": "instant",
            "flow_control": True,
            "idle_heartbeat": int(HEARTBEAT_S * _NS),
            "inactive_threshold": int(CONSUMER_IDLE_S * _NS),
            "num_replicas": 1,
            "mem_storage": True,
        }
        return config if self._subject is None else config | {"filter_subject": self._subject}
