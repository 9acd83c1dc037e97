"""Keeps signed checkpoints outside the store: an own reader of the journal with a chain of its own.

It takes nothing from the trail and nothing from memory: it goes on from the last checkpoint it signed, so a journal
that was exchanged while it was away cannot get a signature that fits what was signed before.
"""

import asyncio
from contextlib import aclosing

from services.audit.checkpoint_files import CheckpointFiles
from services.audit.checkpoints import Coverage, Schedule, begin, check, draft, follow, is_due
from services.audit.signing import Signer
from services.audit.verification import link_of_raw
from services.runtime.batches import in_batches
from services.runtime.ports import Clock, RawJournal
from services.runtime.telemetry import get_logger

BATCH_MESSAGES = 1_000
GATHER_MS = 50
LOOK_EVERY_MS = 250


class Notary:
    """Signs what the journal of one account has become."""

    def __init__(
        self, journal: RawJournal, files: CheckpointFiles, signer: Signer, clock: Clock, code_version: str
    ) -> None:
        """Prepare; nothing is read before `run`."""
        self._journal = journal
        self._files = files
        self._signer = signer
        self._clock = clock
        self._code_version = code_version
        self._bare_since_ms: int | None = None
        self._goal_seq: int | None = None

    async def run(self, stopping: asyncio.Event, schedule: Schedule | None = None) -> None:
        """Follow the journal until told to stop, and sign on schedule; what is uncovered at the end is signed too.

        Raises `CheckpointFaultError` when the last checkpoint is not ours, `JournalGapError` when the journal ends
        before it: both are for a person to look into.
        """
        schedule = schedule or Schedule()
        last = self._files.last()
        if last is not None:
            check([last], self._journal.account, self._signer.public_key)
        coverage = begin(self._journal.account, last)
        size = min(BATCH_MESSAGES, schedule.messages_max)
        async with (
            aclosing(self._journal.read_raw(coverage.chain.seq)) as messages,
            in_batches(messages, size=size, gather_ms=GATHER_MS, idle_ms=LOOK_EVERY_MS) as batches,
        ):
            while not await self._is_done(stopping, coverage):
                coverage = follow(coverage, [link_of_raw(one) for one in await batches.next()])
                if is_due(coverage, self._waited_ms(coverage), schedule):
                    coverage = self._sign(coverage)
        if coverage.fingerprints:
            self._sign(coverage)

    async def _is_done(self, stopping: asyncio.Event, coverage: Coverage) -> bool:
        """Go on until told to stop, and then to where the journal ended at that moment."""
        if not stopping.is_set():
            return False
        if self._goal_seq is None:
            self._goal_seq = await self._journal.last_seq()
        return coverage.chain.seq >= self._goal_seq

    def _waited_ms(self, coverage: Coverage) -> int:
        if not coverage.fingerprints:
            self._bare_since_ms = None
            return 0
        now_ms = self._clock.monotonic_ms()
        if self._bare_since_ms is None:
            self._bare_since_ms = now_ms
        return now_ms - self._bare_since_ms

    def _sign(self, coverage: Coverage) -> Coverage:
        unsigned = draft(coverage, self._journal.account, self._clock.now(), self._code_version)
        signed = self._signer.sign(unsigned)
        self._files.keep(signed)
        self._bare_since_ms = None
        get_logger("notary").info("checkpoint", number=signed.number, upto_seq=signed.upto_seq)
        return begin(self._journal.account, signed)
