"""Folds the journal into an open trail, and stops when the two contradict each other."""

from collections.abc import Sequence
from datetime import UTC, datetime

from contracts.audit import ChainCheckpoint
from projections.chain import Link
from projections.sql.trail_store import TrailStore
from projections.trail import TrailRow, TrailState, evolve
from services.audit import decider
from services.audit.decider import Coverage
from services.runtime.ports import Journal, Recorded

_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class ContradictionError(Exception):
    """Trail and journal, or journal and checkpoint, disagree; a person must find out which one is true."""


class Folding:
    """The fold in progress: what is stored, and what of it a checkpoint covers."""

    def __init__(self, store: TrailStore) -> None:
        """Take up where the store stands: one event before its end, so that its last digest is checked again."""
        self._store = store
        self._stored_seq = store.position()
        self.after_seq = max(self._stored_seq - 1, 0)
        self.state: TrailState = store.state_at(self.after_seq)
        self.coverage = _coverage(store, self.after_seq)

    def fold(self, batch: Sequence[Recorded]) -> None:
        """Fold the next events, and store their rows with the new position in one transaction.

        Raises `ContradictionError` before anything is stored when a digest differs from the one on record.
        """
        state, coverage, rows = self.state, self.coverage, list[TrailRow]()
        for recorded in batch:
            state, row = evolve(state, link_of(recorded), recorded.event, recorded.at)
            if row.seq <= self._stored_seq:
                self._compare(row)
            else:
                rows.append(row)
            if row.admitted:
                self._check(recorded, rows)
                coverage = decider.evolve(coverage, recorded.event, recorded.seq)
        if rows:
            self._store.apply(rows)
        self.state, self.coverage = state, coverage

    def covered_by(self, checkpoint: ChainCheckpoint, seq: int) -> None:
        """Count our own checkpoint at once, so that no second one is written before it is read back."""
        self.coverage = decider.evolve(self.coverage, checkpoint, seq)

    def _compare(self, row: TrailRow) -> None:
        recorded = self._store.digest_at(row.seq)
        if recorded != row.digest:
            raise ContradictionError(
                f"journal event {row.seq} gives the digest {row.digest}, the trail {self._store.path} has "
                f"{recorded}: one of them was changed. Compare with the checkpoints; to trust the journal, move the "
                "trail away"
            )

    def _check(self, recorded: Recorded, rows: Sequence[TrailRow]) -> None:
        event = recorded.event
        if not isinstance(event, ChainCheckpoint):
            return
        digest = self._digest_at(event.upto_seq, rows)
        if digest != event.digest:
            raise ContradictionError(
                f"checkpoint {recorded.seq} says that the journal up to {event.upto_seq} has the digest "
                f"{event.digest}, but it has {digest}: something before the checkpoint was changed later"
            )

    def _digest_at(self, seq: int, rows: Sequence[TrailRow]) -> str | None:
        if rows and seq >= rows[0].seq:
            at = seq - rows[0].seq
            return rows[at].digest if at < len(rows) else None
        return self._store.digest_at(seq)


def link_of(recorded: Recorded) -> Link:
    """Give a journal event as the chain sees it."""
    return Link(seq=recorded.seq, subject=recorded.subject, body=recorded.body, headers=recorded.headers)


async def refuse_longer_trail(store: TrailStore, journal: Journal) -> int:
    """Give the journal's last sequence; raise `ContradictionError` when the trail reaches beyond it."""
    last_seq, position = await journal.last_seq(), store.position()
    if position > last_seq:
        raise ContradictionError(
            f"the trail {store.path} stands at {position}, but the journal ends at {last_seq}: the journal lost "
            "events, or the trail belongs to another journal. To trust the journal, move the trail away"
        )
    return last_seq


def _coverage(store: TrailStore, seq: int) -> Coverage:
    """Restore what checkpoints cover; what waited through a restart is covered without further delay."""
    checkpoint, fact_seq = store.checkpoint_at(seq), store.last_fact_at(seq)
    covered_seq = 0 if checkpoint is None else checkpoint.upto_seq
    return Coverage(
        covered_seq=covered_seq, fact_seq=fact_seq, bare_since=_LONG_AGO if fact_seq > covered_seq else None
    )
