"""Carries an exported journal into a server that has none, message for message, and proves that it arrived."""

import asyncio
from collections.abc import Callable, Sequence
from itertools import batched

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

AT_ONCE = 256
CONFIRMED_S_MAX = 60.0
"""A server that brings each message to the disk, on a busy machine, takes its time; an import can wait."""

type OnMessage = Callable[[int], object]


class NotEmptyError(Exception):
    """There is a journal already: importing over it would mix two histories."""


async def carry(connection: Connection, exported: ExportedJournal, on_message: OnMessage) -> None:
    """Import as the admin; raise `NotEmptyError` when the journal has a single message, whatever it is.

    `on_message` hears of each message twice, when it is sent and when it is read back. Raises `ExportFaultError` when
    what the server then holds does not give the manifest's chain.
    """
    await ensure(connection.jetstream(), [exported.account])
    state = await stream_api.state(connection, subjects.journal_stream(exported.account))
    if state.last_seq:
        raise NotEmptyError(f"the journal of {exported.account} has {state.last_seq} events already")
    publisher = Publisher(connection, ack_timeout_s=CONFIRMED_S_MAX)
    for some in batched(exported.messages, AT_ONCE):
        await publisher.wait_for_room()
        stored = [publisher.start(one.subject, one.body, dict(one.headers) or None) for one in some]
        _refuse_strangers(some, await asyncio.gather(*stored))
        on_message(some[-1].seq)
    await _prove(JetStreamJournal(connection, exported.account), exported, on_message)


def _refuse_strangers(sent: Sequence[Received], acks: Sequence[PubAck]) -> None:
    for received, ack in zip(sent, acks, strict=True):
        if ack.error is not None:
            raise JournalUnavailableError(f"message {received.seq} was refused: {ack.error.description}")
        if ack.seq != received.seq:
            raise JournalUnavailableError(f"message {received.seq} became {ack.seq}: somebody else writes there")


async def _prove(journal: JetStreamJournal, exported: ExportedJournal, on_message: OnMessage) -> None:
    chain, carried = genesis(AccountId(exported.account)), len(exported.messages)
    async for received in catch_up_raw(journal, 0, carried):
        chain = extend(chain, link(received))
        on_message(carried + received.seq)
    if chain.digest.hex() != exported.manifest.chain_head:
        raise ExportFaultError("what the server holds now does not give the chain that the manifest states")
