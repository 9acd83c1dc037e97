"""Follows the journal into the trail for ever, rebuilds the trail when it is gone, and draws checkpoints."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from contracts import subjects
from projections.sql.database import DatabaseUnavailableError, IntegrityError
from projections.sql.location import Location
from projections.sql.store import Store
from services.audit.decider import Cadence, decide
from services.audit.folding import Folding, refuse_longer_trail
from services.audit.regimes import RegimeSource, follow_regimes
from services.runtime.batches import Batches, in_batches
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError, Recorded
from services.runtime.telemetry import get_logger

BATCH_EVENTS = 2_000
BATCH_GATHER_MS = 20
IDLE_MS = 250
"""How often a quiet auditor looks whether its file is still there and a checkpoint is due."""
LAG_EVERY_MS = 1_000
OUTAGE_S_MAX = 60.0
"""How long the auditor waits for a database that went away, before it ends and is started again from outside."""
RETRY_S = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the auditor reads and writes, and whom it tells how far it is."""

    journal: Journal
    lease: Lease
    clock: Clock
    report: Callable[..., None]
    ready: Callable[[], None]
    regimes: RegimeSource | None = None


class Auditor:
    """One account's auditor."""

    def __init__(self, outside: Outside, location: Location, cadence: Cadence | None = None) -> None:
        """Prepare to keep the read models at a location."""
        self._outside = outside
        self._location = location
        self._cadence = cadence or Cadence()
        self._is_ready = False
        self._lag_known_ms: int | None = None
        self._outage_since_ms: int | None = None
        self._log = get_logger("audit")

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until told to stop; read models that are deleted or rebuilt meanwhile are opened anew."""
        while not stopping.is_set():
            try:
                await self._open_and_follow(stopping)
            except DatabaseUnavailableError as error:
                await self._outage(error)
                continue
            if not stopping.is_set():
                self._log.warning("the read models are gone, or new ones took their place", at=self._location.name)

    async def _open_and_follow(self, stopping: asyncio.Event) -> None:
        store = Store(self._location.open_writer(), self._outside.journal.account)
        try:
            await self._follow(store, stopping)
        except IntegrityError:
            if store.is_in_place():
                raise
        finally:
            store.close()

    async def _follow(self, store: Store, stopping: asyncio.Event) -> None:
        goal = await refuse_longer_trail(store, self._outside.journal)
        folding = Folding(store)
        events = self._outside.journal.read(folding.after_seq)
        async with (
            in_batches(events, size=BATCH_EVENTS, gather_ms=BATCH_GATHER_MS, idle_ms=IDLE_MS) as batches,
            self._regimes(store) as regimes,
        ):
            while not stopping.is_set() and store.is_in_place():
                await self._step(folding, batches, goal)
                if regimes.done():
                    regimes.result()
                self._outage_since_ms = None
        if stopping.is_set() and store.is_in_place():
            folding.save()

    @asynccontextmanager
    async def _regimes(self, store: Store) -> AsyncGenerator[asyncio.Future[None], None]:
        """Follow the stream of regimes beside the journal; whoever looks at the future hears what ended it."""
        source, loop = self._outside.regimes, asyncio.get_running_loop()
        following = loop.create_future() if source is None else asyncio.ensure_future(follow_regimes(source, store))
        try:
            yield following
        finally:
            following.cancel()
            await asyncio.wait({following})

    async def _outage(self, error: DatabaseUnavailableError) -> None:
        """Wait a moment before the next attempt; raise when the database has been away for too long."""
        now_ms = self._outside.clock.monotonic_ms()
        if self._outage_since_ms is None:
            self._outage_since_ms = now_ms
            self._log.warning("the database is away, waiting for it", error=str(error))
        if now_ms - self._outage_since_ms > OUTAGE_S_MAX * 1000:
            raise error
        await asyncio.sleep(RETRY_S)

    async def _step(self, folding: Folding, batches: Batches[Recorded], goal: int) -> None:
        batch = await batches.next()
        if batch:
            folding.fold(batch)
        if folding.chain.seq < goal:
            return  # checkpoints that are already in the journal count first
        await self._draw_checkpoint(folding)
        await self._report(folding)
        if not self._is_ready:
            self._is_ready = True
            self._outside.ready()

    async def _draw_checkpoint(self, folding: Folding) -> None:
        outside = self._outside
        checkpoint = decide(
            folding.coverage,
            folding.chain,
            outside.clock.now(),
            epoch=outside.lease.epoch,
            cadence=self._cadence,
        )
        if checkpoint is None:
            return
        if not outside.lease.held():
            raise LeaseLostError("the right to write checkpoints is no longer certainly ours")
        seq = await outside.journal.append(subjects.audit(outside.journal.account), checkpoint)
        folding.covered_by(checkpoint, seq)

    async def _report(self, folding: Folding) -> None:
        chain, now_ms = folding.chain, self._outside.clock.monotonic_ms()
        facts: dict[str, Any] = {"last_seq": chain.seq, "rows": chain.seq, "digest": chain.digest.hex()}
        if self._lag_known_ms is None or now_ms - self._lag_known_ms >= LAG_EVERY_MS:
            self._lag_known_ms = now_ms
            facts["lag"] = max(await self._outside.journal.last_seq() - chain.seq, 0)
        self._outside.report(**facts, checkpoint_seq=folding.coverage.covered_seq)
