"""What the gateway knows: the journal of its account, folded and followed live. It holds no truth of its own."""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import contextmanager
from datetime import datetime
from typing import NamedTuple

import msgspec

from contracts.decisions import Decision
from contracts.enums import Role
from projections import account
from projections.account import EMPTY, AccountState
from projections.fence import OPEN_FENCE, admits, raise_fence
from projections.state_codec import SCHEMA as STATE_SCHEMA
from projections.state_codec import decode_state, encode_state
from services.runtime.ports import Journal, Recorded, Snapshot

SNAPSHOT_SCHEMA = f"gateway-1/{STATE_SCHEMA}"


class _Saved(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a view has folded."""

    seq: int
    as_of: datetime | None
    fence: dict[Role, int]
    void: list[int]
    state: bytes


class Decided(NamedTuple):
    """A decision and the journal sequence at which it stands."""

    seq: int
    decision: Decision


class AccountView:
    """One account's state as of the newest event that reached us, and the people who wait for the next."""

    def __init__(self, journal: Journal) -> None:
        """Begin before the first event."""
        self.state: AccountState = EMPTY
        self.seq = 0
        self.as_of: datetime | None = None
        """When the newest event was stored: how fresh everything shown is."""
        self._journal = journal
        self._fence = OPEN_FENCE
        self._void: set[int] = set()
        self._decisions: dict[str, set[asyncio.Future[Decided]]] = {}
        self._arrivals: set[tuple[int, asyncio.Future[None]]] = set()

    def snapshot(self) -> Snapshot:
        """Write down what is folded, so that the next start need not read the journal from its beginning."""
        saved = _Saved(
            seq=self.seq,
            as_of=self.as_of,
            fence=dict(self._fence.items()),
            void=sorted(self._void),
            state=encode_state(self.state),
        )
        return Snapshot(self.seq, SNAPSHOT_SCHEMA, msgspec.json.encode(saved))

    def begin_from(self, snapshot: Snapshot) -> None:
        """Begin where a snapshot ends."""
        saved = msgspec.json.decode(snapshot.state, type=_Saved)
        self.state, self.seq, self.as_of = decode_state(saved.state), saved.seq, saved.as_of
        self._fence, self._void = OPEN_FENCE.update(saved.fence), set(saved.void)

    async def follow(self) -> None:
        """Fold every event for ever; whatever breaks the journal breaks this process too."""
        events: AsyncGenerator[Recorded, None] = self._journal.read(after=self.seq)
        async for recorded in events:
            self._take(recorded)

    async def reach(self, seq: int) -> None:
        """Wait until everything up to a sequence is folded."""
        if self.seq >= seq:
            return
        waiting = (seq, asyncio.get_running_loop().create_future())
        self._arrivals.add(waiting)
        try:
            await waiting[1]
        finally:
            self._arrivals.discard(waiting)

    @contextmanager
    def expecting(self, subject: str) -> Generator[asyncio.Future[Decided]]:
        """Give a future of the decision on a subject, if it comes while the block runs."""
        future: asyncio.Future[Decided] = asyncio.get_running_loop().create_future()
        waiting = self._decisions.setdefault(subject, set())
        waiting.add(future)
        try:
            yield future
        finally:
            future.cancel()
            waiting.discard(future)
            if not waiting:
                self._decisions.pop(subject, None)

    @property
    def expected(self) -> int:
        """Say on how many subjects somebody waits for a decision."""
        return len(self._decisions)

    async def decision_on(self, subject: str) -> Decided | None:
        """Look a decision up in the journal; one that a fenced writer left there is none."""
        recorded = await self._journal.last_on(subject)
        if recorded is None or not isinstance(recorded.event, Decision):
            return None
        await self.reach(recorded.seq)  # only the fold knows whether its writer still had the right to write
        return None if recorded.seq in self._void else Decided(recorded.seq, recorded.event)

    def _take(self, recorded: Recorded) -> None:
        seq, event = recorded.seq, recorded.event
        self.seq, self.as_of = seq, recorded.at
        if admits(self._fence, event):
            self._fence = raise_fence(self._fence, event)
            self.state = account.evolve(self.state, event, seq)
            if isinstance(event, Decision):
                self._tell(recorded.subject, Decided(seq, event))
        else:
            self._void.add(seq)
        for wanted, future in self._arrivals:
            if wanted <= seq and not future.done():
                future.set_result(None)

    def _tell(self, subject: str, decided: Decided) -> None:
        for future in self._decisions.get(subject, ()):
            if not future.done():
                future.set_result(decided)
