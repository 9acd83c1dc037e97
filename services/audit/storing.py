"""Stores what a rebuild folded, batch after batch in turn: while the database stores one, the next is folded."""

import sys
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

from projections.sql.store import Store
from projections.sql.tables import Changes

SWITCH_S = 0.0005
"""The storing thread works and waits by turns; it is to have its turn before the database has nothing left to do."""


class Storing:
    """Stores one batch at a time in a thread, which mostly waits: for a server, or for SQLite outside of Python."""

    def __init__(self, store: Store, thread: ThreadPoolExecutor) -> None:
        """Store there, in that thread."""
        self._store = store
        self._thread = thread
        self._last: Future[None] | None = None

    def put(self, changes: Changes) -> None:
        """Begin to store one batch when the one before it is stored.

        Raises what `Store.apply` raised for the one before.
        """
        self.settle()
        self._last = self._thread.submit(self._store.apply, changes)

    def settle(self) -> None:
        """Wait until all batches are stored; raises what the last of them raised."""
        last, self._last = self._last, None
        if last is not None:
            last.result()


@contextmanager
def storing(store: Store) -> Generator[Storing]:
    """Store aside; no batch is under way afterwards."""
    usual_s = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_S)
    try:
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="storing") as thread:
            yield Storing(store, thread)
    finally:
        sys.setswitchinterval(usual_s)
