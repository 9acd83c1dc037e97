"""The few JetStream API calls that the runtime makes, typed; every one is answered by the stream's leader.

Direct gets are not used here: followers may answer them, so they do not promise to see one's own writes.
"""

import base64
from datetime import datetime
from typing import Any

import msgspec
from nats.errors import Error as NatsError

from services.runtime.connection import Connection
from services.runtime.nats_wire import NO_MESSAGE, ApiError, kept_headers
from services.runtime.ports import JournalUnavailableError

API_TIMEOUT_S = 5.0


class RefusedError(Exception):
    """The JetStream API answered with an error."""

    def __init__(self, call: str, error: ApiError) -> None:
        """Keep the server's own code and words."""
        super().__init__(f"{call}: {error.description} ({error.err_code})")
        self.error = error


class StoredMessage(msgspec.Struct, frozen=True):
    """One message as the stream holds it; `data` and `hdrs` are base64."""

    subject: str
    seq: int
    told_time: str = msgspec.field(name="time")
    data: str = ""
    hdrs: str = ""

    @property
    def time(self) -> datetime:
        """Give the server's time cut to microseconds, as a delivered message tells it (msgspec would round)."""
        return datetime.fromisoformat(self.told_time)

    @property
    def body(self) -> bytes:
        """Give the stored bytes."""
        return base64.b64decode(self.data)

    @property
    def raw_headers(self) -> bytes:
        """Give the stored header block."""
        return base64.b64decode(self.hdrs)

    @property
    def headers(self) -> tuple[tuple[str, str], ...]:
        """Give the headers that mean anything to a reader."""
        return kept_headers(self.raw_headers)


class StreamState(msgspec.Struct, frozen=True):
    """How far a stream reaches."""

    first_seq: int
    last_seq: int


class _Reply(msgspec.Struct, frozen=True):
    error: ApiError | None = None
    message: StoredMessage | None = None
    state: StreamState | None = None


_decoder = msgspec.json.Decoder(_Reply)


async def last_message(connection: Connection, stream: str, subject: str) -> StoredMessage | None:
    """Read the newest message on a subject or filter."""
    try:
        reply = await _call(connection, f"STREAM.MSG.GET.{stream}", {"last_by_subj": subject})
    except RefusedError as refused:
        if refused.error.err_code == NO_MESSAGE:
            return None
        raise
    return reply.message


async def state(connection: Connection, stream: str) -> StreamState:
    """Read how far a stream reaches."""
    reply = await _call(connection, f"STREAM.INFO.{stream}", {})
    if reply.state is None:
        raise JournalUnavailableError(f"stream {stream} gave no state")
    return reply.state


async def create_consumer(connection: Connection, stream: str, config: dict[str, Any]) -> None:
    """Create a short-lived consumer under a name the server chooses."""
    await _call(connection, f"CONSUMER.CREATE.{stream}", {"stream_name": stream, "config": config})


async def _call(connection: Connection, call: str, arguments: dict[str, Any]) -> _Reply:
    body = msgspec.json.encode(arguments) if arguments else b""
    try:
        message = await connection.request(f"$JS.API.{call}", body, timeout=API_TIMEOUT_S)
    except (NatsError, OSError) as error:
        raise JournalUnavailableError(f"{call}: {error!r}") from error
    reply = _decoder.decode(message.data)
    if reply.error is not None:
        raise RefusedError(call, reply.error)
    return reply
