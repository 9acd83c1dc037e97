"""What the conservation watch says of itself on the record: whether it sees the broker, and that it is still there.

Risk holds the age of the last report against a limit, so silence stops new risk as blindness does.
"""

import asyncio
from datetime import datetime, timedelta

from contracts import subjects
from contracts.audit import WatchReported
from services.runtime.ports import Clock, Journal, Lease, LeaseLostError

REPORT_EVERY_MS = 30_000
"""A watch that goes on seeing says so this often, and twice within the age that risk allows."""
UNWATCHED_EVERY_MS = 10_000
UNWATCHED = "orders from outside are taken over, as the settings say: nothing is watched"
_DETAIL_CHARS = 200


class WatchReports:
    """Writes the reports of one account's watch."""

    def __init__(self, journal: Journal, lease: Lease, clock: Clock) -> None:
        """Begin before the first report, which is due at once."""
        self._journal = journal
        self._lease = lease
        self._clock = clock
        self._every_ms = REPORT_EVERY_MS
        self._last_at: datetime | None = None
        self._was_blind = False

    def allow(self, age_max_ms: int | None) -> None:
        """Hear how old risk lets the last report become."""
        self._every_ms = REPORT_EVERY_MS if age_max_ms is None else min(REPORT_EVERY_MS, age_max_ms // 2)

    async def tell(self, *, blind: bool, read_seq: int, detail: str = "") -> None:
        """Write a report when something changed, or the last one grows old, or the clock was set back."""
        now = self._clock.now()
        due = self._last_at is None or abs(now - self._last_at) >= timedelta(milliseconds=self._every_ms)
        if not due and blind is self._was_blind:
            return
        if not self._lease.held():
            raise LeaseLostError("the right to write for audit is no longer certainly ours")
        report = WatchReported(
            epoch=self._lease.epoch, at=now, blind=blind, read_seq=read_seq, detail=detail[:_DETAIL_CHARS]
        )
        await self._journal.append(subjects.audit(self._journal.account), report)
        self._last_at, self._was_blind = now, blind


async def report_unwatched(journal: Journal, lease: Lease, clock: Clock, stopping: asyncio.Event) -> None:
    """Say that audit is there, on an account of which the settings want no watch."""
    reports = WatchReports(journal, lease, clock)
    reports.allow(2 * UNWATCHED_EVERY_MS)
    while not stopping.is_set():
        await reports.tell(blind=False, read_seq=await journal.last_seq(), detail=UNWATCHED)
        try:
            async with asyncio.timeout(UNWATCHED_EVERY_MS / 1000):
                await stopping.wait()
        except TimeoutError:
            continue
