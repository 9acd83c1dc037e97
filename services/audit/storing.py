"""Stores what a rebuild folded, batch after batch in turn: while a database server stores one, the next is folded."""

import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from projections.sql.statements import Dialect
from projections.sql.store import Store
from projections.sql.tables import Changes

SWITCH_S = 0.0005
"""The storing thread sends and sleeps by turns; it is to have its turn before the server has nothing left to do."""


class Storing:
    """Stores batches at once, in the caller's own time: SQLite does its work in this process."""

    def __init__(self, store: Store) -> None:
        """Store there."""
        self._store = store

    def put(self, changes: Changes) -> None:
        """Store one batch after those before it; raises what `Store.apply` raises, for it or the one before."""
        self._store.apply(changes)

    def settle(self) -> None:
        """Wait until all batches are stored; raises what the last of them raised."""


class StoringAside(Storing):
    """Stores one batch at a time in a thread, which mostly waits for a server."""

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        """Store there, in that thread."""
        super().__init__(store)
        self._thread = thread
        self._last: Future[None] | None = None

    def put(self, changes: Changes) -> None:
        """Begin to store one batch when the one before it is stored."""
        self.settle()
        self._last = self._thread.submit(self._store.apply, changes)

    def settle(self) -> None:
        """Wait until all batches are stored."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


@contextmanager
def storing(store: Store) -> Generator[Storing]:
    """Give what suits the database; no batch is under way afterwards."""
    if store.database.dialect is Dialect.SQLITE:
        yield Storing(store)
        return
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="storing") as thread:
            yield StoringAside(store, thread)
    finally:
        sys.setswitchinterval(usual_s)
