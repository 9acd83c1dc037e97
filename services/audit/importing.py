"""Carries an exported journal into a server that has none, message for message, and proves that it arrived."""

import asyncio
from collections import deque
from collections.abc import Callable

from contracts import subjects
from contracts.ids import AccountId
from projections.chain import extend, genesis
from services.audit.export import ExportFaultError, link
from services.audit.exported import ExportedJournal
from services.runtime import stream_api
from services.runtime.connection import Connection
from services.runtime.jetstream import JetStreamJournal
from services.runtime.nats_wire import PubAck
from services.runtime.ports import JournalUnavailableError, Received
from services.runtime.publisher import Publisher
from services.runtime.reading import catch_up_raw
from services.runtime.topology import ensure

type OnMessage = Callable[[int], object]


class NotEmptyError(Exception):
    """There is a journal already: importing over it would mix two histories."""


async def carry(connection: Connection, exported: ExportedJournal, on_message: OnMessage) -> None:
    """Import as the admin; raise `NotEmptyError` when the journal has a single message, whatever it is.

    Raises `ExportFaultError` when what the server then holds does not give the manifest's chain.
    """
    await ensure(connection.jetstream(), [exported.account])
    state = await stream_api.state(connection, subjects.journal_stream(exported.account))
    if state.last_seq:
        raise NotEmptyError(f"the journal of {exported.account} has {state.last_seq} events already")
    publisher = Publisher(connection)
    waiting: deque[tuple[asyncio.Future[PubAck], Received]] = deque()
    for received in exported.messages:
        await publisher.wait_for_room()
        stored = publisher.start(received.subject, received.body, dict(received.headers) or None)
        waiting.append((stored, received))
        while waiting and waiting[0][0].done():
            await _confirm(*waiting.popleft())
        on_message(received.seq)
    for stored, received in waiting:
        await _confirm(stored, received)
    await _prove(JetStreamJournal(connection, exported.account), exported)


async def _confirm(stored: asyncio.Future[PubAck], received: Received) -> None:
    ack = await stored
    if ack.error is not None:
        raise JournalUnavailableError(f"message {received.seq} was refused: {ack.error.description}")
    if ack.seq != received.seq:
        raise JournalUnavailableError(f"message {received.seq} became {ack.seq}: somebody else writes this journal")


async def _prove(journal: JetStreamJournal, exported: ExportedJournal) -> None:
    chain = genesis(AccountId(exported.account))
    async for received in catch_up_raw(journal, 0, len(exported.messages)):
        chain = extend(chain, link(received))
    if chain.digest.hex() != exported.manifest.chain_head:
        raise ExportFaultError("what the server holds now does not give the chain that the manifest states")
