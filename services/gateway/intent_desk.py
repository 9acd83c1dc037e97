"""Where intents are stated: the stream in which the server itself keeps one message for each intent id."""

from typing import Protocol

from contracts import subjects
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.ports import Inbox


class IntentDesk(Protocol):
    """States intents, and shows what was stated before."""

    async def publish(self, subject: str, body: bytes, *, traceparent: str) -> int:
        """Store an intent and return its sequence; raise `ConflictError` when its id was used before."""
        ...

    async def stated(self, subject: str) -> bytes | None:
        """Give what was stated on a subject, None when nothing was or the stream has forgotten it."""
        ...


class JetStreamIntentDesk:
    """The desk on JetStream."""

    def __init__(self, connection: Connection, inbox: Inbox) -> None:
        """Bind to a connection; nothing is sent before the first call."""
        self._connection = connection
        self._inbox = inbox

    async def publish(self, subject: str, body: bytes, *, traceparent: str) -> int:
        """Store an intent and return its sequence; raise `ConflictError` when its id was used before."""
        return await self._inbox.publish(subject, body, traceparent=traceparent)

    async def stated(self, subject: str) -> bytes | None:
        """Give what was stated on a subject, as the stream's leader has it."""
        stored = await stream_api.last_message(self._connection, subjects.INTENTS_STREAM, subject)
        return None if stored is None else stored.body
