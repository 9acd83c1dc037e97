"""Builds read models beside the live ones, from the streams alone: to take their place, or to be compared."""

import gc
from collections.abc import AsyncIterator, Callable

from projections.sql.fold import Fold, FoldState
from projections.sql.store import Store
from services.audit.folding import link_of
from services.audit.regimes import RegimeAt
from services.runtime.ports import Journal
from services.runtime.reading import catch_up

BATCH_EVENTS = 5_000

type OnProgress = Callable[[int], object]
"""Hears the sequence of each event that is folded."""


async def build(journal: Journal, store: Store, upto_seq: int, on_progress: OnProgress) -> None:
    """Fold the journal up to a sequence into an empty store.

    What is folded makes no cycles, so the garbage collector, which would look for some among all of it, may rest.
    """
    gc.disable()
    try:
        await _build(journal, store, upto_seq, on_progress)
    finally:
        gc.enable()


async def _build(journal: Journal, store: Store, upto_seq: int, on_progress: OnProgress) -> None:
    fold = Fold(store.trail_at(0), FoldState(), store.order, store.symbol_of)
    gathered = 0
    async for recorded in catch_up(journal, 0, upto_seq):
        fold.take(link_of(recorded), recorded.event, recorded.at)
        gathered += 1
        on_progress(recorded.seq)
        if gathered == BATCH_EVENTS or recorded.seq == upto_seq:
            store.apply(fold.take_changes())
            gathered = 0
    if upto_seq:
        store.save_fold(upto_seq, fold.state)


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
