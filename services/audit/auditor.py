"""Follows the journal into the trail for ever, rebuilds the trail when it is gone, and draws checkpoints."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts import subjects
from projections.sql.trail_store import TrailStore
from services.audit.decider import Cadence, decide
from services.audit.folding import Folding, refuse_longer_trail
from services.runtime.batches import Batches, in_batches
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError, Recorded
from services.runtime.telemetry import get_logger

BATCH_EVENTS = 500
BATCH_GATHER_MS = 20
IDLE_MS = 250
"""How often a quiet auditor looks whether its file is still there and a checkpoint is due."""
LAG_EVERY_MS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Outside:
    """What the auditor reads and writes, and whom it tells how far it is."""

    journal: Journal
    lease: Lease
    clock: Clock
    report: Callable[..., None]
    ready: Callable[[], None]


class Auditor:
    """One account's auditor."""

    def __init__(self, outside: Outside, trail: Path, cadence: Cadence | None = None) -> None:
        """Prepare to keep the trail at a path."""
        self._outside = outside
        self._trail = trail
        self._cadence = cadence or Cadence()
        self._is_ready = False
        self._lag_known_ms: int | None = None
        self._log = get_logger("audit")

    async def run(self, stopping: asyncio.Event) -> None:
        """Follow until told to stop; a trail that is deleted meanwhile is built anew from the whole journal."""
        while not stopping.is_set():
            store = TrailStore(self._trail, self._outside.journal.account)
            try:
                await self._follow(store, stopping)
            finally:
                store.close()
            if not stopping.is_set():
                self._log.warning("the trail is gone, building it again", path=str(self._trail))

    async def _follow(self, store: TrailStore, stopping: asyncio.Event) -> None:
        goal = await refuse_longer_trail(store, self._outside.journal)
        folding = Folding(store)
        events = self._outside.journal.read(folding.after_seq)
        async with in_batches(events, size=BATCH_EVENTS, gather_ms=BATCH_GATHER_MS, idle_ms=IDLE_MS) as batches:
            while not stopping.is_set() and store.is_in_place():
                await self._step(folding, batches, goal)

    async def _step(self, folding: Folding, batches: Batches[Recorded], goal: int) -> None:
        batch = await batches.next()
        if batch:
            folding.fold(batch)
        if folding.state.chain.seq < goal:
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
            folding.state.chain,
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
        chain, now_ms = folding.state.chain, self._outside.clock.monotonic_ms()
        facts: dict[str, Any] = {"last_seq": chain.seq, "rows": chain.seq, "digest": chain.digest.hex()}
        if self._lag_known_ms is None or now_ms - self._lag_known_ms >= LAG_EVERY_MS:
            self._lag_known_ms = now_ms
            facts["lag"] = max(await self._outside.journal.last_seq() - chain.seq, 0)
        self._outside.report(**facts, checkpoint_seq=folding.coverage.covered_seq)
