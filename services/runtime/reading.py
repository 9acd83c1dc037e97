"""Reading a journal to a known end, as every process does at its start."""

from collections.abc import AsyncGenerator
from contextlib import aclosing

from services.runtime.ports import Journal, RawJournal, Received, Recorded


async def catch_up(journal: Journal, after: int, upto: int) -> AsyncGenerator[Recorded, None]:
    """Yield the events after one sequence up to another, and end; take `upto` from `journal.last_seq()`."""
    if after >= upto:
        return
    async with aclosing(journal.read(after)) as events:
        async for recorded in events:
            yield recorded
            if recorded.seq >= upto:
                return


async def catch_up_raw(journal: RawJournal, after: int, upto: int) -> AsyncGenerator[Received, None]:
    """Yield the messages after one sequence up to another as they are stored, and end."""
    if after >= upto:
        return
    async with aclosing(journal.read_raw(after)) as messages:
        async for received in messages:
            yield received
            if received.seq >= upto:
                return
