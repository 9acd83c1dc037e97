"""What processes need of the outside: a journal to write and read, an inbox to read, a lease, snapshots, a clock.

Each port has a JetStream implementation and an in-memory twin; both pass the suite in `tests/conformance`.
"""

import asyncio
from collections.abc import AsyncGenerator
from datetime import date, datetime
from typing import Protocol

import msgspec

from contracts import subjects
from contracts.base import Event
from contracts.codec import JournalEvent
from contracts.ids import AccountId


class ConflictError(Exception):
    """Somebody wrote on this subject first; `last_seq` is the sequence that stands there now."""

    def __init__(self, subject: str, last_seq: int) -> None:
        """Remember where the conflict is."""
        super().__init__(f"{subject} already stands at sequence {last_seq}")
        self.subject = subject
        self.last_seq = last_seq


class JournalUnavailableError(Exception):
    """The journal did not confirm in time; whether it stored the event is unknown, so the process must restart."""


class JournalGapError(Exception):
    """A sequence is missing or comes twice: the journal is not what it was, so the process must not go on."""


class LeaseLostError(Exception):
    """Another owner may write now; this process must stop at once."""


class Received(msgspec.Struct, frozen=True):
    """One raw message of a stream: its sequence, the server's time, and the bytes as they came."""

    seq: int
    subject: str
    at: datetime
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class Recorded(msgspec.Struct, frozen=True):
    """One journal event with its place in the journal."""

    seq: int
    subject: str
    at: datetime
    event: JournalEvent
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class RawJournal(Protocol):
    """A journal, or a copy of one, as those see it who judge its bytes."""

    account: AccountId

    def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield every message after a sequence as the bytes that it is, in order and without gaps.

        A live journal then waits for new ones for ever, a copy ends. Raises `JournalGapError` on a missing sequence,
        also when the journal ends before `after`.
        """
        ...

    async def last_seq(self) -> int:
        """Give the sequence of the newest event, 0 when there is none."""
        ...


class Journal(RawJournal, Protocol):
    """The ordered facts of one account."""

    async def append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> int:
        """Store one event and return its sequence; it is durable when this returns.

        `expected_seq` is the last sequence on this subject that the writer knows (0: none). Calls reach the
        stream in the order in which they were started, however many are in flight; if one fails, none started
        after it may be taken as ordered, so the process stops. Raises `ConflictError` when the subject stands
        elsewhere (unless what stands there is this very event: then its sequence is returned),
        `JournalUnavailableError` when no confirmation came.
        """
        ...

    async def wait_for_room(self) -> None:
        """Wait until `start_append` may be called; needed once before the first call, and before each burst."""
        ...

    def start_append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> asyncio.Future[int]:
        """Like `append`, but on its way to the stream before this returns; the future gives the sequence.

        Raises `JournalUnavailableError` at once when too much is unconfirmed already.
        """
        ...

    def read(self, after: int = 0) -> AsyncGenerator[Recorded, None]:
        """Yield every event after a sequence, in order and without gaps, then wait for new ones for ever.

        Raises `UndecodableError` on a body of no known kind and `JournalGapError` on a missing sequence, also
        when the journal ends before `after`.
        """
        ...

    async def last_on(self, subject: str) -> Recorded | None:
        """Give the newest event on one subject."""
        ...


def is_answerable(subject: str) -> bool:
    """Say whether an intent's subject follows the grammar, so that a decision on it has a subject too."""
    try:
        subjects.parse_intent(subject)
    except subjects.BadSubjectError:
        return False
    return True


class Inbox(Protocol):
    """The intents stated to one account, in the order in which the server stored them."""

    async def publish(self, subject: str, body: bytes, *, traceparent: str | None = None) -> int:
        """State an intent and return its sequence; raise `ConflictError` when its id was used before."""
        ...

    def read(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield every answerable intent after a sequence, then wait for new ones for ever.

        A message is answerable when its subject follows the grammar; on any other, no decision could be
        written, so it is logged and skipped. Bodies are any bytes.
        """
        ...

    async def last_seq(self) -> int:
        """Give the sequence of the newest intent of this account, 0 when there is none."""
        ...


class Snapshot(msgspec.Struct, frozen=True):
    """A state as it stood after folding the journal up to a sequence, under a named schema."""

    sequence: int
    schema: str
    state: bytes


class Snapshots(Protocol):
    """Saved states of one process; losing them costs time, never truth."""

    async def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the few before it."""
        ...

    async def load(self, schema: str) -> Snapshot | None:
        """Give the newest snapshot of this schema; one of another schema is as good as none."""
        ...


class Lease(Protocol):
    """The exclusive right of one role to write for one account, renewed in the background."""

    epoch: int

    def held(self) -> bool:
        """Say, by the local monotonic clock alone, whether the right is certainly still ours."""
        ...

    async def release(self) -> None:
        """Give the right back, so that a successor need not wait."""
        ...


class Clock(Protocol):
    """The only source of time."""

    def now(self) -> datetime:
        """Give the present moment in UTC."""
        ...

    def monotonic_ms(self) -> int:
        """Give milliseconds that never go back, for measuring waits."""
        ...

    def trading_day(self, at: datetime) -> date:
        """Give the exchange's (New York) calendar day of a moment."""
        ...
