"""Proves, or disproves, that journal, trail and checkpoints tell the same."""

import sqlite3
from collections.abc import AsyncIterator, Iterator

from contracts.audit import ChainCheckpoint
from contracts.base import Value
from projections.chain import DIGEST_BYTES, Chain, extend, genesis
from projections.fence import OPEN_FENCE, admits, raise_fence
from projections.sql.trail import digests, position
from services.audit.folding import link_of
from services.runtime.ports import Journal, JournalGapError, Recorded

DIGESTS_PER_READ = 5_000


class Verdict(Value, frozen=True, kw_only=True):
    """What a verification found: how much was compared, and the first sequence at which something is wrong."""

    events: int
    checkpoints: int
    digest: str
    bad_seq: int | None = None
    fault: str = ""

    @property
    def is_clean(self) -> bool:
        """Say whether everything agrees."""
        return self.bad_seq is None


class _Comparison:
    """The state of one verification: the chain so far, and the digests that checkpoints may ask for."""

    def __init__(self, start: Chain, recorded: Iterator[tuple[int, str]]) -> None:
        self.chain = start
        self.checkpoints = 0
        self._fence = OPEN_FENCE
        self._recorded = recorded
        self._digests = bytearray(start.digest)

    def take(self, recorded: Recorded) -> str | None:
        """Compare one event; give what is wrong with it."""
        self.chain = extend(self.chain, link_of(recorded))
        self._digests += self.chain.digest
        row = next(self._recorded, None)
        if row is not None and row != (self.chain.seq, self.chain.digest.hex()):
            return (
                f"the trail has {row[1]} at {row[0]}, the journal gives {self.chain.digest.hex()} at {self.chain.seq}"
            )
        if not admits(self._fence, recorded.event):
            return None
        self._fence = raise_fence(self._fence, recorded.event)
        return self._against(recorded.event) if isinstance(recorded.event, ChainCheckpoint) else None

    def _against(self, checkpoint: ChainCheckpoint) -> str | None:
        self.checkpoints += 1
        if not 0 <= checkpoint.upto_seq < self.chain.seq:
            return f"a checkpoint speaks of sequence {checkpoint.upto_seq}, which does not stand before it"
        at = checkpoint.upto_seq * DIGEST_BYTES
        found = self._digests[at : at + DIGEST_BYTES].hex()
        if found == checkpoint.digest:
            return None
        return f"up to {checkpoint.upto_seq} a checkpoint has {checkpoint.digest}, the journal gives {found}"


async def verify(journal: Journal, trail: sqlite3.Connection | None = None) -> Verdict:
    """Compute the chain again from the journal alone; compare it with its valid checkpoints and with the trail.

    Stops at the first fault. A checkpoint that differs says that something at or before it was changed. The
    journal is read up to where it ends now; a trail that lags behind is compared as far as it goes.
    """
    start = genesis(journal.account)
    comparison = _Comparison(start, _recorded_digests(trail))
    last_seq = await journal.last_seq()
    try:
        async for recorded in _upto(journal, last_seq):
            fault = comparison.take(recorded)
            if fault is not None:
                return _verdict(comparison, recorded.seq, fault)
    except JournalGapError as gap:
        return _verdict(comparison, comparison.chain.seq + 1, str(gap))
    if trail is not None and position(trail) > await journal.last_seq():
        return _verdict(comparison, last_seq + 1, f"the trail goes on to {position(trail)}, the journal ends here")
    return _verdict(comparison, None, "")


async def _upto(journal: Journal, last_seq: int) -> AsyncIterator[Recorded]:
    if last_seq == 0:
        return
    async for recorded in journal.read():
        yield recorded
        if recorded.seq >= last_seq:
            return


def _recorded_digests(trail: sqlite3.Connection | None) -> Iterator[tuple[int, str]]:
    after_seq = 0
    while trail is not None and (found := digests(trail, after_seq, DIGESTS_PER_READ)):
        yield from found
        after_seq = found[-1][0]


def _verdict(comparison: _Comparison, bad_seq: int | None, fault: str) -> Verdict:
    return Verdict(
        events=comparison.chain.seq,
        checkpoints=comparison.checkpoints,
        digest=comparison.chain.digest.hex(),
        bad_seq=bad_seq,
        fault=fault,
    )
