"""In-memory twins of the ports: the same promises, no server; for tests and simulation."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import date, datetime, timedelta

from contracts import subjects
from contracts.base import Event
from contracts.codec import decode_event, encode
from contracts.ids import AccountId
from contracts.intents import INTENT_BYTES_MAX
from services.runtime.clock import trading_day
from services.runtime.nats_wire import TRACE_HEADER
from services.runtime.ports import (
    Clock,
    ConflictError,
    JournalGapError,
    JournalUnavailableError,
    Received,
    Recorded,
    Snapshot,
    is_answerable,
)

SNAPSHOTS_KEPT = 3


class ManualClock:
    """A clock that moves only when told."""

    def __init__(self, start: datetime) -> None:
        """Stand at a moment."""
        self._now = start
        self._monotonic_ms = 0

    def advance(self, by: timedelta) -> None:
        """Move forward."""
        self._now += by
        self._monotonic_ms += by // timedelta(milliseconds=1)

    def set(self, at: datetime) -> None:
        """Jump to a moment, which may lie in the past, as clocks in the world do; waits are not affected."""
        self._now = at

    def now(self) -> datetime:
        """Give the moment at which the clock stands."""
        return self._now

    def monotonic_ms(self) -> int:
        """Give the milliseconds advanced so far."""
        return self._monotonic_ms

    def trading_day(self, at: datetime) -> date:
        """Give the exchange's (New York) calendar day of a moment."""
        return trading_day(at)


class _Bell:
    """Wakes everybody who waits for the next message."""

    def __init__(self) -> None:
        self._waiting: set[asyncio.Future[None]] = set()

    def ring(self) -> None:
        for future in self._waiting:
            if not future.done():
                future.set_result(None)
        self._waiting.clear()

    async def wait(self) -> None:
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.add(future)
        try:
            await future
        finally:
            self._waiting.discard(future)


class MemoryJournal:
    """The journal of one account in a list; what is read has been through the codec, as on the wire."""

    def __init__(self, account: AccountId, clock: Clock) -> None:
        """Begin empty."""
        self.account = account
        self.events: list[Recorded] = []
        self._clock = clock
        self._last_on: dict[str, int] = {}
        self._bell = _Bell()

    async def append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> int:
        """Store one event and return its sequence; see `ports.Journal.append`."""
        return self._store(subject, encode(event), expected_seq, traceparent)

    async def wait_for_room(self) -> None:
        """There is always room."""

    def start_append(
        self, subject: str, event: Event, *, expected_seq: int | None = None, traceparent: str | None = None
    ) -> asyncio.Future[int]:
        """Store one event before returning; the future gives its sequence or the conflict."""
        stored: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        try:
            stored.set_result(self._store(subject, encode(event), expected_seq, traceparent))
        except ConflictError as error:
            stored.set_exception(error)
        return stored

    async def read(self, after: int = 0) -> AsyncGenerator[Recorded, None]:
        """Yield every event after a sequence, in order and without gaps, then wait for new ones for ever."""
        if after > len(self.events):
            raise JournalGapError(
                f"the journal ends at {len(self.events)}, before sequence {after} that we have seen"
            )
        at = after
        while True:
            while at < len(self.events):
                at += 1
                yield self.events[at - 1]
            await self._bell.wait()

    async def read_raw(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield the same messages undecoded."""
        async with aclosing(self.read(after)) as recorded:
            async for one in recorded:
                yield Received(one.seq, one.subject, one.at, one.body, one.headers)

    async def last_seq(self) -> int:
        """Give the sequence of the newest event, 0 when there is none."""
        return len(self.events)

    async def last_on(self, subject: str) -> Recorded | None:
        """Give the newest event on one subject."""
        seq = self._last_on.get(subject, 0)
        return self.events[seq - 1] if seq else None

    def _store(self, subject: str, body: bytes, expected_seq: int | None, traceparent: str | None) -> int:
        if not subject.startswith(subjects.journal_all(self.account).removesuffix(">")):
            raise JournalUnavailableError(f"no stream takes {subject}")
        last = self._last_on.get(subject, 0)
        if expected_seq is not None and expected_seq != last:
            if last and self.events[last - 1].body == body:
                return last
            raise ConflictError(subject, last)
        seq = len(self.events) + 1
        at = self._clock.now()
        self.events.append(Recorded(seq, subject, at, decode_event(body), body, _headers(traceparent)))
        self._last_on[subject] = seq
        self._bell.ring()
        return seq


class MemoryInbox:
    """The intents of one account in a list; other accounts' may be published too and are not shown."""

    def __init__(self, account: AccountId, clock: Clock) -> None:
        """Begin empty."""
        self.account = account
        self._clock = clock
        self._messages: list[Received] = []
        self._taken: dict[str, int] = {}
        self._bell = _Bell()

    async def publish(self, subject: str, body: bytes, *, traceparent: str | None = None) -> int:
        """State an intent and return its sequence; raise `ConflictError` when its id was used before."""
        if len(body) > INTENT_BYTES_MAX or not subject.startswith("intent."):
            raise JournalUnavailableError(f"{subject}: no stream takes this message of {len(body)} bytes")
        if subject in self._taken:
            raise ConflictError(subject, self._taken[subject])
        seq = len(self._messages) + 1
        self._messages.append(Received(seq, subject, self._clock.now(), body, _headers(traceparent)))
        self._taken[subject] = seq
        self._bell.ring()
        return seq

    async def read(self, after: int = 0) -> AsyncGenerator[Received, None]:
        """Yield every answerable intent after a sequence, then wait for new ones for ever."""
        at = after
        while True:
            while at < len(self._messages):
                at += 1
                if self._is_ours(self._messages[at - 1]):
                    yield self._messages[at - 1]
            await self._bell.wait()

    async def last_seq(self) -> int:
        """Give the sequence of the newest intent of this account, 0 when there is none."""
        return next((m.seq for m in reversed(self._messages) if self._is_ours(m)), 0)

    def _is_ours(self, message: Received) -> bool:
        return message.subject.startswith(f"intent.{self.account}.") and is_answerable(message.subject)


class MemorySnapshots:
    """The last few snapshots of one process."""

    def __init__(self) -> None:
        """Begin with none."""
        self._saved: list[Snapshot] = []

    async def save(self, snapshot: Snapshot) -> None:
        """Keep a snapshot beside the few before it."""
        self._saved = [*self._saved[-SNAPSHOTS_KEPT + 1 :], snapshot]

    async def load(self, schema: str) -> Snapshot | None:
        """Give the newest snapshot when it has this schema; one of another schema is as good as none."""
        return self._saved[-1] if self._saved and self._saved[-1].schema == schema else None


class MemoryLease:
    """A right to write that is held until it is released or taken away."""

    def __init__(self, epoch: int) -> None:
        """Hold the right under an epoch."""
        self.epoch = epoch
        self._held = True

    def held(self) -> bool:
        """Say whether the right is still ours."""
        return self._held

    async def release(self) -> None:
        """Give the right back."""
        self._held = False

    def take_away(self) -> None:
        """Do what a successor does."""
        self._held = False


def _headers(traceparent: str | None) -> tuple[tuple[str, str], ...]:
    return () if traceparent is None else ((TRACE_HEADER, traceparent),)
