"""Folds the journal into an open trail, and stops when the two contradict each other."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from contracts.audit import ChainCheckpoint
from projections.chain import Chain, Link, extend
from projections.sql.fold import Fold
from projections.sql.rows import TrailCells
from projections.sql.store import Store
from projections.sql.trail import digests
from services.audit import decider
from services.audit.decider import Coverage
from services.runtime.ports import Journal, Recorded

SAVE_EVENTS = 50_000
"""How many events a restart may have to fold again; saving is a matter of tenths of a second."""
DIGESTS_PER_READ = 5_000
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class ContradictionError(Exception):
    """Trail and journal, or journal and checkpoint, disagree; a person must find out which one is true."""


class Folding:
    """The fold in progress: what is stored, and what of it a checkpoint covers."""

    def __init__(self, store: Store) -> None:
        """Take up where the fold was last saved, and before the last row: stored digests are checked again."""
        self._store = store
        self._stored_seq = store.position()
        self._saved_seq, start = store.saved_fold()
        self.after_seq = min(self._saved_seq, max(self._stored_seq - 1, 0))
        self._proven = store.trail_at(self.after_seq).chain
        self._recorded = _recorded_digests(store, self.after_seq)
        self._fold = Fold(store.trail_at(self._saved_seq), start, store.order, store.symbol_of)
        self.coverage = _coverage(store, self._saved_seq)

    @property
    def chain(self) -> Chain:
        """The chain up to the last event that was folded."""
        return self._fold.trail.chain

    def fold(self, batch: Sequence[Recorded]) -> None:
        """Fold the next events, and store what they change with the new position in one transaction.

        Raises `ContradictionError` before anything is stored when a digest differs from the one on record.
        """
        coverage, fresh = self.coverage, list[TrailCells]()
        for recorded in batch:
            if recorded.seq <= self.chain.seq:
                self._prove(recorded)
                continue
            placed = self._fold.take(link_of(recorded), recorded.event, recorded.at)
            if recorded.seq <= self._stored_seq:
                self._compare(recorded.seq, placed.digest)
                if recorded.seq == self._stored_seq:
                    self._fold.take_changes()  # all of this is stored already
            else:
                fresh.append(placed)
            if placed.admitted:
                self._check(recorded, fresh)
                coverage = decider.evolve(coverage, recorded.event, recorded.seq)
        changes = self._fold.take_changes()
        if fresh:
            self._store.apply(changes)
        self.coverage = coverage
        if self.chain.seq - self._saved_seq >= SAVE_EVENTS:
            self.save()

    def save(self) -> None:
        """Keep where the fold stands, so that the next start need not begin at the first event."""
        if self.chain.seq > self._saved_seq and self.chain.seq >= self._stored_seq:
            self._store.save_fold(self.chain.seq, self._fold.state)
            self._saved_seq = self.chain.seq

    def covered_by(self, checkpoint: ChainCheckpoint, seq: int) -> None:
        """Count our own checkpoint at once, so that no second one is written before it is read back."""
        self.coverage = decider.evolve(self.coverage, checkpoint, seq)

    def _prove(self, recorded: Recorded) -> None:
        """Check the digest of an event that is behind the fold: the journal must be the one that was folded."""
        self._proven = extend(self._proven, link_of(recorded))
        self._compare(recorded.seq, self._proven.digest.hex())

    def _compare(self, seq: int, digest: str) -> None:
        _, recorded = next(self._recorded, (seq, None))
        if recorded != digest:
            raise ContradictionError(
                f"journal event {seq} gives the digest {digest}, the trail {self._store.name} has {recorded}: one of "
                "them was changed. Compare with the checkpoints; to trust the journal, move the trail away"
            )

    def _check(self, recorded: Recorded, fresh: Sequence[TrailCells]) -> None:
        event = recorded.event
        if not isinstance(event, ChainCheckpoint):
            return
        digest = self._digest_at(event.upto_seq, fresh)
        if digest != event.digest:
            raise ContradictionError(
                f"checkpoint {recorded.seq} says that the journal up to {event.upto_seq} has the digest "
                f"{event.digest}, but it has {digest}: something before the checkpoint was changed later"
            )

    def _digest_at(self, seq: int, fresh: Sequence[TrailCells]) -> str | None:
        if fresh and seq >= fresh[0].seq:
            at = seq - fresh[0].seq
            return fresh[at].digest if at < len(fresh) else None
        return self._store.digest_at(seq)


def _recorded_digests(store: Store, after_seq: int) -> Iterator[tuple[int, str]]:
    while found := digests(store.database, after_seq, DIGESTS_PER_READ):
        yield from found
        after_seq = found[-1][0]


def link_of(recorded: Recorded) -> Link:
    """Give a journal event as the chain sees it."""
    return Link(seq=recorded.seq, subject=recorded.subject, body=recorded.body, headers=recorded.headers)


async def refuse_longer_trail(store: Store, journal: Journal) -> int:
    """Give the journal's last sequence; raise `ContradictionError` when the trail reaches beyond it."""
    last_seq, position = await journal.last_seq(), store.position()
    if position > last_seq:
        raise ContradictionError(
            f"the trail {store.name} stands at {position}, but the journal ends at {last_seq}: the journal lost "
            "events, or the trail belongs to another journal. To trust the journal, move the trail away"
        )
    return last_seq


def _coverage(store: Store, seq: int) -> Coverage:
    """Restore what checkpoints cover; what waited through a restart is covered without further delay."""
    checkpoint, fact_seq = store.checkpoint_at(seq), store.last_fact_at(seq)
    covered_seq = 0 if checkpoint is None else checkpoint.upto_seq
    return Coverage(
        covered_seq=covered_seq, fact_seq=fact_seq, bare_since=_LONG_AGO if fact_seq > covered_seq else None
    )
