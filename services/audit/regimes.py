"""The history of regimes, read from its own stream beside the journal."""

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from contracts import subjects
from contracts.codec import decode_regime
from contracts.market import RegimeChanged
from projections.sql.store import Store
from services.runtime import stream_api
from services.runtime.batches import in_batches
from services.runtime.connection import Connection
from services.runtime.ordered import OrderedReader

BATCH_CHANGES = 500
BATCH_GATHER_MS = 20
IDLE_MS = 1_000

type RegimeAt = tuple[int, RegimeChanged]
"""A sequence of the stream of regimes and the change that stands there."""
type RegimeSource = Callable[[int], AsyncGenerator[RegimeAt, None]]
"""Gives the changes after a sequence, then waits for new ones for ever."""


def regimes_of(connection: Connection) -> RegimeSource:
    """Read the stream of regimes over a link."""

    async def after(seq: int) -> AsyncGenerator[RegimeAt, None]:
        async with OrderedReader(connection, subjects.REGIME_STREAM, seq) as reader:
            while True:
                for at, _, _, body, _ in await reader.next_batch():
                    yield at, decode_regime(body)

    return after


async def known_regimes(connection: Connection, upto_seq: int | None = None) -> AsyncGenerator[RegimeAt, None]:
    """Yield what the stream of regimes holds now (or of that, what stands up to a sequence), and end."""
    newest = await stream_api.last_message(connection, subjects.REGIME_STREAM, "regime.>")
    if newest is None:
        return
    last_seq = newest.seq if upto_seq is None else min(newest.seq, upto_seq)
    async with aclosing(regimes_of(connection)(0)) as changes:
        async for one in changes:
            if one[0] <= last_seq:
                yield one
            if one[0] >= last_seq:
                return


async def follow_regimes(source: RegimeSource, store: Store) -> None:
    """Store regime changes as they come, for ever."""
    changes = source(store.regime_position())
    async with in_batches(changes, size=BATCH_CHANGES, gather_ms=BATCH_GATHER_MS, idle_ms=IDLE_MS) as batches:
        while True:
            batch = await batches.next()
            if batch:
                store.apply_regimes(batch)
