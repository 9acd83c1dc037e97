"""Builds read models beside the live ones, from the streams alone: to take their place, or to be compared."""

import gc
from collections.abc import AsyncIterator, Callable, Generator
from contextlib import aclosing, contextmanager
from typing import Self

from contracts.codec import decode_event
from projections.sql.fold import Fold, FoldState
from projections.sql.rows import TrailCells
from projections.sql.store import Store
from services.audit.folding import link_of
from services.audit.preparation import JournalAddress, prepared
from services.audit.recollection import Recollection
from services.audit.regimes import RegimeAt
from services.audit.storing import Storing, storing
from services.runtime.ports import Journal
from services.runtime.reading import catch_up

BATCH_EVENTS = 5_000
READ_AHEAD_FROM = 20_000
"""From so many events on a second process pays for its start."""

type OnProgress = Callable[[int], object]
"""Hears the sequence of each event that is folded."""


async def build(journal: Journal, store: Store, upto_seq: int, on_progress: OnProgress) -> None:
    """Fold a journal up to a sequence into an empty store, all in this process."""
    with _no_garbage(), _Building.of(store, upto_seq, on_progress) as building:
        async for recorded in catch_up(journal, 0, upto_seq):
            building.folded(building.fold.take(link_of(recorded), recorded.event, recorded.at))


async def build_quickly(address: JournalAddress, store: Store, upto_seq: int, on_progress: OnProgress) -> None:
    """Do the same with a second process that reads ahead."""
    with _no_garbage(), _Building.of(store, upto_seq, on_progress) as building:
        async with aclosing(prepared(address, upto_seq)) as batches:
            async for batch in batches:
                for cells in batch:
                    building.fold.take_placed(cells, decode_event(cells.body))
                    building.folded(cells)


class _Building:
    """A fold into an empty store, stored in batches."""

    def __init__(self, store: Store, stored: Storing, upto_seq: int, on_progress: OnProgress) -> None:
        self._known = Recollection(store, stored.settle)
        self.fold = Fold(store.trail_at(0), FoldState(), self._known.order, self._known.symbol_of)
        self._store = store
        self._storing = stored
        self._upto_seq = upto_seq
        self._on_progress = on_progress

    @classmethod
    @contextmanager
    def of(cls, store: Store, upto_seq: int, on_progress: OnProgress) -> Generator[Self]:
        """Begin; what is being stored when this ends is stored, or its failure is raised."""
        with storing(store) as stored:
            yield cls(store, stored, upto_seq, on_progress)

    def folded(self, cells: TrailCells) -> None:
        """Store what has gathered, when it is time."""
        self._known.note(cells)
        seq = cells.seq
        self._on_progress(seq)
        if seq % BATCH_EVENTS == 0 or seq == self._upto_seq:
            self._storing.put(self.fold.take_changes())
        if seq == self._upto_seq:
            self._storing.settle()
            self._store.save_fold(seq, self.fold.state)


@contextmanager
def _no_garbage() -> Generator[None]:
    """Let the garbage collector rest: what is folded makes no cycles, and it would look for some in all of it."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


async def build_regimes(regimes: AsyncIterator[RegimeAt], store: Store) -> None:
    """Store what the stream of regimes still holds."""
    gathered: list[RegimeAt] = []
    async for one in regimes:
        gathered.append(one)
        if len(gathered) == BATCH_EVENTS:
            store.apply_regimes(gathered)
            gathered = []
    if gathered:
        store.apply_regimes(gathered)
