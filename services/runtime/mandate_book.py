"""Mandates as the journal holds them, read and written by people over NATS: each write builds on what it read."""

from collections.abc import Callable
from contextlib import suppress

from contracts import subjects
from contracts.codec import JournalEvent, decode_event
from contracts.ids import AccountId, AgentId
from projections.mandates import MandateEvent, MandateVersion, history, newest
from services.runtime.connection import Connection
from services.runtime.jetstream import JetStreamJournal
from services.runtime.ordered import OrderedReader
from services.runtime.ports import ConflictError, JournalUnavailableError

ATTEMPTS_MAX = 5
"""So often another control may come between reading and writing before we give up."""

type Change = Callable[[MandateVersion | None], MandateEvent]
"""Makes the next version of an agent's mandate out of the one that stands, or raises what speaks against it."""


async def mandates_of(link: Connection, account: AccountId) -> tuple[MandateVersion, ...]:
    """Read every version there is, oldest first."""
    return history((await _controls(link, account))[0])


async def change_mandate(link: Connection, account: AccountId, agent: AgentId, change: Change) -> MandateVersion:
    """Write the next version of an agent's mandate, never over one that was not read; give it back."""
    journal = JetStreamJournal(link, account)
    for _ in range(ATTEMPTS_MAX):
        controls, newest_seq = await _controls(link, account)
        event = change(newest(history(controls), agent))
        with suppress(ConflictError):
            seq = await journal.append(subjects.control(account), event, expected_seq=newest_seq)
            return history([*controls, (seq, event)])[-1]
    raise JournalUnavailableError(f"other controls came in between {ATTEMPTS_MAX} times: try again")


async def _controls(link: Connection, account: AccountId) -> tuple[list[tuple[int, JournalEvent]], int]:
    """Walk the controls alone, which are few, up to the newest; give its sequence too."""
    stream, subject = subjects.journal_stream(account), subjects.control(account)
    newest_control = await JetStreamJournal(link, account).last_on(subject)
    if newest_control is None:
        return [], 0
    found: list[tuple[int, JournalEvent]] = []
    async with OrderedReader(link, stream, 0, subject=subject) as reader:
        while not found or found[-1][0] < newest_control.seq:
            found += [(seq, decode_event(body)) for seq, _, _, body, _ in await reader.next_batch()]
    return found, found[-1][0]
