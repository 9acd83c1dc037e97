"""The ports on JetStream: the journal, the inbox of intents, and snapshots."""

import asyncio
from collections.abc import AsyncGenerator

from contracts import subjects
from contracts.base import Event
from contracts.codec import decode_event, encode
from contracts.ids import AccountId
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.nats_wire import (
    EXPECTED_SEQ_HEADER,
    SUBJECT_FULL,
    TRACE_HEADER,
    WRONG_LAST_SEQUENCE,
    PubAck,
    kept_headers,
    moment,
    subject_text,
)
from services.runtime.ordered import Delivered, OrderedReader
from services.runtime.ports import (
    ConflictError,
    JournalGapError,
    JournalUnavailableError,
    Received,
    Recorded,
    Snapshot,
    is_answerable,
)
from services.runtime.publisher import Publisher
from services.runtime.saved_state import pack, unpack
from services.runtime.telemetry import get_logger

SNAPSHOT_BYTES_MAX = 7_900_000
"""A little below the server's `max_payload` of 8 MiB; the state inside grows by a third in base64."""


class JetStreamJournal:
    """The journal of one account, in its own stream."""

    def __init__(self, connection: Connection, account: AccountId) -> None:
        """Bind to an account; nothing is sent before the first call."""
        self.account = account
        self._connection = connection
        self._stream = subjects.journal_stream(account)
        self._publisher = Publisher(connection)
        self._resolving: set[asyncio.Task[None]] = set()

    async def append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> int:
        """Store one event and return its sequence; see `ports.Journal.append`."""
        body = encode(event)
        acknowledged = await self._publisher.send(subject, body, _headers(expected_seq, traceparent))
        return await self._sequence(acknowledged, subject, body)

    async def wait_for_room(self) -> None:
        """Wait until `start_append` may be called: the ack inbox is open and not too much is unconfirmed."""
        await self._publisher.wait_for_room()

    def start_append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> asyncio.Future[int]:
        """Put one event on the wire before returning; the future gives its sequence once it is durable."""
        body = encode(event)
        acknowledged = self._publisher.start(subject, body, _headers(expected_seq, traceparent))
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        acknowledged.add_done_callback(lambda ack: self._settle(stored, ack, subject, body))
        return stored

    async def read(self, after: int = 0) -> AsyncGenerator[Recorded, None]:
        """Yield every event after a sequence, in order and without gaps, then wait for new ones for ever."""
        await self._refuse_end_before(after)
        async with OrderedReader(self._connection, self._stream, after, contiguous=True) as reader:
            while True:
                for delivered in await reader.next_batch():
                    yield _recorded(delivered)

    async def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield the same messages undecoded."""
        await self._refuse_end_before(after)
        async with OrderedReader(self._connection, self._stream, after, contiguous=True) as reader:
            while True:
                for seq, at_ns, subject, body, headers in await reader.next_batch():
                    yield Received(seq, subject_text(subject), moment(at_ns), body, kept_headers(headers))

    async def _refuse_end_before(self, after: int) -> None:
        last_seq = await self.last_seq()
        if after > last_seq:
            raise JournalGapError(f"{self._stream} ends at {last_seq}, before sequence {after} that we have seen")

    async def last_seq(self) -> int:
        """Give the sequence of the newest event, 0 when there is none."""
        return (await stream_api.state(self._connection, self._stream)).last_seq

    async def last_on(self, subject: str) -> Recorded | None:
        """Give the newest event on one subject."""
        stored = await stream_api.last_message(self._connection, self._stream, subject)
        if stored is None:
            return None
        body = stored.body
        return Recorded(stored.seq, stored.subject, stored.time, decode_event(body), body, stored.headers)

    def _settle(self, stored: asyncio.Future[int], ack: asyncio.Future[PubAck], subject: str, body: bytes) -> None:
        if stored.done():
            return
        error = ack.exception()
        if error is not None:
            stored.set_exception(error)
        elif ack.result().error is None:
            stored.set_result(ack.result().seq)
        else:
            task = asyncio.get_running_loop().create_task(self._resolve(stored, ack.result(), subject, body))
            self._resolving.add(task)
            task.add_done_callback(self._resolving.discard)

    async def _resolve(self, stored: asyncio.Future[int], ack: PubAck, subject: str, body: bytes) -> None:
        try:
            seq = await self._sequence(ack, subject, body)
        except Exception as error:  # noqa: BLE001 - the caller holds the future and gets whatever happened
            if not stored.done():
                stored.set_exception(error)
        else:
            if not stored.done():
                stored.set_result(seq)

    async def _sequence(self, ack: PubAck, subject: str, body: bytes) -> int:
        if ack.error is None:
            return ack.seq
        if ack.error.err_code not in WRONG_LAST_SEQUENCE:
            raise JournalUnavailableError(f"{subject}: {ack.error.description} ({ack.error.err_code})")
        stands = await stream_api.last_message(self._connection, self._stream, subject)
        if stands is not None and stands.body == body:
            return stands.seq  # our own write, confirmed late
        raise ConflictError(subject, 0 if stands is None else stands.seq)


class JetStreamInbox:
    """The intents of one account, out of the stream that all accounts share."""

    def __init__(self, connection: Connection, account: AccountId) -> None:
        """Bind to an account; nothing is sent before the first call."""
        self._connection = connection
        self._filter = subjects.intents_of(account)
        self._publisher = Publisher(connection)

    async def publish(self, subject: str, body: bytes, *, traceparent: str | None = None) -> int:
        """State an intent on an agent's behalf; raise `ConflictError` when this intent id was used before."""
        ack = await self._publisher.send(subject, body, _headers(None, traceparent))
        if ack.error is None:
            return ack.seq
        if ack.error.err_code == SUBJECT_FULL:
            stands = await stream_api.last_message(self._connection, subjects.INTENTS_STREAM, subject)
            raise ConflictError(subject, 0 if stands is None else stands.seq)
        raise JournalUnavailableError(f"{subject}: {ack.error.description} ({ack.error.err_code})")

    async def read(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield every answerable intent after a sequence, then wait for new ones for ever."""
        stream = subjects.INTENTS_STREAM
        async with OrderedReader(self._connection, stream, after, subject=self._filter) as reader:
            while True:
                for seq, at_ns, subject, body, headers in await reader.next_batch():
                    text = subject_text(subject)
                    if is_answerable(text):
                        yield Received(seq, text, moment(at_ns), body, kept_headers(headers))
                    else:
                        get_logger("inbox").warning(
                            "skipped an intent on a malformed subject", seq=seq, subject=text[:200]
                        )

    async def last_seq(self) -> int:
        """Give the sequence of the newest intent of this account, 0 when there is none."""
        stored = await stream_api.last_message(self._connection, subjects.INTENTS_STREAM, self._filter)
        return 0 if stored is None else stored.seq


class NatsSnapshots:
    """Saved states of one process and account, in the key-value bucket of snapshots."""

    def __init__(self, connection: Connection, process: str, account: AccountId) -> None:
        """Bind to a key; nothing is sent before the first call."""
        self._connection = connection
        self._stream = f"KV_{subjects.SNAPSHOTS_BUCKET}"
        self._subject = f"$KV.{subjects.SNAPSHOTS_BUCKET}.{process}.{account}"
        self._publisher = Publisher(connection)

    async def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the few before it."""
        saved = await asyncio.to_thread(pack, snapshot)
        if len(saved) > SNAPSHOT_BYTES_MAX:
            # Losing a snapshot costs time at the next start; ending the process for it would cost more.
            get_logger("snapshots").error("not saved: too large", bytes=len(saved), allowed=SNAPSHOT_BYTES_MAX)
            return
        ack = await self._publisher.send(self._subject, saved)
        if ack.error is not None:
            raise JournalUnavailableError(f"snapshot not saved: {ack.error.description} ({ack.error.err_code})")

    async def load(self, schema: str) -> Snapshot | None:
        """Give the newest snapshot when it has this schema; one of another schema is as good as none."""
        stored = await stream_api.last_message(self._connection, self._stream, self._subject)
        if stored is None:
            return None
        snapshot = unpack(stored.body)
        return snapshot if snapshot is not None and snapshot.schema == schema else None


def _headers(expected_seq: int | None, traceparent: str | None) -> dict[str, str] | None:
    headers: dict[str, str] = {}
    if expected_seq is not None:
        headers[EXPECTED_SEQ_HEADER] = str(expected_seq)
    if traceparent is not None:
        headers[TRACE_HEADER] = traceparent
    return headers or None


def _recorded(delivered: Delivered) -> Recorded:
    seq, at_ns, subject, body, headers = delivered
    return Recorded(seq, subject_text(subject), moment(at_ns), decode_event(body), body, kept_headers(headers))
