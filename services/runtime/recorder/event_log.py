"""The asynchronous side of the recorders: all-or-nothing inserts and ordered reads of one account's stream."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from eventsourcing.persistence import IntegrityError, OperationalError, ProgrammingError, StoredEvent

from contracts import subjects
from contracts.ids import AccountId
from services.runtime import ids, stream_api
from services.runtime.connection import Connection
from services.runtime.nats_wire import EXPECTED_SEQ_HEADER, WRONG_LAST_SEQUENCE, PubAck, subject_text
from services.runtime.ordered import OrderedReader
from services.runtime.ports import JournalUnavailableError
from services.runtime.publisher import Publisher
from services.runtime.recorder import messages

BATCH_EVENTS_MAX = 1_000
"""The server's own bound on an atomic batch."""
RACES_MAX = 5
"""How often an insert is tried again when other writers moved its aggregates, but not past its versions."""

type Message = tuple[int, str, bytes]
"""Stream sequence, subject and body."""


class _RacedError(Exception):
    """Somebody wrote on one of the subjects between our look and our write."""


@dataclass(frozen=True, slots=True)
class _Outgoing:
    subject: str
    body: bytes
    expected_seq: int | None
    """What the subject must stand at; only an aggregate's first message in a batch may say so."""


class EventLog:
    """One account's stream as a log of aggregates."""

    def __init__(self, connection: Connection, account: AccountId) -> None:
        """Bind to an account; nothing is sent before the first call."""
        self.account = account
        self.stream = subjects.journal_stream(account)
        self.connection = connection
        self._publisher = Publisher(connection)

    async def insert(self, purpose: str, events: Sequence[StoredEvent]) -> list[int]:
        """Store all events or none, and give their sequences, which follow each other without a gap.

        Raises the library's `IntegrityError` when an aggregate already stands at or past one of the versions.
        """
        if len(events) > BATCH_EVENTS_MAX:
            raise ProgrammingError(f"{len(events)} events in one insert; the server takes {BATCH_EVENTS_MAX}")
        insert = ids.new_insert_id()
        for _ in range(RACES_MAX):
            outgoing = await self._outgoing(purpose, events, insert)
            try:
                return await self._store(outgoing, insert)
            except _RacedError:
                continue
        raise OperationalError(f"{RACES_MAX} other writers came first, one after the other")

    async def last(self, subject: str) -> stream_api.StoredMessage | None:
        """Give the newest message on a subject or filter."""
        return await stream_api.last_message(self.connection, self.stream, subject)

    async def read(self, subject: str, *, after: int = 0) -> AsyncGenerator[Message, None]:
        """Yield what stands on a subject or filter now, in order, and end there."""
        newest = await self.last(subject)
        if newest is None or newest.seq <= after:
            return
        async with OrderedReader(self.connection, self.stream, after, subject=subject) as reader:
            while True:
                for seq, _, told, body, _ in await reader.next_batch():
                    yield seq, subject_text(told), body
                    if seq >= newest.seq:
                        return

    async def _outgoing(self, purpose: str, events: Sequence[StoredEvent], insert: str) -> list[_Outgoing]:
        where = [messages.subject_of(self.account, purpose, event.originator_id) for event in events]
        once = list(dict.fromkeys(where))
        stands = dict(zip(once, await asyncio.gather(*map(self.last, once)), strict=True))
        versions = {subject: _version(stored) for subject, stored in stands.items()}
        outgoing: list[_Outgoing] = []
        opened = set[str]()
        for subject, event in zip(where, events, strict=True):
            last = versions[subject]
            if last is not None and event.originator_version <= last:
                raise IntegrityError(f"{event.originator_id} already stands at version {last}")
            versions[subject] = event.originator_version
            stored = stands[subject]
            expected = None if subject in opened else 0 if stored is None else stored.seq
            opened.add(subject)
            outgoing.append(_Outgoing(subject, messages.saved_body(event, insert), expected))
        return outgoing

    async def _store(self, outgoing: Sequence[_Outgoing], insert: str) -> list[int]:
        *first, last = outgoing
        for number, message in enumerate(first, start=1):
            headers = _expecting(message) | _in_batch(insert, number)
            self.connection.publish_now(message.subject, message.body, headers=headers)
        headers = _expecting(last)
        if first:
            headers |= _in_batch(insert, len(outgoing)) | {"Nats-Batch-Commit": "1"}
        try:
            ack = await self._publisher.send(last.subject, last.body, headers)
        except JournalUnavailableError:
            seq = await self._seq_of_own(last.subject, insert)
        else:
            seq = _confirmed(ack)
        return list(range(seq - len(outgoing) + 1, seq + 1))

    async def _seq_of_own(self, subject: str, insert: str) -> int:
        """Look whether an insert that was not confirmed in time was stored all the same."""
        stands = await self.last(subject)
        found = None if stands is None else messages.saved(stands.body)
        if stands is None or found is None or found.insert != insert:
            raise OperationalError(f"{subject}: not confirmed, and not found when looked up")
        return stands.seq


def _version(stored: stream_api.StoredMessage | None) -> int | None:
    found = None if stored is None else messages.saved(stored.body)
    return None if found is None else found.version


def _in_batch(insert: str, number: int) -> dict[str, str]:
    return {"Nats-Batch-Id": insert, "Nats-Batch-Sequence": str(number)}


def _expecting(message: _Outgoing) -> dict[str, str]:
    return {} if message.expected_seq is None else {EXPECTED_SEQ_HEADER: str(message.expected_seq)}


def _confirmed(ack: PubAck) -> int:
    if ack.error is None:
        return ack.seq
    if ack.error.err_code in WRONG_LAST_SEQUENCE:
        raise _RacedError
    raise OperationalError(f"{ack.error.description} ({ack.error.err_code})")
